#include "harness/stats/interval.h"

#include <cmath>
#include <cstddef>
#include <stdexcept>
#include <string>

namespace twinrun::harness {

void require_inside_0_1(double value, const char* name) {
  if (!(value > 0 && value < 1)) {
    throw std::invalid_argument(std::string(name) + " is not inside (0, 1)");
  }
}

void require_finite(std::span<const double> values, const char* name) {
  for (std::size_t i = 0; i < values.size(); ++i) {
    if (!std::isfinite(values[i])) {
      throw std::invalid_argument(std::string(name) + " " + std::to_string(i) + " is not finite");
    }
  }
}

}  // namespace twinrun::harness
