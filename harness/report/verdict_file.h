#pragma once

#include <filesystem>
#include <nlohmann/json.hpp>
#include <string>

#include "harness/compare/verdict.h"

namespace twinrun::harness {

/// A verdict.json as it was read back: of the fields of its schema, and in agreement with itself.
struct VerdictFile {
  std::filesystem::path path;
  nlohmann::json value;
  std::string sha256;  ///< of the file's bytes
  Verdict verdict = Verdict::kInconclusive;

  /// What the run folders of the verdict are relative to.
  std::filesystem::path folder() const;
};

/// Reads `path`.
///
/// Throws UsageError (exit 2) where it is not there, no regular file, not to be read, no JSON, of a
/// newer schema, or not of the fields of harness/protocol/schemas/verdict.schema.json; the message
/// says which. Throws EvidenceError (exit 5) where the verdict contradicts itself, which no verdict
/// of twinrun does: it was changed afterwards.
VerdictFile read_verdict(const std::filesystem::path& path);

/// The same of a text that is already there; `path` is what messages call it.
VerdictFile parse_verdict(const std::filesystem::path& path, const std::string& text);

}  // namespace twinrun::harness
