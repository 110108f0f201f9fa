#pragma once

#include <filesystem>
#include <nlohmann/json.hpp>
#include <optional>
#include <string>

#include "harness/compare/compare.h"

namespace twinrun::harness {

/// Version of the description of a curve.
inline constexpr int kCurveSchema = 1;

/// A frozen curve: `<fingerprint>.jsonl`, the steps.jsonl of a run verbatim, and its description
/// `<fingerprint>.json`: schema, key, sha256, head, made_by, accepted. Neither counts without the
/// other. A pending one, which nobody accepted yet, is `<fingerprint>.pending.jsonl` and `.json`;
/// no run is held against it. docs/protocol.md section 8 has the fields.
struct Curve {
  std::filesystem::path file;       ///< the .jsonl
  std::filesystem::path record;     ///< where its record lies: `file`, or unfinished_of(file)
  nlohmann::json description;       ///< null if it cannot be read
  protocol::RecordSummary summary;  ///< of `file`
  std::string sha256;               ///< of `file` as it was found; empty if it was not read
  std::string reason = "intact";    ///< of what is wrong
  std::string problem;              ///< the same for people; empty if nothing is
  bool intact() const { return problem.empty(); }
};

/// The description that belongs to the curve `file`.
std::filesystem::path description_of(const std::filesystem::path& file);

/// Where a record waits until its description stands (install_curve): `<name>.jsonl.new`.
std::filesystem::path unfinished_of(const std::filesystem::path& file);

/// The pending curve that would take the place of the curve `file`.
std::filesystem::path pending_of(const std::filesystem::path& file);
/// Whether `file`, a record or a description, is of a pending curve by its name.
bool is_pending(const std::filesystem::path& file);
/// The curve whose place the pending one `file` would take.
std::filesystem::path accepted_of(const std::filesystem::path& file);

/// Whether there is a curve `file`, or half of one: its record or its description. What cannot be
/// looked at, such as a link that leads nowhere, is there too.
bool curve_exists(const std::filesystem::path& file);

/// Reads the curve `file` and checks that it is whole, of the key that it is named after and, to
/// the byte, what its description says. Never throws for what may lie there.
///
/// The description decides which record counts: if that in place is missing or has another SHA-256,
/// the one in unfinished_of(file) is taken, provided that it has the one described. So a curve is
/// replaced in one moment, that in which its description is.
///
///  reason                         what is wrong
///  curve_missing                  a description without a record
///  curve_description_missing      a record without a description
///  curve_description_malformed    the description is no JSON object of its fields
///  curve_key_mismatch             its key is not that of the file's name, or not of the record
///  curve_replaced                 the record has another SHA-256 than described
///  curve_chain_broken, curve_missing_step, curve_extra_line, curve_malformed
///                                 the record is not one, though its SHA-256 is as described
///  curve_incomplete               no end line, or fewer steps than the header announces
///  curve_head_mismatch            the record ends in another head than described
///  curve_unreadable               the file system gives an error
Curve read_curve(const std::filesystem::path& file);

/// The key that the curve `file` is described to have; nullopt if its description cannot be read or
/// is not that of its name. The record is not looked at.
std::optional<nlohmann::json> described_key(const std::filesystem::path& file);

/// What made `run`, as a description states it but for date and verdict: twinrun_version,
/// git_commit, git_dirty (of this judge), trainer_binary, device_name, driver, cpu_model (of the
/// manifest; null if it does not say).
nlohmann::json made_by(const RunView& run);

}  // namespace twinrun::harness
