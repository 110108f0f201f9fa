#include "harness/calibrate/envelope.h"

#include <algorithm>
#include <cmath>
#include <limits>

namespace twinrun::harness {
namespace {

constexpr double kInfinity = std::numeric_limits<double>::infinity();

double standard_deviation(const std::vector<double>& values) {
  const auto n = static_cast<double>(values.size());
  double mean = 0, squares = 0;
  for (const double value : values) mean += value / n;
  for (const double value : values) squares += (value - mean) * (value - mean);
  return std::sqrt(squares / (n - 1));
}

}  // namespace

double median(std::vector<double> values) {
  std::sort(values.begin(), values.end());
  const std::size_t n = values.size();
  return (values[(n - 1) / 2] + values[n / 2]) / 2;
}

double half_ulp(double centre) {
  const float value = std::abs(static_cast<float>(centre));
  const float next = std::nextafter(value, std::numeric_limits<float>::infinity());
  return (static_cast<double>(next) - static_cast<double>(value)) / 2;
}

ChannelEnvelope make_envelope(const std::vector<std::vector<float>>& curves) {
  ChannelEnvelope envelope;
  for (std::size_t step = 0; step < curves.front().size(); ++step) {
    std::vector<double> values;
    for (const auto& curve : curves) values.push_back(curve.at(step));
    envelope.centre.push_back(median(values));
    envelope.width.push_back(
        std::max(standard_deviation(values), half_ulp(envelope.centre.back())));
  }
  return envelope;
}

ChannelScore score_distances(const std::vector<double>& distances) {
  double largest = 0, squares = 0, sum = 0;
  std::size_t at = 0;
  for (std::size_t i = 0; i < distances.size(); ++i) {
    const double z = distances[i];
    if (!std::isfinite(z)) return {kInfinity, "non-finite", i};
    if (std::abs(z) > largest) {
      largest = std::abs(z);
      at = i;
    }
    squares += z * z;
    sum += z;
  }
  const auto n = static_cast<double>(distances.size());
  ChannelScore found{largest / kPeakWidths, "peak", at};
  if (const double spread = std::sqrt(squares / n) / 1.3; spread > found.score) {
    found = {spread, "spread", at};
  }
  if (const double drift = std::abs(sum) / std::sqrt(n) / 3; drift > found.score) {
    found = {drift, "drift", at};
  }
  return found;
}

ChannelScore score_channel(const ChannelEnvelope& envelope, const std::vector<float>& values) {
  std::vector<double> distances;
  for (std::size_t i = 0; i < values.size(); ++i) {
    distances.push_back((values[i] - envelope.centre.at(i)) / envelope.width.at(i));
  }
  return score_distances(distances);
}

}  // namespace twinrun::harness
