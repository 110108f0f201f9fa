#include "harness/config/case_evaluation.h"

#include "harness/config/case_files.h"
#include "harness/config/case_sections.h"
#include "harness/config/fields.h"
#include "harness/protocol/eval.h"

namespace twinrun::harness {

using nlohmann::json;

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
  return part;
}

}  // namespace twinrun::harness
