#include "harness/calibrate/calibrate.h"

#include <algorithm>
#include <cmath>
#include <span>

namespace twinrun::harness {
namespace {

using Channel = std::vector<float> WindowCurves::*;

std::string step_of(const StepWindow& window, std::size_t index) {
  return "step " + std::to_string(window.first + static_cast<std::int64_t>(index));
}

std::string run_problem(const CalibrationRun& run, const CalibrationRun& first,
                        const StepWindow& window) {
  const std::string who = "run " + std::to_string(run.run) + ", window " + window.name + ": ";
  const WindowCurves& curves = run.curves;
  const auto steps = static_cast<std::size_t>(window.length());
  if (curves.loss.size() != steps || curves.grad_norm.size() != steps ||
      curves.discrete.size() != steps + 1) {
    return who + "has other steps than the window";
  }
  for (std::size_t i = 0; i <= steps; ++i) {
    if (curves.discrete[i] == first.curves.discrete[i]) continue;
    return who +
           (i == 0 ? "the state before training"
                   : "the batch, learning rate or random state of " + step_of(window, i - 1)) +
           " is another than in run 0: that is no rounding";
  }
  for (std::size_t i = 0; i < steps; ++i) {
    if (std::isfinite(curves.loss[i]) && std::isfinite(curves.grad_norm[i])) continue;
    return who + step_of(window, i) + " has a loss or gradient norm that is not finite";
  }
  return {};
}

/// The K1 curves of a channel in a window.
ChannelEnvelope envelope_of(const RunStore& store, const StepWindow& window, Channel channel,
                            std::int64_t runs) {
  std::vector<std::vector<float>> curves;
  for (std::int64_t run = 0; run < runs; ++run) {
    curves.push_back(store.find(run, window.name)->curves.*channel);
  }
  return make_envelope(curves);
}

CalibratedWindow calibrate_window(const RunStore& store, const StepWindow& window,
                                  const std::string& checkpoint, std::int64_t runs) {
  return {window, checkpoint, store.find(0, window.name)->curves.discrete,
          envelope_of(store, window, &WindowCurves::loss, runs),
          envelope_of(store, window, &WindowCurves::grad_norm, runs)};
}

}  // namespace

std::string calibration_problem(const RunStore& store, const StatisticsSettings& settings,
                                const std::vector<StepWindow>& windows) {
  for (std::int64_t run = 0; run < settings.envelope_runs + settings.calibration_runs; ++run) {
    for (const StepWindow& window : windows) {
      const CalibrationRun* found = store.find(run, window.name);
      if (found == nullptr) {
        return "run " + std::to_string(run) + ", window " + window.name + ": is missing";
      }
      std::string problem = run_problem(*found, *store.find(0, window.name), window);
      if (!problem.empty()) return problem;
    }
  }
  return {};
}

Calibration make_calibration(const RunStore& store, const StatisticsSettings& settings,
                             const std::vector<StepWindow>& windows,
                             const std::vector<std::string>& checkpoints) {
  Calibration calibration;
  calibration.settings = settings;
  for (std::size_t i = 0; i < windows.size(); ++i) {
    calibration.windows.push_back(
        calibrate_window(store, windows[i], checkpoints.at(i), settings.envelope_runs));
  }
  for (std::int64_t run = 0; run < settings.envelope_runs + settings.calibration_runs; ++run) {
    std::vector<WindowCurves> curves;
    for (const StepWindow& window : windows) {
      curves.push_back(store.find(run, window.name)->curves);
      calibration.chains.push_back(curves.back().chain);
    }
    if (run < settings.envelope_runs) continue;
    calibration.scores.push_back(score_run(calibration.windows, curves).score);
  }
  std::sort(calibration.scores.begin(), calibration.scores.end());
  return calibration;
}

WindowScore score_run(const std::vector<CalibratedWindow>& windows,
                      const std::vector<WindowCurves>& curves) {
  WindowScore worst;
  for (std::size_t i = 0; i < windows.size(); ++i) {
    const StepWindow& window = windows[i].window;
    for (const auto& [channel, envelope, values] :
         {std::tuple{"loss", &windows[i].loss, &curves.at(i).loss},
          std::tuple{"grad_norm", &windows[i].grad_norm, &curves.at(i).grad_norm}}) {
      const ChannelScore found = score_channel(*envelope, *values);
      if (!(found.score > worst.score)) continue;
      worst = {found.score, window.name, channel, found.part,
               window.first + static_cast<std::int64_t>(found.index)};
    }
  }
  return worst;
}

}  // namespace twinrun::harness
