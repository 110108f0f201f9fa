#pragma once

#include <filesystem>
#include <nlohmann/json.hpp>
#include <string>

#include "harness/cli/judge.h"
#include "harness/report/evidence.h"
#include "harness/report/verdict_file.h"
#include "tests/harness/synthetic_run.h"

namespace twinrun::test {

/// The folder that `verify` leaves: made-up runs a and b, a control, and the verdict of the real
/// judge. A test alters the runs before write(), or the files behind it.
struct JudgedFolder {
  TempFolder folder;
  SyntheticRun a, b, control;
  std::string case_name = "toy";

  explicit JudgedFolder(std::int64_t steps = 10)
      : a(steps, "run-a"), b(steps, "run-b"), control(steps, "run-c") {
    auto& identity = control.config.identity;
    identity["seed"] = 43;
    identity["seeds"] = {{"lora_init", 43}, {"dropout", 2}, {"shuffle", 3}};
    control.manifest["seeds"] = identity["seeds"];
    control.record.zero.adapter = protocol::sha256("other adapter");
    for (auto& step : control.record.steps) {
      step.grad = protocol::sha256("other grad" + std::to_string(step.step));
      step.loss *= 2;
    }
  }

  std::filesystem::path path(const std::string& name = "verdict.json") const {
    return folder.path() / name;
  }

  /// Writes runs and verdict; returns the verdict's object.
  nlohmann::json write() {
    for (SyntheticRun* run : {&a, &b, &control}) run->config.launch["name"] = case_name;
    a.write(path("a"));
    b.write(path("b"));
    control.write(path("controls/seed-plus-one"));
    harness::JudgeInput input;
    input.base = folder.path();
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
  void write_verdict(const nlohmann::json& value) const {
    write_file(path(), harness::json_text(value));
  }

  harness::VerdictFile verdict() const { return harness::read_verdict(path()); }
  harness::Evidence evidence() const { return harness::read_evidence(verdict()); }
};

}  // namespace twinrun::test
