#pragma once

#include <optional>

#include "harness/calibrate/calibration_file.h"

namespace twinrun::harness {

/// The smallest margin of final_loss_nats that two runs which scatter as the calibrated ones do in
/// their last window can show at the declared level with a power of 0.8, if there is no difference
/// and steps scatter independently: at best. Runs that drift apart over all of the training, whose
/// last steps hang together, need more. nullopt if the final window is too short for any.
std::optional<double> reachable_final_loss(const Calibration& calibration);

}  // namespace twinrun::harness
