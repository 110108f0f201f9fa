#pragma once

#include <cstdint>
#include <filesystem>
#include <string>
#include <string_view>

#include "harness/protocol/sha256.h"

namespace twinrun::protocol {

/// Why a file does not hold. The reasons that check_sealed_file gives; readers add their own:
///
///  missing, unreadable   no such file; the file system says so
///  malformed             no such format, or an end line that was written wrong
///  newer_schema          a schema that this program does not know
///  incomplete            no end line, torn line, empty
///  digest_mismatch       bytes before the end line are not those that it was written behind
///  extra_line            a line behind the end line
struct FileProblem {
  std::string reason;
  std::int64_t line = 0;  ///< one-based; 0: of the whole file
  std::string what;       ///< for people
  /// "FILE:LINE: what", or "FILE: what".
  std::string at(const std::filesystem::path& file) const;
  /// Whether the file is damaged, rather than written wrong: incomplete, digest_mismatch.
  bool damaged() const;
};

/// A kind of JSONL file whose first line names format and schema, and whose last one seals it:
/// `{"end":true,"<counted>":N,"sha256":"<of every byte before this line>"}`.
struct SealedFormat {
  const char* format;   ///< of line 1
  int schema;           ///< of line 1: the version that this program knows
  const char* counted;  ///< what the end line counts: the lines between
  const char* what;     ///< for people: "is no file of ..."
};

/// The end line, with its line feed, of `before`: everything that stands before it.
std::string sealing_line(const SealedFormat& format, std::int64_t count, const Digest& before);

struct SealedFile {
  std::int64_t lines = 0;  ///< with the first and the end line
  std::int64_t count = 0;  ///< as the end line says
  Digest sha256{};         ///< of the whole file
};

/// Checks what can be known without reading a line between. Damage is told before anything that a
/// line says, since lines of a file that was cut or changed need not make sense, but for a format
/// or schema that this program does not know. Throws FileProblem.
SealedFile check_sealed_file(const std::filesystem::path& file, const SealedFormat& format);

}  // namespace twinrun::protocol
