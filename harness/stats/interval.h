#pragma once

#include <span>

namespace twinrun::harness {

/// An estimate, and the values of what is estimated that a procedure does not reject.
struct Interval {
  double estimate = 0;
  double low = 0, high = 0;

  bool operator==(const Interval&) const = default;
};

/// Throws std::invalid_argument, naming `name`, unless `value` lies inside (0, 1).
void require_inside_0_1(double value, const char* name);

/// Throws std::invalid_argument, naming `name` and which, unless every value is finite.
void require_finite(std::span<const double> values, const char* name);

}  // namespace twinrun::harness
