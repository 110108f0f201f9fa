#pragma once

#include <cstdint>
#include <filesystem>
#include <optional>
#include <string>
#include <vector>

namespace twinrun::harness {

/// Groups of neighbouring steps that a curve is cut into at most.
inline constexpr std::int64_t kCurveBuckets = 500;

/// The loss of two runs at a step.
struct LossSample {
  std::int64_t step = 0;
  float a = 0, b = 0;
  bool same_bits = true;
  std::optional<std::uint64_t> ulps;  ///< distance; none unless both are finite
};

/// One curve within a bucket: its extremes among the finite values, each at its step.
struct LossRange {
  bool any = false;  ///< a finite value
  float low = 0, high = 0;
  std::int64_t low_step = 0, high_step = 0;
};

struct LossBucket {
  std::int64_t first_step = 0, last_step = 0;
  LossRange a, b;
  std::int64_t differing = 0;  ///< steps whose bits differ
  std::uint64_t ulps_max = 0;  ///< largest distance of two finite values
};

/// The losses of two runs for the steps that both have, made small: however long, extremes and the
/// first difference stay to be seen.
struct LossCurves {
  std::string a, b;        ///< names of the runs
  std::int64_t steps = 0;  ///< that both have
  std::int64_t differing = 0;
  std::int64_t not_finite = 0;  ///< steps where either is not
  std::uint64_t ulps_max = 0;
  std::optional<std::int64_t> first_differing;  ///< step
  std::vector<LossBucket> buckets;              ///< in order, at most kCurveBuckets
  /// A few single steps: the first, the last, and those around the first difference.
  std::vector<LossSample> samples;
};

/// Reads the losses of steps 1 .. `steps` from two steps.jsonl, of which as many are known to be
/// good. Throws std::runtime_error if a file cannot be read or holds something else by now.
LossCurves read_curves(const std::filesystem::path& a, const std::filesystem::path& b,
                       std::int64_t steps);

/// What the curves show, in a sentence or two.
std::string curves_sentence(const LossCurves& curves);

/// Nine digits, which tell neighbours apart; `nan`, `inf`, `-inf`.
std::string loss_text(float loss);

}  // namespace twinrun::harness
