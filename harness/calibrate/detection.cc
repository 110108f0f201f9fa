#include "harness/calibrate/detection.h"

#include <algorithm>
#include <cmath>
#include <limits>
#include <utility>

namespace twinrun::harness {
namespace {

constexpr double kInfinity = std::numeric_limits<double>::infinity();

/// The shift of all steps that scores `limit`. Where it is so small that it would be lost in
/// rounding, the one that no step loses.
double shift_of(const ChannelEnvelope& envelope, double limit) {
  std::vector<double> distances;
  double recorded = 0;
  for (std::size_t i = 0; i < envelope.width.size(); ++i) {
    distances.push_back(1 / envelope.width[i]);
    recorded = std::max(recorded, 2 * half_ulp(envelope.centre[i]));
  }
  return std::max(limit / score_distances(distances).score, recorded);
}

/// The jumps, a step each, that score `limit`.
std::vector<double> jumps_of(const ChannelEnvelope& envelope, double limit) {
  std::vector<double> distances(envelope.width.size(), 0);
  distances.front() = 1;
  const double score = score_distances(distances).score;  // the same whichever step it is
  std::vector<double> jumps;
  for (std::size_t i = 0; i < envelope.width.size(); ++i) {
    jumps.push_back(
        std::max(envelope.width[i] * (limit / score), 2 * half_ulp(envelope.centre[i])));
  }
  return jumps;
}

Detection detection_of(const StepWindow& window, const std::string& channel,
                       const ChannelEnvelope& envelope, double limit) {
  Detection found;
  found.window = window.name;
  found.channel = channel;
  const auto steps = static_cast<double>(envelope.centre.size());
  for (const double centre : envelope.centre) found.centre_mean += centre / steps;
  found.shift = shift_of(envelope, limit);
  const std::vector<double> jumps = jumps_of(envelope, limit);
  const auto least = std::min_element(jumps.begin(), jumps.end());
  found.jump_least = *least;
  found.jump_median = median(jumps);
  found.jump_at = window.first + (least - jumps.begin());
  return found;
}

}  // namespace

std::optional<double> Detection::relative(double change) const {
  if (centre_mean == 0) return std::nullopt;
  return change / std::abs(centre_mean);
}

std::vector<Detection> what_is_seen(const std::vector<CalibratedWindow>& windows, double limit) {
  std::vector<Detection> list;
  for (const CalibratedWindow& calibrated : windows) {
    for (const auto& [channel, envelope] :
         {std::pair{"loss", &calibrated.loss}, std::pair{"grad_norm", &calibrated.grad_norm}}) {
      list.push_back(detection_of(calibrated.window, channel, *envelope, limit));
    }
  }
  return list;
}

const Detection* most_sensitive(const std::vector<Detection>& list) {
  const auto least =
      std::min_element(list.begin(), list.end(), [](const Detection& x, const Detection& y) {
        return x.relative(x.shift).value_or(kInfinity) < y.relative(y.shift).value_or(kInfinity);
      });
  return least == list.end() ? nullptr : &*least;
}

}  // namespace twinrun::harness
