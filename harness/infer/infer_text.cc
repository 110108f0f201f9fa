#include "harness/infer/infer_text.h"

#include "harness/compare/comparability.h"
#include "harness/report/json_fields.h"
#include "harness/report/text.h"

namespace twinrun::harness {

using protocol::InferenceFile;

std::string measure_text(double value) { return number_text("%.3g", value); }

std::string sample_id_text(const protocol::SampleId& id) {
  if (const auto* integer = std::get_if<std::int64_t>(&id)) return std::to_string(*integer);
  return std::get<std::string>(id);
}

std::string prompt_text(const InferenceFile& file, std::int64_t prompt) {
  return "prompt " + std::to_string(prompt) + " (" +
         sample_id_text(file.outputs[static_cast<std::size_t>(prompt)].id) + ")";
}

std::string place_text(const InferenceFile& file, const TokenPlace& at) {
  return "token " + std::to_string(at.position) + " of " + prompt_text(file, at.prompt);
}

std::string difference_text(const InferenceFile& a, const OutputDifference& first,
                            const std::string& other) {
  const std::string place = first.position < 0 ? prompt_text(a, first.prompt)
                                               : place_text(a, {first.prompt, first.position});
  const bool told = !first.a.empty() || !first.b.empty();
  return "differ from " + other + " at " + place + ", in " + first.field +
         (told ? ": " + first.b + ", there " + first.a : "");
}

std::string first_field_text(const nlohmann::json& here, const nlohmann::json& there) {
  const auto differences = json_differences(here, there);
  if (differences.empty()) return "nothing";
  const Difference& first = differences.front();
  return first.field + " is " + first.a.dump() + " here and " + first.b.dump() + " there";
}

std::string made_with_another(const protocol::InferenceHeader& header,
                              const nlohmann::json& identity) {
  nlohmann::json model = at(identity, "/model");
  const std::string dtype = text_at(model, "/dtype");
  if (model.is_object()) {
    model.erase("dtype");
    if (model != header.model) return "another model: " + first_field_text(model, header.model);
  }
  if (!dtype.empty() && dtype != header.dtype) {
    return "dtype " + header.dtype + " where " + dtype + " is configured";
  }
  const nlohmann::json tokenizer = at(identity, "/tokenizer");
  if (tokenizer.is_object() && tokenizer != header.tokenizer) {
    return "another tokenizer: " + first_field_text(tokenizer, header.tokenizer);
  }
  return {};
}

}  // namespace twinrun::harness
