#include "harness/evaluate/judge_evaluation.h"

#include <array>

#include "harness/infer/infer_text.h"
#include "harness/protocol/line_text.h"
#include "harness/report/text.h"

namespace twinrun::harness {
namespace {

using nlohmann::json;
using protocol::EvalFile;
using protocol::EvalItem;

Check evaluation_check(Verdict verdict, const std::string& reason, const std::string& message) {
  return {"evaluation", verdict, reason, message};
}

Check problem_check(const std::string& name, const protocol::EvalProblem& problem) {
  const std::string where = problem.line > 0 ? " line " + std::to_string(problem.line) : "";
  const std::string message = "run " + name + ": eval.jsonl" + where + ": " + problem.what;
  if (problem.reason == "digest_mismatch") {
    return evaluation_check(Verdict::kEvidenceInvalid, "evaluation_damaged", message);
  }
  if (problem.reason == "newer_schema") {
    return evaluation_check(Verdict::kInconclusive, "evaluation_newer_schema", message);
  }
  const std::string reason = problem.reason == "non_finite" ? "non_finite"
                             : problem.reason == "missing"  ? "evaluation_missing"
                                                            : "evaluation_malformed";
  return evaluation_check(Verdict::kInvalid, reason, message);
}

/// What of the header is not as the run and its configuration say; empty if all is.
std::string not_as_configured(const protocol::EvalHeader& header, const RunView& run) {
  const json& wanted = run.config->judgement.at("evaluation");
  const json used = {{"sha256", header.data},
                     {"every", header.every},
                     {"max_new_tokens", header.max_new_tokens},
                     {"batch_size", header.batch_size},
                     {"max_length", header.max_length}};
  for (const auto& [key, value] : used.items()) {
    if (!wanted.contains(key) || wanted.at(key) != value) {
      return key + " is " + value.dump() + ", configured " + wanted.value(key, json()).dump();
    }
  }
  if (header.identity != protocol::to_hex(run.config->identity_digest())) {
    return "it is of another identity";
  }
  if (header.last != run.summary.last_step) {
    return "its last step is " + std::to_string(header.last) + ", the record's " +
           std::to_string(run.summary.last_step);
  }
  return {};
}

bool is_named(const RunView& run) {
  const json files = run.manifest.value("files", json());
  return files.is_object() && files.contains("eval.jsonl");
}

/// Puts the file of a run behind report.files; or none, with the check that says why.
void read_file_of(const EvaluatedRun& run, EvaluationReport& report) {
  report.runs.push_back(run.name);
  report.files.emplace_back();
  if (!has_evaluation(*run.run)) {
    report.check =
        evaluation_check(Verdict::kInvalid, "evaluation_not_as_configured",
                         "run " + run.name + ": its configuration has no evaluation, another has");
    return;
  }
  auto read = protocol::read_eval(run.run->dir / "eval.jsonl");
  if (const auto* problem = std::get_if<protocol::EvalProblem>(&read)) {
    report.check = problem_check(run.name, *problem);
    return;
  }
  auto& file = std::get<EvalFile>(read);
  const std::string problem = not_as_configured(file.header, *run.run);
  if (!problem.empty()) {
    report.check = evaluation_check(Verdict::kInvalid, "evaluation_not_as_configured",
                                    "run " + run.name + ": eval.jsonl: " + problem);
  } else if (!is_named(*run.run)) {
    report.check = evaluation_check(
        Verdict::kInvalid, "evaluation_not_named",
        "run " + run.name + ": the manifest has no digest of eval.jsonl under files");
  } else {
    report.files.back() = std::move(file);
  }
}

struct FieldValue {
  const char* name;
  std::string text;
  bool rounded;  ///< rounding may move it
};

/// What is compared of a row, in the order in which it is told.
std::array<FieldValue, 8> values_of(const EvalItem& item) {
  const auto quoted = [](const std::optional<std::string>& text) {
    return text ? '"' + *text + '"' : "null";
  };
  return {{{"id", sample_id_text(item.id), false},
           {"category", quoted(item.category), false},
           {"cluster", quoted(item.cluster), false},
           {"tokens", std::to_string(item.tokens), false},
           {"reference", item.reference, false},
           {"nll", protocol::bits_text(item.nll), true},
           {"answer", quoted(item.answer), true},
           {"finish", item.finish ? protocol::to_string(*item.finish) : "null", true}}};
}

std::optional<EvalDivergence> compare_items(const EvalItem& a, const EvalItem& b, bool bits,
                                            std::int64_t& comparisons) {
  const auto of_a = values_of(a), of_b = values_of(b);
  for (std::size_t i = 0; i < of_a.size(); ++i) {
    if (of_a[i].rounded && !bits) continue;
    ++comparisons;
    if (of_a[i].text == of_b[i].text) continue;
    return EvalDivergence{"",           "",           a.step,      a.item, sample_id_text(a.id),
                          of_a[i].name, of_a[i].text, of_b[i].text};
  }
  return std::nullopt;
}

/// Two files that hold, and whose headers are as configured alike.
void compare_pair(const EvaluatedRun& a, const EvaluatedRun& b, const EvalFile& of_a,
                  const EvalFile& of_b, bool bits, EvaluationReport& report) {
  if (of_a.items.size() != of_b.items.size()) {
    report.check = evaluation_check(
        Verdict::kInvalid, "evaluation_not_as_configured",
        "runs " + a.name + " and " + b.name + " have other numbers of rows in eval.jsonl");
    return;
  }
  for (std::size_t i = 0; i < of_a.items.size(); ++i) {
    auto first = compare_items(of_a.items[i], of_b.items[i], bits, report.comparisons);
    if (!first) continue;
    first->a = a.name;
    first->b = b.name;
    report.check = evaluation_check(
        Verdict::kNotReproduced, bits ? "outputs_differ" : "discrete_differs",
        "runs " + a.name + " and " + b.name + " first differ at step " +
            std::to_string(first->step) + " in " + first->field + " of row " + first->id);
    report.first = std::move(first);
    return;
  }
}

Check all_equal(const EvaluationReport& report, bool bits) {
  const std::string rows = std::to_string(report.evaluations) + " times " +
                           std::to_string(report.rows) + " held-out rows";
  if (bits) {
    return evaluation_check(Verdict::kReproduced, "bitwise", rows + " are equal in every bit");
  }
  return evaluation_check(Verdict::kReproduced, "discrete_equal",
                          rows + " are the same rows, with the same tokens");
}

}  // namespace

bool has_evaluation(const RunView& run) {
  return run.config && run.config->judgement.is_object() &&
         run.config->judgement.value("evaluation", json()).is_object();
}

EvaluationReport judge_evaluation(const std::vector<EvaluatedRun>& runs, bool bits) {
  EvaluationReport report;
  bool asked = false;
  for (const EvaluatedRun& run : runs) asked = asked || has_evaluation(*run.run);
  if (!asked) return report;
  for (const EvaluatedRun& run : runs) {
    const Check before = report.check;
    read_file_of(run, report);
    // The worst is told, of equally bad ones the first.
    if (before.verdict <= report.check.verdict) report.check = before;
  }
  if (report.check.verdict != Verdict::kNotRun) return report;
  report.rows = report.files.front()->header.items;
  report.evaluations = report.files.front()->header.evaluations();
  for (std::size_t i = 0; i < runs.size(); ++i) {
    for (std::size_t j = i + 1; j < runs.size(); ++j) {
      compare_pair(runs[i], runs[j], *report.files[i], *report.files[j], bits, report);
      if (report.check.verdict != Verdict::kNotRun) return report;
    }
  }
  report.check = all_equal(report, bits);
  return report;
}

}  // namespace twinrun::harness
