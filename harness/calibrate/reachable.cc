#include "harness/calibrate/reachable.h"

#include <algorithm>
#include <cmath>

#include "harness/stats/equivalence.h"

namespace twinrun::harness {

std::optional<double> reachable_final_loss(const Calibration& calibration) {
  std::vector<double> widths = calibration.windows.back().loss.width;
  const auto middle = widths.begin() + static_cast<std::ptrdiff_t>(widths.size() / 2);
  std::nth_element(widths.begin(), middle, widths.end());
  // Both runs scatter, so their difference does by the square root of two more.
  return reachable_margin(std::sqrt(2.0) * *middle, calibration.settings.final_window_steps,
                          {.alpha = calibration.settings.equivalence_alpha, .power = 0.8});
}

}  // namespace twinrun::harness
