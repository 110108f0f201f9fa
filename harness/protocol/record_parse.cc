#include <bit>
#include <cmath>
#include <initializer_list>
#include <limits>
#include <stdexcept>

#include "harness/protocol/record_reader.h"
#include "harness/protocol/strict_json.h"

namespace twinrun::protocol {
namespace {

using nlohmann::json;

// Thrown and caught within this file only: it ends the reading of a line at the first bad field.
struct BadField : std::runtime_error {
  using std::runtime_error::runtime_error;
};

json parse_object(std::string_view line, std::initializer_list<const char*> fields) {
  std::string problem;
  std::optional<json> object = parse_strict_json(line, problem);
  if (!object) throw BadField(problem);
  if (!object->is_object()) throw BadField("not a JSON object");
  for (const char* field : fields) {
    if (!object->contains(field)) throw BadField("field '" + std::string(field) + "' is missing");
  }
  if (object->size() == fields.size()) return std::move(*object);
  for (const auto& item : object->items()) {
    bool known = false;
    for (const char* field : fields) known = known || item.key() == field;
    if (!known) throw BadField("unknown field '" + item.key() + "'");
  }
  return std::move(*object);
}

[[noreturn]] void fail(const std::string& field, const std::string& wanted, const json& found) {
  constexpr std::size_t kShownMax = 80;
  std::string text = found.dump();
  if (text.size() > kShownMax) text = text.substr(0, kShownMax) + "...";
  throw BadField("field '" + field + "' should be " + wanted + ", found " + text);
}

std::int64_t integer_value(const json& value, const std::string& field, std::int64_t least) {
  const std::string wanted = "an integer from " + std::to_string(least);
  if (!value.is_number_integer()) fail(field, wanted, value);
  if (value.is_number_unsigned() &&
      value.get<std::uint64_t>() > std::uint64_t{std::numeric_limits<std::int64_t>::max()}) {
    fail(field, wanted, value);
  }
  const auto number = value.get<std::int64_t>();
  if (number < least) fail(field, wanted, value);
  return number;
}

std::int64_t integer(const json& object, const std::string& field, std::int64_t least) {
  return integer_value(object.at(field), field, least);
}

std::string string(const json& object, const std::string& field) {
  const json& value = object.at(field);
  if (!value.is_string()) fail(field, "a string", value);
  return value.get<std::string>();
}

Digest digest(const json& object, const std::string& field) {
  const json& value = object.at(field);
  const auto parsed =
      value.is_string() ? digest_from_hex(value.get_ref<const std::string&>()) : std::nullopt;
  if (!parsed) fail(field, "64 lower-case hex digits", value);
  return *parsed;
}

// Value for people against bits: the decimal has to read back as the number that the bits are.
template <typename Float, typename Bits>
Float number(const json& object, const std::string& field) {
  const json& pair = object.at(field);
  if (!pair.is_object() || pair.size() != 2 || !pair.contains("bits") || !pair.contains("value")) {
    fail(field, "an object of 'bits' and 'value'", pair);
  }
  const std::string text = string(pair, "bits");
  Bits bits = 0;
  bool good = text.size() == 2 * sizeof bits;
  for (const char c : text) {
    const bool hex = (c >= '0' && c <= '9') || (c >= 'a' && c <= 'f');
    good = good && hex;
    bits = static_cast<Bits>(bits << 4 | (c <= '9' ? c - '0' : c - 'a' + 10));
  }
  if (!good) {
    fail(field + ".bits", std::to_string(2 * sizeof bits) + " lower-case hex digits", pair);
  }
  const Float result = std::bit_cast<Float>(bits);
  const json& value = pair.at("value");
  const bool agrees = std::isfinite(result)
                          ? value.is_number() && static_cast<Float>(value.get<double>()) == result
                          : value.is_null();
  if (!agrees) fail(field + ".value", "the number that the bits are (null if not finite)", pair);
  return result;
}

std::vector<SampleId> samples(const json& object) {
  const json& list = object.at("samples");
  if (!list.is_array()) fail("samples", "an array", list);
  std::vector<SampleId> ids;
  for (const json& id : list) {
    if (id.is_string()) {
      ids.emplace_back(id.get<std::string>());
    } else {
      ids.emplace_back(integer_value(id, "samples", std::numeric_limits<std::int64_t>::min()));
    }
  }
  return ids;
}

template <typename T, typename Read>
Parsed<T> guarded(Read read) {
  try {
    return read();
  } catch (const BadField& problem) {
    return LineProblem{problem.what()};
  }
}

}  // namespace

Parsed<RecordHeader> parse_header(std::string_view line) {
  return guarded<RecordHeader>([line] {
    const json object =
        parse_object(line, {"schema", "identity", "arithmetic", "promise", "steps"});
    RecordHeader header;
    if (object.at("schema") != json(kRecordSchema) || !object.at("schema").is_number_integer()) {
      fail("schema", std::to_string(kRecordSchema) + ", the version this program knows",
           object.at("schema"));
    }
    header.identity = to_hex(digest(object, "identity"));
    header.arithmetic = string(object, "arithmetic");
    if (header.arithmetic.empty()) fail("arithmetic", "a name", object.at("arithmetic"));
    const std::string promise = string(object, "promise");
    if (promise != "bitwise" && promise != "none") {
      fail("promise", "bitwise or none", object.at("promise"));
    }
    header.promise = promise == "bitwise" ? Promise::kBitwise : Promise::kNone;
    header.steps = integer(object, "steps", 0);
    return header;
  });
}

Parsed<StepZero> parse_step_zero(std::string_view line) {
  return guarded<StepZero>([line] {
    const json object =
        parse_object(line, {"step", "adapter", "optimizer", "rng", "base", "chain"});
    if (integer(object, "step", 0) != 0) fail("step", "0", object.at("step"));
    digest(object, "chain");
    return StepZero{digest(object, "adapter"), digest(object, "optimizer"), digest(object, "rng"),
                    digest(object, "base")};
  });
}

Parsed<StepRecord> parse_step(std::string_view line) {
  return guarded<StepRecord>([line] {
    const json object =
        parse_object(line, {"step", "loss", "grad_norm", "lr", "tokens", "loss_tokens", "samples",
                            "batch", "grad", "adapter", "optimizer", "rng", "chain"});
    StepRecord step;
    step.step = integer(object, "step", 1);
    step.loss = number<float, std::uint32_t>(object, "loss");
    step.grad_norm = number<float, std::uint32_t>(object, "grad_norm");
    step.lr = number<double, std::uint64_t>(object, "lr");
    step.tokens = integer(object, "tokens", 0);
    step.loss_tokens = integer(object, "loss_tokens", 0);
    step.samples = samples(object);
    step.batch = digest(object, "batch");
    step.grad = digest(object, "grad");
    step.adapter = digest(object, "adapter");
    step.optimizer = digest(object, "optimizer");
    step.rng = digest(object, "rng");
    digest(object, "chain");
    return step;
  });
}

Parsed<RecordEnd> parse_end(std::string_view line) {
  return guarded<RecordEnd>([line] {
    const json object = parse_object(line, {"end", "steps", "base", "chain"});
    if (object.at("end") != json(true)) fail("end", "true", object.at("end"));
    digest(object, "chain");
    return RecordEnd{integer(object, "steps", 0), digest(object, "base")};
  });
}

}  // namespace twinrun::protocol
