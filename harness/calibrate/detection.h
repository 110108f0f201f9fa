#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "harness/calibrate/calibration_file.h"

namespace twinrun::harness {

/// What would have been seen: how far a run that lies on the centre of the envelope everywhere else
/// has to be off in one channel of one window to have p <= alpha. In the unit of the channel (loss:
/// nats a token). More than that is seen; less is not, unless the run scatters besides, as runs do.
/// None is smaller than from the centre to the next float32: less is not recorded.
struct Detection {
  std::string window, channel;
  double centre_mean = 0;    ///< over the steps of the window, what a change is relative to
  double shift = 0;          ///< of all steps of the window by the same amount
  double jump_least = 0;     ///< of a single step, the one that scatters least
  double jump_median = 0;    ///< of a single step, the median over the steps
  std::int64_t jump_at = 0;  ///< step of jump_least

  /// `change` as a share of centre_mean; nullopt where that is 0.
  std::optional<double> relative(double change) const;
};

/// Of every window and channel of `windows`, by the score above which p <= alpha (conformal_limit).
/// The score of a run grows in proportion to how far it is off, so that this is a quotient, and
/// nothing is simulated.
std::vector<Detection> what_is_seen(const std::vector<CalibratedWindow>& windows, double limit);

/// The one in which the smallest relative shift is seen; null if there is none.
const Detection* most_sensitive(const std::vector<Detection>& list);

}  // namespace twinrun::harness
