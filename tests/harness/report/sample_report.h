#pragma once

#include <string>

#include "harness/report/verdict_json.h"

namespace twinrun::harness {

inline RunReport sample_run(const std::string& name) {
  RunReport run;
  run.name = name;
  run.dir = name;
  run.run_id = std::string(32, '0') + name;
  run.status = "complete";
  run.head = std::string(64, 'c');
  run.steps = 10;
  run.verdict = Verdict::kReproduced;
  run.reason = "complete";
  run.seconds = 31.25;
  run.max_rss_bytes = 1536 << 20;
  run.outcome = "exited with 0";
  return run;
}

/// Two runs that reproduce, every control passed.
inline VerdictReport reproduced_report() {
  VerdictReport report;
  report.verdict = Verdict::kReproduced;
  report.case_name = "smollm2-chat";
  report.identity = std::string(64, '1');
  report.runs = {sample_run("a"), sample_run("b")};
  report.control_runs = {sample_run("seed-plus-one")};
  ComparisonReport pair{"a", "b", {}};
  pair.comparison.verdict = Verdict::kReproduced;
  pair.comparison.reason = "bitwise";
  pair.comparison.steps_compared = 10;
  pair.comparison.comparisons = 118;
  report.comparisons = {pair};
  for (const char* name : {"planted-ulp", "seed-plus-one", "adapter-moved", "base-unmoved"}) {
    report.controls.push_back({name, true, true, "as it should be", nlohmann::json::object()});
  }
  report.checks = {{"twin", Verdict::kReproduced, "bitwise", "runs a and b are equal in every bit"},
                   {"controls", Verdict::kReproduced, "passed", "every control passed"},
                   {"baseline", Verdict::kNotRun, "not_asked", "not asked for"},
                   {"inference", Verdict::kNotRun, "not_asked", "no inference: in the case"},
                   {"bench", Verdict::kNotRun, "not_asked", "not asked for"}};
  report.controls_seed = 77;
  report.tensors_covered = 840;
  report.judgement = {{"schema", 1}};
  report.started = report.ended = "2026-03-01T12:00:00Z";
  return report;
}

/// b differs from a at step 5 in the loss and more.
inline VerdictReport diverged_report() {
  VerdictReport report = reproduced_report();
  report.verdict = Verdict::kNotReproduced;
  report.checks[0] = {"twin", Verdict::kNotReproduced, "bits_differ",
                      "runs a and b: step 5 differs in loss"};
  Comparison& comparison = report.comparisons[0].comparison;
  comparison.verdict = Verdict::kNotReproduced;
  comparison.reason = "bits_differ";
  Divergence first;
  first.step = 5;
  first.field = "loss";
  first.bits_a = "40a8a3ea";
  first.bits_b = "40a8a3eb";
  first.value_a = 5.27000904;
  first.value_b = 5.27000952;
  first.ulps = 1;
  first.other_fields = {"grad_norm", "grad", "adapter", "optimizer"};
  first.tensors = {"base_model.model.model.layers.0.self_attn.q_proj.lora_A.weight",
                   "base_model.model.model.layers.0.self_attn.q_proj.lora_B.weight"};
  first.tensors_differing = 420;
  first.tensors_compared = 840;
  comparison.first = first;
  comparison.suspects = {{"/cpu/model", "Xeon", "EPYC"}};
  return report;
}

/// The first run held against a curve from whose step 4 on its loss differs.
inline VerdictReport drifted_report() {
  VerdictReport report = reproduced_report();
  report.verdict = Verdict::kNotReproduced;
  BaselineReport& baseline = report.baseline;
  baseline.check = {"baseline", Verdict::kNotReproduced, "baseline_differs",
                    "run a and the baseline first differ at step 4, in loss by 1 ULP"};
  report.checks[2] = baseline.check;
  baseline.file = "curves/0123456789abcdef.jsonl";
  baseline.curve = "../curves/0123456789abcdef.jsonl";
  baseline.fingerprint = "0123456789abcdef";
  baseline.sha256 = std::string(64, 'd');
  baseline.head = std::string(64, 'e');
  baseline.curve_steps = 10;
  baseline.steps_compared = 4;
  baseline.comparisons = 53;
  baseline.first = diverged_report().comparisons[0].comparison.first;
  baseline.first->step = 4;
  baseline.first->tensors.clear();
  baseline.first->tensors_differing = baseline.first->tensors_compared = 0;
  baseline.suspects = {{"/driver", "581", "580"}};
  return report;
}

}  // namespace twinrun::harness
