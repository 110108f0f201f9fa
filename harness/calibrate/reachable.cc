#include "harness/calibrate/reachable.h"

#include <cmath>

#include "harness/stats/equivalence.h"

namespace twinrun::harness {

std::optional<double> reachable_final_loss(const Calibration& calibration) {
  const double width = median(calibration.windows.back().loss.width);
  // Both runs scatter, so their difference does by the square root of two more.
  return reachable_margin(std::sqrt(2.0) * width, calibration.settings.final_window_steps,
                          {.alpha = calibration.settings.equivalence_alpha, .power = 0.8});
}

}  // namespace twinrun::harness
