#include "harness/report/terminal.h"

#include <algorithm>
#include <cstdio>
#include <map>

#include "harness/report/evaluation_report.h"
#include "harness/report/inference_report.h"
#include "harness/report/statistics_report.h"
#include "harness/report/text.h"

namespace twinrun::harness {
namespace {

constexpr std::size_t kLabelColumns = 13;
constexpr std::size_t kBodyColumns = kTerminalColumns - kLabelColumns - 2;

/// Rows of `label  text`. A row that would leave no place for the `reserved` ones after it is
/// dropped: evidence and command always stand at the end.
class Rows {
 public:
  explicit Rows(std::size_t reserved) : room_(kTerminalLines - 1 - reserved) {}

  /// One line, cut to the width.
  void add(const std::string& label, const std::string& text) {
    push(label, ellipsize(one_line(text), kBodyColumns));
  }
  /// At most `limit` lines; the last one ends in "..." if something is missing.
  void add_wrapped(const std::string& label, const std::string& text, std::size_t limit) {
    const std::vector<std::string> lines = wrap(one_line(text), kBodyColumns);
    for (std::size_t i = 0; i < std::min(limit, lines.size()); ++i) {
      const bool cut = i + 1 == limit && lines.size() > limit;
      push(i == 0 ? label : "", cut ? ellipsize(lines[i] + " ...", kBodyColumns) : lines[i]);
    }
  }
  /// Kept whole, whatever its length, and whatever stands above.
  void add_reserved(const std::string& label, const std::string& text) {
    ++room_;
    push(label, text);
  }
  std::string text() const { return text_; }

 private:
  void push(const std::string& label, const std::string& text) {
    if (room_ == 0) return;
    --room_;
    const std::size_t pad = kLabelColumns - std::min(columns(label), kLabelColumns);
    text_ += "  " + label + std::string(pad, ' ') + text + "\n";
  }
  std::size_t room_;
  std::string text_;
};

std::string seconds_text(double seconds) {
  return number_text(seconds < 9.95 ? "%.1f s" : "%.0f s", seconds);
}

std::string bytes_text(std::int64_t bytes) {
  const double mib = static_cast<double>(bytes) / (1 << 20);
  return mib < 1024 ? number_text("%.0f MiB", mib) : number_text("%.1f GiB", mib / 1024);
}

/// The pair that decided: the first of the worst verdict.
const ComparisonReport* deciding_pair(const VerdictReport& report) {
  const auto worst = std::min_element(
      report.comparisons.begin(), report.comparisons.end(),
      [](const auto& x, const auto& y) { return x.comparison.verdict < y.comparison.verdict; });
  return worst == report.comparisons.end() ? nullptr : &*worst;
}

/// The sentence behind the verdict: that of the first check which came to it.
/// What a green verdict of runs without equal bits says: what was not seen, and what was shown.
std::string shown_without_bits(const StatisticsReport& statistics) {
  std::vector<std::string> metrics;
  for (const auto& [metric, margin] : statistics.settings.margins) {
    metrics.push_back(metric + " (" + number_text("%g", margin) + ")");
  }
  const std::string scored =
      statistics.calibration.verdict == Verdict::kReproduced
          ? "no detectable difference at alpha = " + number_text("%g", statistics.settings.alpha) +
                ", and "
          : "";
  return scored + "equivalent within the margin of " + list_words(metrics);
}

std::string headline(const VerdictReport& report) {
  if (report.verdict == Verdict::kReproduced &&
      report.statistics.equivalence.verdict == Verdict::kReproduced) {
    return shown_without_bits(report.statistics);
  }
  for (const Check& check : report.checks) {
    if (check.verdict == report.verdict) return check.message;
  }
  return "no check ran";
}

std::string bits_text(const std::string& bits, const std::optional<double>& value) {
  // Of a float32 nine digits tell neighbours apart, of a float64 seventeen.
  return value ? bits + "   " + number_text(bits.size() > 8 ? "%.17g" : "%.9g", *value) : bits;
}

void add_compared(Rows& rows, const VerdictReport& report) {
  std::int64_t steps = 0;
  for (const ComparisonReport& pair : report.comparisons) {
    steps = std::max(steps, pair.comparison.steps_compared);
  }
  if (report.comparisons.empty() && report.inference.judged) {
    rows.add("compared", "outputs for " + count_of(report.inference.prompts, "prompt"));
    return;
  }
  if (comparisons_made(report) == 0) {
    rows.add("compared", "nothing: no bit was compared");
    return;
  }
  std::string text = count_of(steps, "step") + ", " + count_of(comparisons_made(report), "value");
  if (report.comparisons.size() > 1) {
    text += " in " + count_of(static_cast<long long>(report.comparisons.size()), "pair");
  }
  if (report.statistics.calibration.reason != "not_asked") {
    rows.add("compared", text + " that no rounding moves");
    return;
  }
  if (report.tensors_covered > 0) {
    text += "; digests of " + count_of(report.tensors_covered, "tensor") + " a step";
  }
  rows.add("compared", text + "; bits, not rounded numbers");
}

void add_head(Rows& rows, const VerdictReport& report) {
  if (report.verdict != Verdict::kReproduced || report.runs.empty()) return;
  if (report.statistics.calibration.reason != "not_asked") return;  // each has its own
  rows.add("head", report.runs.front().head + " (all runs)");
}

void add_divergence(Rows& rows, const Divergence& first, const std::string& a,
                    const std::string& b) {
  std::string text = "step " + std::to_string(first.step) + ", " + first.field;
  if (first.ulps) {
    text += ", " + count_of(static_cast<long long>(*first.ulps), "ULP") + " apart";
  }
  rows.add("first", text);
  rows.add("  in " + ellipsize(a, 7), bits_text(first.bits_a, first.value_a));
  rows.add("  in " + ellipsize(b, 7), bits_text(first.bits_b, first.value_b));
  if (!first.other_fields.empty()) {
    rows.add("  same step", "also " + list_words(first.other_fields));
  }
  if (first.tensors_compared > 0) {
    rows.add_wrapped("  tensors",
                     std::to_string(first.tensors_differing) + " of " +
                         std::to_string(first.tensors_compared) +
                         " differ: " + list_words(first.tensors),
                     3);
  }
}

void add_differences(Rows& rows, const std::string& label,
                     const std::vector<Difference>& differences, std::size_t limit) {
  for (std::size_t i = 0; i < std::min(limit, differences.size()); ++i) {
    const Difference& difference = differences[i];
    const auto dump = [](const nlohmann::json& value) {
      return value.dump(-1, ' ', false, nlohmann::json::error_handler_t::replace);
    };
    rows.add(i == 0 ? label : "",
             difference.field + ": " + dump(difference.a) + ", " + dump(difference.b));
  }
}

/// What else differs between the runs; what differs on purpose in one row, behind the rest.
void add_suspects(Rows& rows, const std::vector<Difference>& suspects) {
  const std::string purpose = "/launch/nuisance/";
  std::vector<Difference> rest;
  std::vector<std::string> names;
  for (const Difference& suspect : suspects) {
    const bool on_purpose = suspect.field.rfind(purpose, 0) == 0;
    if (on_purpose) names.push_back(suspect.field.substr(purpose.size()));
    if (!on_purpose) rest.push_back(suspect);
  }
  add_differences(rows, "suspects", rest, 3);
  if (!names.empty()) {
    rows.add(rest.empty() ? "suspects" : "", "different on purpose: " + list_words(names));
  }
}

/// Runs that failed, each with the end of what it wrote to stderr.
void add_failed_runs(Rows& rows, const std::vector<RunReport>& runs) {
  int shown = 0;
  for (const RunReport& run : runs) {
    if (run.verdict == Verdict::kReproduced || shown++ == 2) continue;
    const std::string outcome = run.outcome.empty() ? "" : " (" + run.outcome + ")";
    rows.add_wrapped("run " + ellipsize(run.name, 8), run.problem + outcome, 2);
    std::vector<std::string> tail;
    for (std::size_t begin = 0; begin < run.stderr_tail.size();) {
      const std::size_t end = std::min(run.stderr_tail.find('\n', begin), run.stderr_tail.size());
      if (end > begin) tail.push_back(run.stderr_tail.substr(begin, end - begin));
      begin = end + 1;
    }
    for (std::size_t i = tail.size() > 2 ? tail.size() - 2 : 0; i < tail.size(); ++i) {
      rows.add("", "| " + tail[i]);
    }
  }
}

void add_controls(Rows& rows, const VerdictReport& report) {
  std::vector<std::string> passed, failed, missing;
  std::string why;
  for (const ControlOutcome& control : report.controls) {
    if (control.ran && control.passed) passed.push_back(control.name);
    if (control.ran && !control.passed) {
      failed.push_back(control.name + " FAILED: " + control.message);
    }
    if (control.ran) continue;
    missing.push_back(control.name);
    why = control.message;
  }
  if (passed.empty() && failed.empty()) {
    rows.add("controls", "not run: " + why);
    return;
  }
  rows.add_wrapped("controls",
                   std::to_string(passed.size()) + " of " + std::to_string(report.controls.size()) +
                       " passed" + (passed.empty() ? "" : ": " + list_words(passed)),
                   2);
  for (const std::string& text : failed) rows.add("", text);
  if (!missing.empty()) rows.add("", "not run: " + list_words(missing) + " (" + why + ")");
}

/// How the first run stands to its baseline, if that was asked for. `details`: with the bits that
/// differ, which would take the place of what differs between the runs themselves.
void add_baseline(Rows& rows, const VerdictReport& report, const TerminalOptions& options,
                  bool details) {
  const BaselineReport& baseline = report.baseline;
  if (baseline.check.reason == "not_asked") return;
  const bool said = baseline.check.message == headline(report);
  if (!said) rows.add_wrapped("baseline", baseline.check.message, 3);
  if (!baseline.sha256.empty()) {
    rows.add(said ? "baseline" : "", (options.folder / baseline.curve).lexically_normal().string());
  }
  if (!details || !baseline.first) return;
  add_divergence(rows, *baseline.first, "a", "curve");
  rows.add("  tensors", "not named: a curve holds the digests of groups only");
  add_differences(rows, "suspects", baseline.suspects, 3);
}

/// What became of the outputs of inference, if any were judged, and the texts where they part.
void add_inference(Rows& rows, const VerdictReport& report) {
  const InferenceReport& inference = report.inference;
  if (!inference.judged) return;
  if (inference.check.message != headline(report)) {
    rows.add_wrapped("inference", inference.check.message, 2);
  }
  if (inference.check.verdict != Verdict::kNotReproduced) return;
  for (const TerminalLine& line : parting_texts(inference)) {
    rows.add((line.label == "texts" ? "" : "  ") + line.label, line.text);
  }
}

/// What became of held-out rows, if there are any.
void add_evaluation(Rows& rows, const VerdictReport& report) {
  const EvaluationReport& evaluation = report.evaluation;
  if (evaluation.check.reason == "not_asked") return;
  if (evaluation.check.verdict != Verdict::kNotRun &&
      evaluation.check.message != headline(report)) {
    rows.add_wrapped("evaluation", evaluation.check.message, 2);
  }
  constexpr std::size_t kShown = 3;
  const std::vector<std::string> lines = evaluation_lines(evaluation);
  for (std::size_t i = 0; i < std::min(lines.size(), kShown); ++i) {
    rows.add_wrapped(i == 0 ? "held out" : "", lines[i], 2);
  }
}

/// How far runs that promise no bits are apart.
void add_statistics(Rows& rows, const VerdictReport& report) {
  const StatisticsReport& statistics = report.statistics;
  if (statistics.calibration.reason == "not_asked") return;
  const std::vector<std::string> scores = candidate_lines(statistics);
  if (statistics.calibration.message != headline(report)) {
    rows.add_wrapped("calibration", statistics.calibration.message, 2);
  }
  for (const std::string& line : scores) rows.add("", line);
  if (const std::string seen = detection_line(statistics); !seen.empty()) rows.add("", seen);
  if (statistics.equivalence.message != headline(report)) {
    rows.add_wrapped("equivalence", statistics.equivalence.message, 2);
  }
  constexpr std::size_t kShown = 4;
  const std::vector<std::string> lines = equivalence_lines(statistics);
  for (std::size_t i = 0; i < std::min(lines.size(), kShown); ++i) {
    rows.add_wrapped("", lines[i], 2);
  }
}

/// Checks that did not run, those of one reason together; controls have a row of their own, and so
/// has a baseline that was asked for.
void add_not_run(Rows& rows, const VerdictReport& report) {
  std::map<std::string, std::vector<std::string>> by_reason;
  for (const Check& check : report.checks) {
    if (check.verdict != Verdict::kNotRun || check.name == "controls") continue;
    if (check.name == "baseline" && check.reason != "not_asked") continue;
    by_reason[check.message].push_back(check.name);
  }
  std::string text;
  for (const auto& [reason, names] : by_reason) {
    text += (text.empty() ? "" : "; ") + list_words(names) + " (" + reason + ")";
  }
  if (!text.empty()) rows.add_wrapped("not run", text, 2);
}

void add_cost(Rows& rows, const VerdictReport& report) {
  double sum = 0;
  std::int64_t memory = 0;
  std::vector<std::string> parts;
  for (const std::vector<RunReport>* runs : {&report.runs, &report.control_runs}) {
    for (const RunReport& run : *runs) {
      sum += run.seconds;
      memory = std::max(memory, run.max_rss_bytes);
      parts.push_back(run.name + " " + seconds_text(run.seconds));
    }
  }
  if (sum <= 0) return;
  rows.add("cost", seconds_text(sum) + " of training (" + list_words(parts) + "), " +
                       bytes_text(memory) + " at most");
}

/// `twinrun compare ...` on one or two lines, or empty if it takes more.
std::vector<std::string> look_again(const VerdictReport& report, const TerminalOptions& options) {
  if (report.runs.size() < 2) return {};
  std::string in_place = "twinrun compare";
  if (report.statistics.across) in_place += " --across";
  std::string in_folder = in_place;
  for (const RunReport& run : report.runs) {
    in_place += " " + shell_quote((options.folder / run.dir).string());
    in_folder += " " + shell_quote(run.dir.string());
  }
  const std::string flag = report.without_controls ? " --without-controls" : "";
  if (columns(in_place + flag) <= kBodyColumns) return {in_place + flag};
  if (options.folder.empty()) return {};
  return {"cd " + shell_quote(options.folder.string()) + " &&", in_folder + flag};
}

}  // namespace

std::string colored(Verdict verdict, const std::string& text, bool color) {
  if (!color) return text;
  const bool green = verdict == Verdict::kReproduced;
  const bool red = verdict == Verdict::kNotReproduced || verdict == Verdict::kSlowdownExceeded;
  return (green ? "\x1b[1;32m" : red ? "\x1b[1;31m" : "\x1b[1;33m") + text + "\x1b[0m";
}

std::string terminal_text(const VerdictReport& report, const TerminalOptions& options) {
  const std::vector<std::string> command = look_again(report, options);
  Rows rows(command.size() + (options.evidence.empty() ? 0 : 1));
  const std::string word = to_string(report.verdict);
  const std::string name = report.case_name.empty() ? "" : one_line(report.case_name) + ": ";
  const std::string sentence = name + one_line(headline(report));
  // A sentence that does not fit beside the verdict goes below it, whole if three lines hold it.
  const bool fits = columns(sentence) + word.size() + 2 <= kTerminalColumns;
  if (!fits) rows.add_wrapped("", sentence, 3);
  add_compared(rows, report);
  add_head(rows, report);
  const ComparisonReport* pair = deciding_pair(report);
  const bool twins_differ = pair != nullptr && pair->comparison.first;
  if (pair != nullptr) {
    if (twins_differ) add_divergence(rows, *pair->comparison.first, pair->a, pair->b);
    add_differences(rows, "not the same", pair->comparison.key_differences, 4);
    add_suspects(rows, pair->comparison.suspects);
  }
  add_failed_runs(rows, report.runs);
  add_controls(rows, report);
  add_baseline(rows, report, options, !twins_differ);
  add_inference(rows, report);
  add_evaluation(rows, report);
  add_statistics(rows, report);
  add_not_run(rows, report);
  add_cost(rows, report);
  if (!options.evidence.empty()) rows.add_reserved("evidence", options.evidence.string());
  for (std::size_t i = 0; i < command.size(); ++i) {
    rows.add_reserved(i == 0 ? "look again" : "", command[i]);
  }
  return colored(report.verdict, word, options.color) + (fits ? "  " + sentence : "") + "\n" +
         rows.text();
}

std::string terminal_text(const RunReport& run, const TerminalOptions& options) {
  Rows rows(1);
  const bool complete = run.verdict == Verdict::kReproduced;
  rows.add("steps", std::to_string(run.steps));
  if (complete) rows.add("head", run.head);
  if (!complete) add_failed_runs(rows, {run});
  if (run.seconds > 0) {
    rows.add("cost", seconds_text(run.seconds) + ", " + bytes_text(run.max_rss_bytes));
  }
  rows.add_reserved("record", (options.folder / run.dir).string());
  return colored(run.verdict, complete ? "complete" : "failed", options.color) + "\n" + rows.text();
}

}  // namespace twinrun::harness
