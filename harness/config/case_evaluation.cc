#include "harness/config/case_evaluation.h"

#include <fstream>

#include "harness/calibrate/settings.h"
#include "harness/config/case_files.h"
#include "harness/config/case_sections.h"
#include "harness/config/fields.h"
#include "harness/evaluate/metrics.h"
#include "harness/protocol/eval.h"
#include "harness/stats/equivalence.h"

namespace twinrun::harness {
namespace {

using nlohmann::json;

std::int64_t count_rows(const std::filesystem::path& file) {
  std::ifstream stream(file, std::ios::binary);
  std::int64_t rows = 0;
  for (std::string line; std::getline(stream, line);) {
    rows += line.find_first_not_of(" \t\r") == std::string::npos ? 0 : 1;
  }
  return rows;
}

/// How many rows show `margin` if every one is the same; doubling, then halving the gap.
std::int64_t rows_needed(const std::string& metric, double margin, double confidence) {
  std::int64_t few = 1, enough = 1;
  while (*least_margin(metric, enough, confidence) >= margin) few = enough, enough *= 2;
  while (enough - few > 1) {
    const std::int64_t middle = few + (enough - few) / 2;
    (*least_margin(metric, middle, confidence) >= margin ? few : enough) = middle;
  }
  return enough;
}

}  // namespace

EvaluationPart read_evaluation_section(const YamlNode& node, const std::filesystem::path& folder,
                                       const json& identity, std::int64_t every) {
  const json data = identity.value("data", json::object());
  if (data.contains("synthetic")) {
    fail_at(node,
            "needs text: data.synthetic is made of ids that no tokenizer knows; use data.path");
  }
  Field max_length = {"max_length", integer(2, kCountMax), {}};
  if (data.contains("max_length")) max_length.fallback = data.at("max_length");
  const std::vector<Field> fields = {
      {"max_new_tokens", integer(0, protocol::kEvalMax), protocol::kEvalNewTokens},
      {"batch_size", integer(1, protocol::kEvalMax), protocol::kEvalBatchSize},
      max_length};
  std::vector<std::string> keys = keys_of(fields);
  keys.push_back("path");
  const Section section(node, std::move(keys));
  const YamlNode& named = section.require("path");
  const auto path = (folder / text()(named).get<std::string>()).lexically_normal();
  EvaluationPart part;
  part.launch = read_fields(section, fields, Absent::kFallback);
  part.judgement = part.launch;
  part.launch["path"] = path.string();
  part.judgement["sha256"] = digest_file(named, path);
  part.judgement["every"] = every;
  part.rows = count_rows(path);
  return part;
}

void check_margins(const YamlNode& node, const json& statistics, const EvaluationPart* evaluation) {
  const json& equivalence = statistics.at("equivalence");
  const double confidence = tost_confidence(equivalence.at("alpha").get<double>());
  for (const auto& [metric, value] : equivalence.at("margins").items()) {
    if (metric == kFinalLoss) continue;
    if (evaluation == nullptr) {
      fail_at(node, "has a margin for " + metric +
                        ", which takes held-out rows: `evaluation:` names their file");
    }
    if (metric == kHeldoutLoss) continue;
    if (evaluation->judgement.at("max_new_tokens") == 0) {
      fail_at(node, "has a margin for " + metric +
                        ", and evaluation.max_new_tokens is 0: there are no answers");
    }
    const double margin = value.get<double>();
    const auto least = least_margin(metric, evaluation->rows, confidence);
    if (!least || *least < margin) continue;
    fail_at(node, "the margin of " + std::to_string(margin) + " for " + metric +
                      " is below what can be shown: " + std::to_string(evaluation->rows) +
                      " held-out rows, all of them alike, show " + std::to_string(*least) +
                      "; it takes " + std::to_string(rows_needed(metric, margin, confidence)) +
                      " rows");
  }
}

}  // namespace twinrun::harness
