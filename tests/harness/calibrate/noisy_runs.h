#pragma once

#include <cmath>
#include <cstdint>
#include <filesystem>
#include <string>
#include <vector>

#include "harness/calibrate/calibrate.h"
#include "harness/compare/compare.h"
#include "harness/protocol/run_config.h"
#include "harness/protocol/sha256.h"
#include "tests/harness/synthetic_run.h"

namespace twinrun::test {

/// Few runs, one short window; all steps count as the last.
inline harness::StatisticsSettings few_runs() {
  harness::StatisticsSettings settings;
  settings.alpha = 0.1;
  settings.envelope_runs = 6;
  settings.calibration_runs = 9;
  settings.window_steps = 5;
  settings.restore_at = {};
  settings.final_window_steps = 8;
  settings.margins = {{harness::kFinalLoss, harness::kFinalLossMargin}};
  return settings;
}

/// A number in [-1, 1] that hangs on `name` alone.
inline double noise(const std::string& name) {
  const double share = static_cast<double>(protocol::derive_seed(name, 0)) / 9007199254740992.0;
  return 2 * share - 1;
}

/// A run of eight steps without promise, whose loss and norm scatter by `scale`, relatively.
inline SyntheticRun noisy_run(const std::string& name, double scale = 1e-5) {
  SyntheticRun run(8, "run-" + name);
  run.record.header.promise = protocol::Promise::kNone;
  run.config.judgement["statistics"] = harness::to_json(few_runs());
  for (auto& step : run.record.steps) {
    const std::string at = name + "/" + std::to_string(step.step);
    step.loss *= static_cast<float>(1 + scale * noise("loss " + at));
    step.grad_norm *= static_cast<float>(1 + scale * noise("norm " + at));
  }
  return run;
}

/// The calibration of noisy runs; `folder` is for its work.
inline harness::Calibration noisy_calibration(const std::filesystem::path& folder) {
  const auto settings = few_runs();
  const auto windows = harness::windows_of(settings, 8);
  std::filesystem::create_directories(folder / "work");
  harness::RunStore store(folder / "work", {{"of", "noisy"}});
  for (std::int64_t i = 0; i < settings.envelope_runs + settings.calibration_runs; ++i) {
    const auto dir = folder / ("run" + std::to_string(i));
    noisy_run("calibrate-" + std::to_string(i)).write(dir);
    store.add({i, "start", harness::read_window(dir / "steps.jsonl", windows[0])});
  }
  auto calibration = harness::make_calibration(store, settings, windows, {""});
  calibration.key = harness::comparability_key(harness::read_run(folder / "run0"));
  calibration.made_by = nlohmann::json::object();
  calibration.ended = "2026-01-02T03:04:05Z";
  return calibration;
}

}  // namespace twinrun::test
