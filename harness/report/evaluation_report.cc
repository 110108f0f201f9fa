#include "harness/report/evaluation_report.h"

#include <cmath>

#include "harness/evaluate/scores.h"
#include "harness/report/json_fields.h"
#include "harness/report/text.h"

namespace twinrun::harness {
namespace {

using nlohmann::json;

std::vector<SliceScores> last_scores(const protocol::EvalFile& file) {
  return score_slices(file.at(file.header.last));
}

json to_json(const SliceScores& scores) {
  return {{"slice", scores.slice},
          {"rows", scores.rows},
          {"loss", scores.loss},
          // The loss is finite, its exponential need not be.
          {"perplexity", std::isfinite(scores.perplexity) ? json(scores.perplexity) : json()},
          {"exact_match", or_null(scores.exact_match)},
          {"token_f1", or_null(scores.token_f1)},
          {"accuracy", or_null(scores.accuracy)},
          {"macro_f1", or_null(scores.macro_f1)}};
}

json to_json(const EvalDivergence& first) {
  return {{"a", first.a},
          {"b", first.b},
          {"step", first.step},
          {"item", first.item},
          {"id", first.id},
          {"field", first.field},
          {"value_a", first.value_a},
          {"value_b", first.value_b}};
}

json runs_json(const EvaluationReport& report) {
  json list = json::array();
  for (std::size_t i = 0; i < report.runs.size(); ++i) {
    const auto& file = report.files[i];
    json scores = json::array();
    if (file) {
      for (const SliceScores& slice : last_scores(*file)) scores.push_back(to_json(slice));
    }
    list.push_back({{"name", report.runs[i]},
                    {"sha256", file ? json(protocol::to_hex(file->sha256)) : json()},
                    {"scores", scores}});
  }
  return list;
}

}  // namespace

json evaluation_json(const EvaluationReport& report) {
  if (report.check.reason == "not_asked") return nullptr;
  return {{"rows", report.rows},
          {"evaluations", report.evaluations},
          {"comparisons", report.comparisons},
          {"first", report.first ? to_json(*report.first) : json()},
          {"runs", runs_json(report)}};
}

std::vector<std::string> evaluation_lines(const EvaluationReport& report) {
  std::vector<std::string> lines;
  if (report.files.empty() || !report.files.front()) return lines;
  for (const SliceScores& scores : last_scores(*report.files.front())) {
    std::string text = (scores.slice.empty() ? "all" : scores.slice) + ", " +
                       count_of(scores.rows, "row") + ": loss " + number_text("%.4g", scores.loss);
    const auto add = [&](const char* name, const std::optional<double>& points) {
      if (points) text += std::string(", ") + name + " " + number_text("%.1f", *points);
    };
    add("exact match", scores.exact_match);
    add("token F1", scores.token_f1);
    add("accuracy", scores.accuracy);
    add("macro F1", scores.macro_f1);
    lines.push_back(text);
  }
  return lines;
}

}  // namespace twinrun::harness
