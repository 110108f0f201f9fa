#include "harness/config/case_evaluation.h"

#include <fstream>
#include <vector>

#include "harness/calibrate/settings.h"
#include "harness/config/case_files.h"
#include "harness/config/case_sections.h"
#include "harness/config/fields.h"
#include "harness/evaluate/metrics.h"
#include "harness/protocol/eval.h"
#include "harness/report/text.h"
#include "harness/stats/equivalence.h"

namespace twinrun::harness {
namespace {

using nlohmann::json;

/// What is wrong with a row is the trainer's to say, which reads all of it.
RowClusters count_rows(const std::filesystem::path& file) {
  std::ifstream stream(file, std::ios::binary);
  std::vector<protocol::EvalItem> rows;
  for (std::string line; std::getline(stream, line);) {
    if (line.find_first_not_of(" \t\r") == std::string::npos) continue;
    const json row = json::parse(line, nullptr, false);
    rows.emplace_back();
    const auto cluster = row.is_object() ? row.find("cluster") : row.end();
    if (cluster == row.end() || !cluster->is_string()) continue;
    rows.back().cluster = cluster->get<std::string>();
  }
  return count_clusters(cluster_numbers(rows));
}

/// How many clusters like these show `margin` if every one is the same; doubling, then halving the
/// gap.
std::int64_t clusters_needed(const std::string& metric, double largest_by_mean, double margin,
                             double confidence) {
  const auto shows = [&](std::int64_t clusters) {
    return *least_margin(metric, clusters, largest_by_mean, confidence) < margin;
  };
  std::int64_t few = 1, enough = 1;
  while (!shows(enough)) few = enough, enough *= 2;
  while (enough - few > 1) {
    const std::int64_t middle = few + (enough - few) / 2;
    (shows(middle) ? enough : few) = middle;
  }
  return enough;
}

void check_margin(const YamlNode& node, const std::string& metric, double margin,
                  const RowClusters& rows, double confidence) {
  const double largest = rows.largest_by_mean();
  const auto least = least_margin(metric, rows.clusters, largest, confidence);
  if (!least || *least < margin) return;
  fail_at(node, "the margin of " + number_text("%g", margin) + " for " + metric +
                    " is below what can be shown: " + rows_words(rows) +
                    ", all of them alike, show " + number_text("%.4g", *least) + "; it takes " +
                    std::to_string(clusters_needed(metric, largest, margin, confidence)) +
                    (rows.independent() ? " rows" : " clusters like these"));
}

}  // namespace

std::string rows_words(const RowClusters& rows) {
  const std::string words = count_of(rows.rows, "held-out row");
  return rows.independent() ? words : words + " in " + count_of(rows.clusters, "cluster");
}

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
  if (part.rows.rows == 0) fail_at(named, path.string() + ": has no rows");
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
    check_margin(node, metric, value.get<double>(), evaluation->rows, confidence);
  }
}

}  // namespace twinrun::harness
