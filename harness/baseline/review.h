#pragma once

#include <cstdint>
#include <filesystem>
#include <optional>
#include <string>
#include <vector>

#include "harness/baseline/curve.h"

namespace twinrun::harness {

/// Who lets a pending curve become the baseline.
struct Acceptance {
  std::string who, when, why;  ///< one line each; `when` UTC, ISO 8601
};

/// Puts the pending curve in the place of the curve of its key, with the acceptance and the SHA-256
/// of its verdict in the description, and removes the pending one. Returns the curve.
///
/// head  if not empty, what the head of the pending curve has to begin with
///
/// Killed at any point, the old curve stands or the new one; the call can be made again.
///
/// Throws UsageError if there is no such pending curve (by now) or its head is another;
/// EvidenceError if it is not intact, or if the curve in its place is not: that one somebody has to
/// look at first; std::runtime_error (path and errno text) if it cannot be written.
std::filesystem::path accept_curve(const std::filesystem::path& pending,
                                   const Acceptance& acceptance, const std::string& head = "");

/// Removes the pending curve, or what there is of it. Throws UsageError if there is nothing,
/// std::runtime_error.
void reject_curve(const std::filesystem::path& pending);

/// What a curve is in its folder.
enum class CurveState {
  kBaseline,  ///< runs are held against it
  kPending,   ///< waits for accept or reject
  kObsolete,  ///< of no use any more: Listed::why says so
  kBroken,    ///< not intact: Listed::why says so
};
std::string to_string(CurveState state);  ///< baseline, pending, obsolete, broken

struct Listed {
  Curve curve;
  CurveState state = CurveState::kBaseline;
  std::string why;       ///< of kObsolete and kBroken, for people
  bool pending = false;  ///< by its name, whatever its state
};

/// The curves of a folder, by name.
///
/// identity  of the case as it is now, if that is known: a curve of another experiment is obsolete
///
/// A pending curve with the record of its baseline is obsolete too, and half of a pending one.
std::vector<Listed> list_curves(const std::filesystem::path& folder,
                                const std::optional<std::string>& identity);

/// A loss curve, for people.
struct LossCurve {
  std::vector<std::int64_t> steps;
  std::vector<float> losses;  ///< of those steps
  std::int64_t tokens = 0;    ///< sums over all steps
  std::int64_t loss_tokens = 0;
};

/// A pending curve beside the curve whose place it would take.
struct Review {
  Curve pending;
  std::optional<Curve> baseline;    ///< none if there is no curve of this key yet
  LossCurve losses, losses_before;  ///< of pending and of baseline
  LineComparison lines;             ///< a baseline, b pending; empty without a baseline
};

/// Reads both. Throws as accept_curve does.
Review review_curve(const std::filesystem::path& pending);

}  // namespace twinrun::harness
