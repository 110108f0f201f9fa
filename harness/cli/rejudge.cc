#include "harness/cli/rejudge.h"

#include <algorithm>
#include <array>
#include <set>

#include "harness/cli/infer_runs.h"
#include "harness/report/json_fields.h"
#include "harness/report/text.h"

namespace twinrun::harness {
namespace {

namespace fs = std::filesystem;
using nlohmann::json;

// How a process ended, and that its program changed, is seen only by the judge that started it.
const std::set<std::string> kOfProcess = {"trainer_failed", "trainer_killed", "timed_out",
                                          "interrupted",    "not_started",    "binary_changed"};
const std::set<std::string> kRejudged = {"twin",        "controls",    "baseline",  "inference",
                                         "calibration", "equivalence", "evaluation"};

JudgedRun read_again(const VerdictFile& verdict, const json& stated, const RunView* like,
                     Rejudgement& result) {
  JudgedRun run;
  run.name = text_at(stated, "/name");
  run.view = read_run(verdict.folder() / text_at(stated, "/dir"), like);
  run.outcome = text_at(stated, "/outcome");
  const std::string reason = text_at(stated, "/reason");
  const bool worse =
      run.view.verdict == Verdict::kReproduced || run.view.verdict == Verdict::kInvalid;
  if (kOfProcess.count(reason) > 0 && worse) {
    run.view.verdict = Verdict::kInvalid;
    run.view.reason = reason;
    run.view.problem = text_at(stated, "/problem");
    result.taken_over.push_back("how the process of run " + run.name + " ended (" + reason + ")");
  }
  return run;
}

/// That the trainer failed to make outputs without the adapter.
void take_over_control(const VerdictFile& verdict, const JudgeInput& input, InferenceInput& outputs,
                       Rejudgement& result) {
  if (input.without_controls) return;
  for (const json& stated : list_at(verdict.value, "/controls")) {
    if (text_at(stated, "/name") != kNoopAdapter) continue;
    if (text_at(stated, "/details/reason") != "trainer_failed") continue;
    if (!outputs.control) outputs.control = OutputsSource{kNoopAdapter, nullptr, {}, {}, {}};
    outputs.control->failure = text_at(stated, "/message");
    result.taken_over.push_back("that no outputs without the adapter could be made");
  }
}

/// Whether the verdict says that outputs were asked for.
bool says_inference(const VerdictFile& verdict) {
  const json checks = list_at(verdict.value, "/checks");
  return std::any_of(checks.begin(), checks.end(), [](const json& check) {
    return text_at(check, "/name") == "inference" && text_at(check, "/reason") != "not_asked";
  });
}

/// Outputs of inference as they are stored. The runs say whether there are any: a verdict could
/// have forgotten them. That the trainer failed to make them is taken over.
std::optional<InferenceInput> outputs_of(const VerdictFile& verdict, const JudgeInput& input,
                                         Rejudgement& result) {
  auto outputs = stored_inference(input.runs, input.base, !input.without_controls);
  if (!outputs) {
    // Without a configuration no run is intact, so that no outputs are judged either way.
    const bool silent =
        std::none_of(input.runs.begin(), input.runs.end(),
                     [](const JudgedRun& run) { return run.view.config.has_value(); });
    if (silent && says_inference(verdict)) return InferenceInput{};
    return std::nullopt;
  }
  for (const json& stated : list_at(verdict.value, "/inference/runs")) {
    if (text_at(stated, "/reason") != "trainer_failed") continue;
    for (OutputsSource& source : outputs->runs) {
      if (source.name == text_at(stated, "/name")) source.failure = text_at(stated, "/message");
    }
    result.taken_over.push_back("that no outputs of run " + text_at(stated, "/name") +
                                " could be made");
  }
  take_over_control(verdict, input, *outputs, result);
  return outputs;
}

JudgeInput input_of(const VerdictFile& verdict, const fs::path& curves, Rejudgement& result) {
  const json& value = verdict.value;
  JudgeInput input;
  input.base = input.statistics = verdict.folder();
  input.without_controls = at(value, "/without_controls") == true;
  input.across = at(value, "/statistics/across").is_object();
  input.controls_seed = static_cast<std::uint64_t>(
      std::max<std::int64_t>(integer_at(value, "/controls_seed").value_or(0), 0));
  for (const json& stated : list_at(value, "/runs")) {
    const RunView* like = input.runs.empty() ? nullptr : &input.runs.front().view;
    input.runs.push_back(read_again(verdict, stated, like, result));
  }
  for (const json& stated : list_at(value, "/control_runs")) {
    input.control = read_again(verdict, stated, nullptr, result);
    break;
  }
  input.inference = outputs_of(verdict, input, result);
  for (const json& check : list_at(value, "/checks")) {
    if (text_at(check, "/name") != "baseline") continue;
    if (text_at(check, "/reason") == "not_asked") continue;
    const bool fails = text_at(check, "/verdict") == to_string(Verdict::kInconclusive);
    input.baseline = BaselineRequest{curves, fails};
  }
  return input;
}

/// The checks that are not judged from records come from the verdict that is there.
void take_over_checks(const VerdictFile& verdict, Rejudgement& result) {
  std::vector<Check>& checks = result.report.checks;
  for (const json& stated : list_at(verdict.value, "/checks")) {
    const std::string name = text_at(stated, "/name");
    if (kRejudged.count(name) > 0) continue;
    const Verdict found = verdict_from_string(text_at(stated, "/verdict"));
    const Check taken{name, found, text_at(stated, "/reason"), text_at(stated, "/message")};
    const auto same = std::find_if(checks.begin(), checks.end(),
                                   [&](const Check& check) { return check.name == name; });
    if (same == checks.end()) {
      checks.push_back(taken);
    } else {
      *same = taken;
    }
    if (found != Verdict::kNotRun) {
      result.taken_over.push_back("check " + name + " (" + to_string(found) + ")");
    }
  }
  result.report.verdict = overall(checks);
}

/// Collects where two verdicts say different things.
class Differences {
 public:
  explicit Differences(std::vector<std::string>& list) : list_(list) {}

  void field(const std::string& what, const json& stated, const json& now) {
    if (stated == now) return;
    list_.push_back(what + " is " + ellipsize(words(stated), 80) + ", judged again " +
                    ellipsize(words(now), 80));
  }
  template <std::size_t N>
  void fields(const std::string& what, const json& stated, const json& now,
              const std::array<const char*, N>& pointers) {
    for (const char* pointer : pointers) {
      field(what + " " + (pointer + 1), at(stated, pointer), at(now, pointer));
    }
  }
  /// Objects of two lists, found by the fields that name them.
  template <std::size_t N>
  void list(const std::string& what, const json& stated, const json& now,
            const std::array<const char*, N>& pointers) {
    field("the number of " + what + "s", stated.size(), now.size());
    for (std::size_t i = 0; i < std::min(stated.size(), now.size()); ++i) {
      const json& item = stated.at(i);
      const std::string name = text_at(item, "/name").empty()
                                   ? text_at(item, "/a") + " and " + text_at(item, "/b")
                                   : text_at(item, "/name");
      fields(what + " " + name, item, now.at(i), pointers);
    }
  }

 private:
  static std::string words(const json& value) {
    return value.is_null() ? "missing" : one_line(words_of(value));
  }
  std::vector<std::string>& list_;
};

void hold_against(const json& stated, const json& now, std::vector<std::string>& list) {
  Differences differences(list);
  differences.fields(
      "the verdict's", stated, now,
      std::array{"/verdict", "/exit_code", "/case/name", "/case/identity", "/fingerprint", "/key",
                 "/judgement", "/without_controls", "/comparisons_made", "/tensors_covered"});
  differences.list("check", list_at(stated, "/checks"), list_at(now, "/checks"),
                   std::array{"/name", "/verdict", "/reason"});
  const std::array of_run = {"/name",  "/run_id",  "/status", "/head",
                             "/steps", "/verdict", "/reason", "/injected"};
  differences.list("run", list_at(stated, "/runs"), list_at(now, "/runs"), of_run);
  differences.list("control run", list_at(stated, "/control_runs"), list_at(now, "/control_runs"),
                   of_run);
  differences.list("pair", list_at(stated, "/comparisons"), list_at(now, "/comparisons"),
                   std::array{"/a", "/b", "/verdict", "/reason", "/steps_compared", "/comparisons",
                              "/first", "/key_differences", "/suspects"});
  differences.list("control", list_at(stated, "/controls"), list_at(now, "/controls"),
                   std::array{"/name", "/ran", "/passed", "/details"});
  const json outputs = at(stated, "/inference"), outputs_now = at(now, "/inference");
  differences.fields("the outputs'", outputs, outputs_now,
                     std::array{"/prompts", "/reference/sha256", "/bounds", "/texts"});
  differences.list("run's output", list_at(outputs, "/runs"), list_at(outputs_now, "/runs"),
                   std::array{"/sha256", "/verdict", "/reason", "/bitwise", "/forced", "/greedy"});
  differences.list("pair of outputs", list_at(outputs, "/twins"), list_at(outputs_now, "/twins"),
                   std::array{"/verdict", "/reason", "/bitwise"});
  differences.fields(
      "the statistics'", at(stated, "/statistics"), at(now, "/statistics"),
      std::array{"/settings", "/digest", "/calibration_sha256", "/scores", "/candidates",
                 "/equivalences", "/windows", "/detection", "/spread", "/across"});
  differences.fields("the held-out rows'", at(stated, "/evaluation"), at(now, "/evaluation"),
                     std::array{"/rows", "/evaluations", "/comparisons", "/first", "/runs"});
  differences.fields("the baseline's", at(stated, "/baseline"), at(now, "/baseline"),
                     std::array{"/fingerprint", "/sha256", "/head", "/curve_steps",
                                "/steps_compared", "/comparisons", "/first"});
}

}  // namespace

Rejudgement rejudge(const VerdictFile& verdict, const fs::path& curves) {
  Rejudgement result;
  result.report = judge(input_of(verdict, curves, result));
  take_over_checks(verdict, result);
  hold_against(verdict.value, to_json(result.report), result.differences);
  return result;
}

}  // namespace twinrun::harness
