#include "harness/protocol/eval_reader.h"
#include "harness/protocol/line_fields.h"

namespace twinrun::protocol {
namespace {

using nlohmann::json;

std::optional<std::string> text_or_null(const json& object, const char* field, bool there) {
  const json& value = object.at(field);
  if (value.is_null() && !there) return std::nullopt;
  if (!value.is_string() || !there) {
    fail_field(field, there ? "a text" : "null, since the header asks for no answers", value);
  }
  return value.get<std::string>();
}

std::optional<std::string> name_or_null(const json& object, const char* field) {
  const json& value = object.at(field);
  if (value.is_null()) return std::nullopt;
  std::string name = value.is_string() ? value.get<std::string>() : "";
  if (name.empty()) fail_field(field, "a name or null", value);
  return name;
}

std::optional<Finish> finish_value(const json& object, bool answers) {
  const auto text = text_or_null(object, "finish", answers);
  if (!text) return std::nullopt;
  if (*text != "stop" && *text != "length") {
    fail_field("finish", "stop or length", object.at("finish"));
  }
  return *text == "stop" ? Finish::kStop : Finish::kLength;
}

EvalItem eval_item(const json& object, const EvalHeader& header) {
  EvalItem item;
  item.step = integer_value(object.at("step"), "step", 1);
  item.item = integer_value(object.at("item"), "item", 0);
  item.id = sample_id_value(object.at("id"), "id");
  item.category = name_or_null(object, "category");
  item.cluster = name_or_null(object, "cluster");
  item.tokens = integer_value(object.at("tokens"), "tokens", 1);
  item.nll = double_value(object.at("nll"), "nll");
  if (item.nll < 0) {
    fail_field("nll", "a sum of negative logarithms of probabilities, not below 0",
               object.at("nll"));
  }
  const bool answers = header.max_new_tokens > 0;
  item.answer = text_or_null(object, "answer", answers);
  item.reference = string_value(object.at("reference"), "reference");
  item.finish = finish_value(object, answers);
  return item;
}

}  // namespace

Parsed<EvalHeader> parse_eval_header(std::string_view line) {
  try {
    const json object =
        parse_object(line, {"schema", "format", "identity", "data", "items", "every", "last",
                            "max_new_tokens", "batch_size", "max_length"});
    EvalHeader header;
    if (object.at("schema") != json(kEvalSchema) || !object.at("schema").is_number_integer()) {
      fail_field("schema", std::to_string(kEvalSchema) + ", the version this program knows",
                 object.at("schema"));
    }
    if (object.at("format") != kEvalFormat) fail_field("format", kEvalFormat, object.at("format"));
    header.identity = to_hex(digest_value(object.at("identity"), "identity"));
    header.data = to_hex(digest_value(object.at("data"), "data"));
    header.items = integer_value(object.at("items"), "items", 1);
    header.every = integer_value(object.at("every"), "every", 0);
    header.last = integer_value(object.at("last"), "last", 1);
    header.max_new_tokens = integer_value(object.at("max_new_tokens"), "max_new_tokens", 0);
    header.batch_size = integer_value(object.at("batch_size"), "batch_size", 1);
    header.max_length = integer_value(object.at("max_length"), "max_length", 1);
    return header;
  } catch (const BadField& problem) {
    return LineProblem{problem.what()};
  }
}

Parsed<EvalItem> parse_eval_item(std::string_view line, const EvalHeader& header) {
  try {
    return eval_item(parse_object(line, {"step", "item", "id", "category", "cluster", "tokens",
                                         "nll", "answer", "reference", "finish"}),
                     header);
  } catch (const BadField& problem) {
    return LineProblem{problem.what()};
  }
}

}  // namespace twinrun::protocol
