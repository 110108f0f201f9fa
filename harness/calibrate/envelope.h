#pragma once

#include <cstddef>
#include <string>
#include <vector>

namespace twinrun::harness {

/// Centre and width of a value at each step of a window.
struct ChannelEnvelope {
  std::vector<double> centre, width;
};

/// Of curves of equal length: the median of each step, and the standard deviation (of a sample),
/// at least half the distance from the centre to the next float32, since that much is rounding.
/// REQUIRES: at least two curves, all values finite.
ChannelEnvelope make_envelope(const std::vector<std::vector<float>>& curves);

/// Of any order; of an even number of values the mean of the two in the middle. REQUIRES: a value.
double median(std::vector<double> values);

/// Half the distance from `centre` to the next float32.
double half_ulp(double centre);

/// Widths from the centre at which a single step gives a score of 1.
inline constexpr double kPeakWidths = 3.5;

/// How far a curve lies from the centre, in widths z of each step: the largest of
///   peak    max |z| / kPeakWidths
///   spread  sqrt(mean of z^2) / 1.3
///   drift   |mean of z| sqrt(steps) / 3
/// since one finds a jump and the others a small shift of many steps. The divisors only bring the
/// three to like size: what a score means, the calibration says.
struct ChannelScore {
  double score = 0;
  std::string part;       ///< peak, spread, drift; non-finite, with a score of +infinity
  std::size_t index = 0;  ///< of the largest |z|, or of what is not finite
};
/// Of distances z, a step each; twice as far out is twice the score.
ChannelScore score_distances(const std::vector<double>& distances);
/// REQUIRES: as many values as the envelope has steps.
ChannelScore score_channel(const ChannelEnvelope& envelope, const std::vector<float>& values);

}  // namespace twinrun::harness
