// What a report says of the result: what was compared, the first divergence, curves, baseline,
// cost.
#include <algorithm>
#include <cstdio>
#include <exception>

#include "harness/report/describe_parts.h"
#include "harness/report/json_fields.h"
#include "harness/report/statistics_words.h"
#include "harness/report/text.h"
#include "harness/report/words.h"

namespace twinrun::harness {
namespace {

using nlohmann::json;

constexpr std::size_t kBenchRowsMax = 60;

/// A number with four digits behind the point; empty if there is none.
std::string ratio_text(const json& value) {
  return value.is_number() ? number_text("%.4f", value.get<double>()) : "";
}

std::int64_t steps_compared(const VerdictFile& verdict) {
  std::int64_t steps = 0;
  for (const json& pair : list_at(verdict.value, "/comparisons")) {
    steps = std::max(steps, integer_at(pair, "/steps_compared").value_or(0));
  }
  return steps;
}

/// Why no curves can be drawn of `run`; empty if they can.
std::string why_not_drawn(const RunEvidence* run, const std::string& name) {
  if (run == nullptr) return "the verdict names no run " + name;
  const bool whole = run->state == RunEvidence::State::kHolds;
  // What is good of a record that is merely cut short may be drawn, if that is said.
  const bool begun = run->state == RunEvidence::State::kUnfit &&
                     run->view.verdict == Verdict::kInvalid && run->view.summary.last_step > 0;
  return whole || begun ? "" : "run " + name + ": " + run->problem;
}

void add_curves(ReportSection& section, const RunEvidence& a, const RunEvidence& b,
                const json& first_step) {
  const std::int64_t steps = std::min(a.view.summary.last_step, b.view.summary.last_step);
  for (const RunEvidence* run : {&a, &b}) {
    if (run->state == RunEvidence::State::kHolds) continue;
    section.blocks.emplace_back(Paragraph{"Run " + run->name + " is not whole (" + run->problem +
                                          "); what is drawn ends where its good steps end."});
  }
  Chart chart;
  chart.curves = read_curves(a.view.dir / "steps.jsonl", b.view.dir / "steps.jsonl", steps);
  chart.curves.a = a.name;
  chart.curves.b = b.name;
  if (first_step.is_number_integer()) chart.first_step = first_step.get<std::int64_t>();
  section.blocks.emplace_back(chart);
}

Facts twins_facts(const VerdictFile& verdict, const Evidence& evidence) {
  const json& value = verdict.value;
  Facts facts;
  std::vector<std::string> names;
  for (const RunEvidence& run : evidence.runs) {
    if (!run.control) names.push_back(run.name);
  }
  add_fact(facts, "trained",
           count_of(static_cast<long long>(names.size()), "time") + ", in fresh processes (" +
               list_words(names) + ")");
  add_fact(facts, "steps", grouped(steps_compared(verdict)));
  const std::size_t pairs = list_at(value, "/comparisons").size();
  add_fact(facts, "values",
           grouped(integer_at(value, "/comparisons_made").value_or(0)) + " in " +
               count_of(static_cast<long long>(pairs), "pair") + " of runs");
  const auto tensors = integer_at(value, "/tensors_covered").value_or(0);
  if (tensors > 0 && !without_bits(verdict)) {
    add_fact(facts, "tensors", grouped(tensors) + " a step, by SHA-256 of all their bytes");
  }
  const bool bounded = text_at(value, "/inference/reference/kind") == "other";
  const std::string how =
      across_machines(verdict)
          ? "what no machine moves bit for bit; final results by tests of equivalence"
      : without_bits(verdict)
          ? "what no rounding moves bit for bit; losses, gradient norms and final "
            "results by statistics"
          : "the twins bit for bit: no tolerance, no rounding, no statistics";
  add_fact(facts, "how", how + (bounded ? "; their outputs within bounds of the reference" : ""));
  return facts;
}

}  // namespace

ReportSection compared_section(const VerdictFile& verdict, const Evidence& evidence) {
  ReportSection section{"compared", "What was compared, and how often", {}};
  section.blocks.emplace_back(only_outputs(verdict) ? outputs_facts(verdict)
                                                    : twins_facts(verdict, evidence));
  Table table{{"check", "asks", "result", "found"}, {}};
  for (const json& check : list_at(verdict.value, "/checks")) {
    const std::string name = text_at(check, "/name");
    table.rows.push_back({{name, false},
                          {across_machines(verdict) ? question_across(name)
                           : without_bits(verdict)  ? question_without_bits(name)
                                                    : question_of(name),
                           false},
                          {text_at(check, "/verdict"), false},
                          {text_at(check, "/message"), false}});
  }
  section.blocks.emplace_back(table);
  return section;
}

ReportSection divergence_section(const VerdictFile& verdict) {
  ReportSection section{"divergence", "First divergence", {}};
  const json pair = deciding_pair(verdict);
  if (!pair.is_object()) return section;
  const std::string a = "run " + text_at(pair, "/a"), b = "run " + text_at(pair, "/b");
  const json first = at(pair, "/first");
  if (!first.is_object()) {
    if (text_at(pair, "/verdict") == to_string(Verdict::kReproduced)) {
      section.blocks.emplace_back(
          Paragraph{across_machines(verdict)
                        ? "None in what no machine moves: samples, batches and learning rates are "
                          "the same in every step."
                    : without_bits(verdict)
                        ? "None in what no rounding moves: samples, batches, learning rates and "
                          "random states are the same in every step."
                        : "None: no bit of any recorded value differs in any step."});
    } else if (!list_at(pair, "/key_differences").empty()) {
      section.blocks.emplace_back(Paragraph{"No bit was compared: the runs are not comparable."});
      add_differences(section, at(pair, "/key_differences"), a, b);
    } else {
      section.blocks.emplace_back(Paragraph{"None was shown: " + text_at(pair, "/message") + "."});
    }
    return section;
  }
  add_divergence(section, first, a, b);
  return section;
}

ReportSection curves_section(const VerdictFile& verdict, const Evidence& evidence) {
  ReportSection section{"curves", "Loss of both runs, step by step", {}};
  const json pair = deciding_pair(verdict);
  if (!pair.is_object()) return section;
  const RunEvidence* a = evidence.find(text_at(pair, "/a"));
  const RunEvidence* b = evidence.find(text_at(pair, "/b"));
  std::string problem = why_not_drawn(a, text_at(pair, "/a"));
  if (problem.empty()) problem = why_not_drawn(b, text_at(pair, "/b"));
  if (problem.empty()) {
    try {
      add_curves(section, *a, *b, at(pair, "/first/step"));
    } catch (const std::exception& error) {
      problem = error.what();
    }
  }
  if (!problem.empty()) {
    section.blocks.clear();
    section.blocks.emplace_back(Paragraph{"Not drawn. " + problem + "."});
  }
  return section;
}

ReportSection baseline_section(const VerdictFile& verdict) {
  ReportSection section{"baseline", "Baseline", {}};
  const json baseline = at(verdict.value, "/baseline");
  if (!baseline.is_object()) return section;
  const std::string message = text_at(check_named(verdict, "baseline"), "/message");
  if (!message.empty()) section.blocks.emplace_back(Paragraph{message + "."});
  Facts facts;
  add_fact(facts, "curve", text_at(baseline, "/curve"), true);
  add_fact(facts, "SHA-256", text_at(baseline, "/sha256"), true);
  add_fact(facts, "head", text_at(baseline, "/head"), true);
  add_fact(facts, "steps compared",
           grouped(integer_at(baseline, "/steps_compared").value_or(0)) + " of " +
               grouped(integer_at(baseline, "/curve_steps").value_or(0)));
  section.blocks.emplace_back(facts);
  if (const json first = at(baseline, "/first"); first.is_object()) {
    add_divergence(section, first, "run a", "the curve");
  }
  add_differences(section, list_at(baseline, "/suspects"), "run a", "the curve");
  for (const json& near : list_at(baseline, "/nearest")) {
    section.blocks.emplace_back(Paragraph{"A curve for other circumstances, " +
                                          text_at(near, "/fingerprint") + ", differs in:"});
    add_differences(section, list_at(near, "/differences"), "here", "there");
  }
  return section;
}

ReportSection cost_section(const VerdictFile& verdict, const Evidence& evidence) {
  ReportSection section{"cost", "What reproducibility costs", {}};
  if (const json check = check_named(verdict, "bench"); !did_not_run(check)) {
    section.blocks.emplace_back(
        Paragraph{text_at(check, "/verdict") + ": " + text_at(check, "/message") + "."});
  }
  if (!evidence.bench_problem.empty()) {
    section.blocks.emplace_back(
        Paragraph{"bench/bench.json lies beside the verdict, but cannot be "
                  "shown: " +
                  evidence.bench_problem + "."});
  }
  const json& bench = evidence.bench;
  if (bench.is_null()) return section;
  section.blocks.emplace_back(
      Paragraph{"As `twinrun bench` measured it: the time of a step in one mode over that in "
                "another, on one machine in one hour. Read from bench/bench.json as it lies there; "
                "the verdict has no digest of it."});
  Facts facts;
  add_fact(facts, "found", text_at(bench, "/verdict"));
  add_fact(facts, "case", text_at(bench, "/case/name"));
  add_fact(facts, "budget", ratio_text(at(bench, "/judgement/budget")));
  add_fact(facts, "confidence of the intervals", ratio_text(at(bench, "/judgement/confidence")));
  add_fact(facts, "measured", text_at(bench, "/started"));
  add_fact(facts, "SHA-256 of bench.json", evidence.bench_sha256, true);
  section.blocks.emplace_back(facts);
  Table table{{"what", "ratio", "interval", "state"}, {}};
  for (const json& row : list_at(bench, "/comparisons")) {
    if (table.rows.size() == kBenchRowsMax) break;
    const std::string low = ratio_text(at(row, "/low")), high = ratio_text(at(row, "/high"));
    const std::string message = text_at(row, "/message");
    table.rows.push_back(
        {{text_at(row, "/name"), false},
         {ratio_text(at(row, "/ratio")), false},
         {low.empty() ? "" : low + " to " + high, false},
         {text_at(row, "/state") + (message.empty() ? "" : ": " + message), false}});
  }
  if (!table.rows.empty()) section.blocks.emplace_back(table);
  return section;
}

}  // namespace twinrun::harness
