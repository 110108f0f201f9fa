#pragma once

#include <filesystem>
#include <string>

#include "harness/compare/compare.h"

namespace twinrun::harness {

/// Where a curve is to be written.
struct CurveTarget {
  std::filesystem::path path;  ///< the .jsonl, or the folder of one that its fingerprint names
  bool folder = false;
};

/// Reads FILE.jsonl or FOLDER as a caller names it; FOLDER is one that exists or ends in '/'.
///
/// Throws UsageError, naming `flag`, if a curve could not be written there: no such folder, one
/// that may not be written to, a name that does not end in .jsonl, a curve or half of one there
/// already.
CurveTarget curve_target(const std::string& text, const std::string& flag);

/// Freezes `run`, which has to be intact: its steps.jsonl verbatim and the description, both or
/// neither (install_curve), and returns the .jsonl. `accepted` is null.
///
/// verdict_text  verdict.json, whole: the description holds its SHA-256
/// date          UTC, ISO 8601
///
/// Throws UsageError if a curve is there by now or the run holds fewer steps than it announces;
/// std::runtime_error (path and errno text) if it cannot be written.
std::filesystem::path write_curve(const CurveTarget& target, const RunView& run,
                                  const std::string& verdict_text, const std::string& date);

/// A curve that waits for somebody to accept it.
struct Proposal {
  std::filesystem::path file;  ///< the .pending.jsonl
  bool written = false;        ///< false: the same record lay there already, and was left alone
};

/// Writes `run`, which has to be intact, as the pending curve of its key in `folder`, both files or
/// neither, in place of another one that was pending. The curve itself is not touched.
///
/// verdict_text, date  as in write_curve
///
/// Throws UsageError if the run holds fewer steps than it announces; std::runtime_error (path and
/// errno text) if it cannot be written.
Proposal propose_curve(const std::filesystem::path& folder, const RunView& run,
                       const std::string& verdict_text, const std::string& date);

}  // namespace twinrun::harness
