#pragma once

#include <filesystem>
#include <nlohmann/json.hpp>
#include <string>
#include <vector>

#include "harness/cli/judge.h"
#include "harness/report/evidence.h"
#include "harness/report/verdict_file.h"
#include "tests/harness/calibrate/noisy_runs.h"

namespace twinrun::test {

/// The folder that `verify` leaves of runs that promise no bits: runs a and b of eight steps, their
/// short runs of one restored window, a control, the calibration and the verdict of the real judge.
/// A test alters the runs before write(), or the files behind it.
struct NoisyFolder {
  TempFolder folder;
  harness::StatisticsSettings settings = few_runs();
  SyntheticRun a = noisy_run("a"), b = noisy_run("b"), control = noisy_run("control", 0.05);
  SyntheticRun a_short = noisy_run("a-short"), b_short = noisy_run("b-short");
  bool calibrated = true;

  static constexpr const char* kWindow = "restored-6";

  NoisyFolder() {
    settings.restore_at = {0.75};
    for (SyntheticRun* run : {&a_short, &b_short}) {
      run->manifest["resumed"] = {{{"step", 6}, {"at", "2026-03-01T12:00:30Z"}}};
    }
    auto& identity = control.config.identity;
    identity["seed"] = 43;
    identity["seeds"] = {{"lora_init", 43}, {"dropout", 2}, {"shuffle", 3}};
    control.manifest["seeds"] = identity["seeds"];
    control.record.zero.adapter = protocol::sha256("other adapter");
    for (auto& step : control.record.steps) {
      step.grad = protocol::sha256("other grad" + std::to_string(step.step));
    }
  }

  std::filesystem::path path(const std::string& name = "verdict.json") const {
    return folder.path() / name;
  }
  /// The copy of the calibration that the verdict was given by; write() makes it.
  std::filesystem::path calibration() const {
    return harness::calibration_file(path("calibration"), fingerprint_);
  }

  /// Writes runs, calibration and verdict; returns the verdict's object.
  nlohmann::json write() {
    for (SyntheticRun* run : {&a, &b, &control, &a_short, &b_short}) declare(*run);
    a.write(path("a"));
    b.write(path("b"));
    control.write(path("controls/seed-plus-one"));
    a_short.write(path("windows/a-restored-6"));
    b_short.write(path("windows/b-restored-6"));
    const harness::Calibration made = calibrate();
    fingerprint_ = harness::fingerprint(made.key);
    std::filesystem::create_directories(path("calibration"));
    if (calibrated) write_file(calibration(), harness::calibration_text(made));
    return judge();
  }
  void write_verdict(const nlohmann::json& value) const {
    write_file(path(), harness::json_text(value));
  }

  harness::VerdictFile verdict() const { return harness::read_verdict(path()); }
  harness::Evidence evidence() const { return harness::read_evidence(verdict()); }

 private:
  void declare(SyntheticRun& run) const {
    run.config.launch["name"] = "noisy";
    run.config.judgement["statistics"] = harness::to_json(settings);
  }

  harness::Calibration calibrate() const {
    const TempFolder work;
    std::filesystem::create_directories(work.path() / "store");
    harness::RunStore store(work.path() / "store", {{"of", "noisy"}});
    const auto windows = harness::windows_of(settings, 8);
    for (std::int64_t i = 0; i < settings.envelope_runs + settings.calibration_runs; ++i) {
      const auto dir = work.path() / ("run" + std::to_string(i));
      SyntheticRun run = noisy_run("calibrate-" + std::to_string(i));
      declare(run);
      run.write(dir);
      for (const auto& window : windows) {
        store.add({i, window.name, harness::read_window(dir / "steps.jsonl", window)});
      }
    }
    auto made = harness::make_calibration(store, settings, windows, {"", std::string(64, 'c')});
    made.key = harness::comparability_key(harness::read_run(work.path() / "run0"));
    made.made_by = nlohmann::json::object();
    made.ended = "2026-01-02T03:04:05Z";
    made.accepted = {
        {"who", "Ada"}, {"when", "2026-01-03T03:04:05Z"}, {"why", "scatter as measured before"}};
    return made;
  }

  nlohmann::json judge() const {
    harness::JudgeInput input;
    input.base = input.statistics = folder.path();
    input.controls_seed = 7;
    input.runs = {{"a", harness::read_run(path("a")), {}, ""},
                  {"b", harness::read_run(path("b")), {}, ""}};
    input.control = harness::JudgedRun{
        "seed-plus-one", harness::read_run(path("controls/seed-plus-one")), {}, ""};
    harness::VerdictReport report = harness::judge(input);
    report.started = "2026-03-01T12:00:00Z";
    report.ended = "2026-03-01T12:01:00Z";
    const nlohmann::json value = harness::to_json(report);
    write_verdict(value);
    return value;
  }

  std::string fingerprint_;
};

}  // namespace twinrun::test
