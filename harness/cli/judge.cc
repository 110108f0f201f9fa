#include "harness/cli/judge.h"

#include <sys/random.h>

#include <algorithm>
#include <set>
#include <stdexcept>

#include "harness/calibrate/judge_across.h"
#include "harness/cli/statistics_runs.h"
#include "harness/protocol/canonical_json.h"
#include "harness/report/text.h"

namespace twinrun::harness {
namespace {

namespace fs = std::filesystem;
using nlohmann::json;

std::string text_of(const json& object, const std::string& field) {
  if (!object.is_object() || !object.contains(field)) return {};
  const json& value = object.at(field);
  return value.is_string() ? value.get<std::string>() : std::string();
}

std::vector<RunView> views(const std::vector<JudgedRun>& runs) {
  std::vector<RunView> list;
  for (const JudgedRun& run : runs) list.push_back(run.view);
  return list;
}

/// Places in `runs` of those that the same experiment made on different kinds of machine.
std::vector<std::pair<std::size_t, std::size_t>> across_pairs(const std::vector<JudgedRun>& runs) {
  std::vector<const RunView*> views;
  for (const JudgedRun& run : runs) views.push_back(&run.view);
  return pairs_across(views);
}

std::vector<ComparisonReport> compare_pairs(const JudgeInput& input) {
  const std::vector<JudgedRun>& runs = input.runs;
  std::vector<ComparisonReport> pairs;
  if (input.across) {
    for (const auto& [i, j] : across_pairs(runs)) {
      pairs.push_back({runs[i].name, runs[j].name,
                       compare_runs(runs[i].view, runs[j].view, Machines::kAcross)});
    }
    return pairs;
  }
  for (std::size_t i = 0; i < runs.size(); ++i) {
    for (std::size_t j = i + 1; j < runs.size(); ++j) {
      pairs.push_back({runs[i].name, runs[j].name, compare_runs(runs[i].view, runs[j].view)});
    }
  }
  return pairs;
}

/// What stands if no run and no pair is any worse.
Check twins_equal(const std::vector<JudgedRun>& runs, bool across) {
  std::vector<std::string> names;
  for (const JudgedRun& run : runs) names.push_back(run.name);
  const std::string who = "runs " + list_words(names);
  if (across) {
    return {"twin", Verdict::kReproduced, "discrete_equal",
            who + " have the same batches and learning rates wherever seeds are the same"};
  }
  if (promises_bits(runs)) {
    return {"twin", Verdict::kReproduced, "bitwise", who + " are equal in every bit"};
  }
  return {"twin", Verdict::kReproduced, "discrete_equal",
          who + " have the same batches, learning rates, random states and switches"};
}

std::string pair_message(const ComparisonReport& pair) {
  const std::string names = "runs " + pair.a + " and " + pair.b;
  const auto& first = pair.comparison.first;
  if (!first) return names + ": " + pair.comparison.message;
  return names + " first differ at step " + std::to_string(first->step) + ", in " + first->field;
}

std::string run_message(const JudgedRun& run) {
  const bool clean = !run.launch || (run.launch->outcome == LaunchResult::Outcome::kExited &&
                                     run.launch->exit_code == 0);
  return "run " + run.name + (clean ? "" : " (" + run.outcome + ")") + ": " + run.view.problem;
}

/// The worst of the runs and of their pairs; of equally bad ones a run by itself is named first.
Check twin_check(const JudgeInput& input, const std::vector<ComparisonReport>& pairs) {
  const std::vector<JudgedRun>& runs = input.runs;
  Check check = twins_equal(runs, input.across);
  if (runs.size() < 2) {
    check = {"twin", Verdict::kInvalid, "too_few_runs",
             "twins take two runs at least, here are " + std::to_string(runs.size())};
  }
  for (const JudgedRun& run : runs) {
    if (run.view.verdict >= check.verdict) continue;
    check = {"twin", run.view.verdict, run.view.reason, run_message(run)};
  }
  for (const ComparisonReport& pair : pairs) {
    if (pair.comparison.verdict >= check.verdict) continue;
    check = {"twin", pair.comparison.verdict, pair.comparison.reason, pair_message(pair)};
  }
  return check;
}

/// Runs by their names instead of their folders, which a verdict should not hang on.
void name_runs(const std::vector<JudgedRun>& runs, ControlOutcome& control) {
  for (const JudgedRun& run : runs) {
    const std::string dir = run.view.dir.string();
    if (control.message.rfind(dir + ":", 0) == 0) {
      control.message.replace(0, dir.size(), "run " + run.name);
    }
    if (!control.details.contains(dir)) continue;
    control.details[run.name] = control.details.at(dir);
    if (run.name != dir) control.details.erase(dir);
  }
}

std::vector<ControlOutcome> run_controls(const JudgeInput& input, const InferenceReport& inference,
                                         const StatisticsReport& statistics) {
  ControlOutcome seed{"seed-plus-one", false, false, input.control_missing, json::object()};
  if (!all_intact(input.runs)) {
    const std::string why = "a run is not intact";
    return {{"planted-ulp", false, false, why, json::object()},
            {"seed-plus-one", false, false, why, json::object()},
            {"adapter-moved", false, false, why, json::object()},
            {"base-unmoved", false, false, why, json::object()}};
  }
  const std::vector<RunView> runs = views(input.runs);
  if (input.control && !input.without_controls) {
    seed = control_seed_plus_one(runs.front(), input.control->view);
  }
  std::vector<ControlOutcome> controls = {control_planted_ulp(runs.front(), input.controls_seed),
                                          seed, control_adapter_moved(runs),
                                          control_base_unmoved(runs)};
  for (ControlOutcome& control : controls) name_runs(input.runs, control);
  if (inference.control) controls.push_back(*inference.control);
  if (statistics.control) controls.push_back(*statistics.control);
  return controls;
}

Check controls_check(const JudgeInput& input, const std::vector<ControlOutcome>& controls) {
  Check check{"controls", Verdict::kReproduced, "passed", "every control passed"};
  if (!all_intact(input.runs)) {
    return {"controls", Verdict::kNotRun, "run_failed", "a run is not intact"};
  }
  const bool broken = input.control && !input.without_controls &&
                      input.control->view.verdict == Verdict::kEvidenceInvalid;
  for (const ControlOutcome& control : controls) {
    if (!control.ran || control.passed) continue;
    return {"controls", broken ? Verdict::kEvidenceInvalid : Verdict::kInvalid, "control_failed",
            "control " + control.name + " failed: " + control.message};
  }
  for (const ControlOutcome& control : controls) {
    if (control.ran) continue;
    const bool needs_a_run = control.name == "seed-plus-one" || control.name == kNoopAdapter ||
                             control.name == kEnvelopeSeesSeed;
    if (input.without_controls && needs_a_run) {
      check = {"controls", Verdict::kNotRun, "without_controls",
               "controls that need a run of their own waived by --without-controls"};
      continue;
    }
    return {"controls", Verdict::kInconclusive, "controls_not_run",
            "control " + control.name + " did not run: " + control.message};
  }
  return check;
}

/// Tensors named in tensors.jsonl for the first step and the state before it.
std::int64_t tensors_covered(const fs::path& run_dir) {
  std::set<std::string> names;
  try {
    protocol::LineReader reader(run_dir / "tensors.jsonl");
    while (const auto line = reader.next()) {
      const json entry = json::parse(*line);
      if (entry.at("step").get<std::int64_t>() > 1) break;
      const std::string group = entry.at("group").get<std::string>();
      for (const json& tensor : entry.at("tensors")) {
        names.insert(group + " " + tensor.at(0).get<std::string>());
      }
    }
  } catch (const std::exception&) {
    // For people only: a run need not write tensors.jsonl, and no verdict rests on it.
    return 0;
  }
  return static_cast<std::int64_t>(names.size());
}

void describe_experiment(const JudgeInput& input, VerdictReport& report) {
  for (const JudgedRun& run : input.runs) {
    if (!run.view.config) continue;
    report.identity = protocol::to_hex(run.view.config->identity_digest());
    report.judgement = run.view.config->judgement;
    report.case_name = text_of(run.view.config->launch, "name");
    break;
  }
  for (const JudgedRun& run : input.runs) {
    if (run.view.verdict != Verdict::kReproduced) continue;
    report.key = comparability_key(run.view);
    report.fingerprint = fingerprint(report.key);
    report.tensors_covered = tensors_covered(run.view.dir);
    break;
  }
}

std::vector<std::string> injections_of(const RunView& view) {
  std::vector<std::string> faults;
  if (!view.config || !view.config->launch.contains("inject")) return faults;
  for (const json& fault : view.config->launch.at("inject")) {
    if (fault.is_string()) faults.push_back(fault.get<std::string>());
  }
  return faults;
}

void state_runs(const JudgeInput& input, VerdictReport& report) {
  for (const JudgedRun& run : input.runs) {
    report.runs.push_back(run_report(run, input.base));
    report.runs.back().injected = injections_of(run.view);
  }
  if (!input.control || input.without_controls) return;
  report.control_runs.push_back(run_report(*input.control, input.base));
  report.control_runs.back().injected = injections_of(input.control->view);
}

InferenceReport judge_outputs(const JudgeInput& input) {
  InferenceReport report;
  if (!input.inference) return report;
  if (!all_intact(input.runs)) {
    report.check.reason = "run_failed";
    report.check.message = "a run is not intact";
    return report;
  }
  if (input.inference->runs.empty()) {
    report.check = {"inference", Verdict::kInvalid, "outputs_missing", "there are no outputs"};
    return report;
  }
  InferenceInput outputs = *input.inference;
  for (std::size_t i = 0; i < outputs.runs.size(); ++i) outputs.runs[i].run = &input.runs[i].view;
  if (outputs.control) outputs.control->run = &input.runs.front().view;
  return judge_inference(outputs);
}

BaselineReport judge_baseline(const JudgeInput& input) {
  if (!input.baseline || input.runs.empty()) return {};
  BaselineReport report = check_baseline(input.runs.front().view, *input.baseline);
  if (!report.file.empty()) {
    // Of the folder, since the curve may be a link, and one that leads nowhere.
    const fs::path folder = report.file.parent_path();
    report.curve =
        (input.base.empty() ? folder : fs::relative(folder, input.base)) / report.file.filename();
  }
  return report;
}

bool demands_bits(const JudgeInput& input) { return !input.across && promises_bits(input.runs); }

/// Of runs that all are whole; otherwise the check `twin` says why not.
EvaluationReport judge_rows(const JudgeInput& input) {
  EvaluationReport report;
  std::vector<EvaluatedRun> runs;
  for (const JudgedRun& run : input.runs) runs.push_back({run.name, &run.view});
  if (all_intact(input.runs)) return judge_evaluation(runs, demands_bits(input));
  if (std::any_of(input.runs.begin(), input.runs.end(),
                  [](const JudgedRun& run) { return has_evaluation(run.view); })) {
    report.check.reason = "run_failed";
    report.check.message = "a run is not intact";
  }
  return report;
}

/// Of runs that promise no bits; where one is not whole the check `twin` says so.
StatisticsReport judge_without_bits(const JudgeInput& input, const EvaluationReport& evaluation) {
  StatisticsReport report;
  if (!all_intact(input.runs)) {
    report.calibration.reason = report.equivalence.reason = "run_failed";
    report.calibration.message = report.equivalence.message = "a run is not intact";
    return report;
  }
  // Another seed that reached nothing shows nothing of the envelope, either.
  const bool with_control = input.control && !input.without_controls &&
                            control_seed_plus_one(input.runs.front().view, input.control->view).ran;
  StatisticsInput statistics =
      statistics_input(input.statistics, input.runs, with_control ? &input.control->view : nullptr);
  // Rows are held against each other only if the check `evaluation` found them the same rows.
  if (evaluation.check.verdict == Verdict::kReproduced) {
    for (std::size_t i = 0; i < statistics.candidates.size(); ++i) {
      statistics.candidates[i].evaluation = &*evaluation.files.at(i);
    }
  }
  if (input.across) return judge_across(statistics, across_pairs(input.runs));
  return judge_statistics(statistics);
}

}  // namespace

std::string manifest_text(const RunView& view, const std::string& field) {
  return text_of(view.manifest, field);
}

bool promises_bits(const std::vector<JudgedRun>& runs) {
  return std::all_of(runs.begin(), runs.end(), [](const JudgedRun& run) {
    const auto& header = run.view.summary.header;
    return !header || header->promise == protocol::Promise::kBitwise;
  });
}

bool all_intact(const std::vector<JudgedRun>& runs) {
  return !runs.empty() && std::all_of(runs.begin(), runs.end(), [](const JudgedRun& run) {
    return run.view.verdict == Verdict::kReproduced;
  });
}

VerdictReport judge(const JudgeInput& input) {
  VerdictReport report;
  report.controls_seed = input.controls_seed;
  report.without_controls = input.without_controls;
  report.comparisons = compare_pairs(input);
  report.inference = judge_outputs(input);
  const bool bits = demands_bits(input);
  report.evaluation = judge_rows(input);
  if (!bits) report.statistics = judge_without_bits(input, report.evaluation);
  report.controls = run_controls(input, report.inference, report.statistics);
  report.baseline = judge_baseline(input);
  report.checks = {twin_check(input, report.comparisons),
                   controls_check(input, report.controls),
                   report.baseline.check,
                   report.inference.check,
                   {"bench", Verdict::kNotRun, "not_asked", "not asked for"}};
  if (report.evaluation.check.reason != "not_asked") {
    report.checks.push_back(report.evaluation.check);
  }
  if (!bits) {
    report.checks.push_back(report.statistics.calibration);
    report.checks.push_back(report.statistics.equivalence);
  }
  report.verdict = overall(report.checks);
  describe_experiment(input, report);
  state_runs(input, report);
  return report;
}

RunReport run_report(const JudgedRun& run, const fs::path& base) {
  const RunView& view = run.view;
  RunReport report;
  report.name = run.name;
  report.dir = base.empty() ? view.dir : fs::relative(view.dir, base);
  report.run_id = manifest_text(view, "run_id");
  report.status = manifest_text(view, "status");
  if (view.summary.head) report.head = protocol::to_hex(*view.summary.head);
  report.steps = std::max<std::int64_t>(view.summary.last_step, 0);
  report.verdict = view.verdict;
  report.reason = view.reason;
  report.problem = view.problem;
  report.outcome = run.outcome;
  if (run.launch) {
    report.seconds = run.launch->seconds;
    report.max_rss_bytes = run.launch->max_rss_bytes;
    if (view.verdict != Verdict::kReproduced) report.stderr_tail = run.launch->stderr_tail;
  }
  return report;
}

std::uint64_t random_seed() {
  std::uint64_t seed = 0;
  if (getrandom(&seed, sizeof seed, 0) != static_cast<ssize_t>(sizeof seed)) {
    throw std::runtime_error("the kernel gives no random numbers");
  }
  return seed >> 11;
}

}  // namespace twinrun::harness
