#pragma once

#include <filesystem>
#include <string>

#include "harness/protocol/append_file.h"
#include "harness/protocol/record_resume.h"
#include "harness/protocol/sha256.h"

namespace twinrun::protocol {

/// Throws ResumeDiverged: `what`, computed again, is not what stands in `file`.
[[noreturn]] void diverge(const std::string& what, const AppendFile& file);

/// A file of lines without a chain that only grows, and the digest of what has been said. One that
/// is continued keeps its lines: what is said again is compared with them, byte for byte, and only
/// behind the last one something is written.
///
/// Every call throws std::runtime_error (path and errno text) if the file cannot be written whole.
class HashedFile {
 public:
  /// Creates the file. Throws if it exists.
  explicit HashedFile(const std::filesystem::path& path);
  /// Continues it at `position`; cuts a torn last line. Throws ResumeRefused if the bytes before it
  /// are not there or have another digest.
  HashedFile(const std::filesystem::path& path, const FilePosition& position);

  /// `line` ends in a line feed. Throws ResumeDiverged (`what`) if another one stands there.
  void append(const std::string& line, const std::string& what);
  /// Throws ResumeDiverged (`what`) if lines are left that were not said again.
  void require_end(const std::string& what) const;

  /// Behind the last line said.
  FilePosition position() const { return {file_.position(), hasher_.so_far()}; }
  void sync() { file_.sync(); }

 private:
  Sha256 hasher_;
  AppendFile file_;
};

}  // namespace twinrun::protocol
