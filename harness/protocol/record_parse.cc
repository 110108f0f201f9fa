#include "harness/protocol/line_fields.h"
#include "harness/protocol/record_reader.h"

namespace twinrun::protocol {
namespace {

using nlohmann::json;

std::int64_t integer(const json& object, const std::string& field, std::int64_t least) {
  return integer_value(object.at(field), field, least);
}

Digest digest(const json& object, const std::string& field) {
  return digest_value(object.at(field), field);
}

std::vector<SampleId> samples(const json& object) {
  std::vector<SampleId> ids;
  for (const json& id : list_value(object.at("samples"), "samples")) {
    ids.push_back(sample_id_value(id, "samples"));
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
      fail_field("schema", std::to_string(kRecordSchema) + ", the version this program knows",
                 object.at("schema"));
    }
    header.identity = to_hex(digest(object, "identity"));
    header.arithmetic = string_value(object.at("arithmetic"), "arithmetic");
    if (header.arithmetic.empty()) fail_field("arithmetic", "a name", object.at("arithmetic"));
    header.promise = promise_value(object.at("promise"), "promise");
    header.steps = integer(object, "steps", 0);
    return header;
  });
}

Parsed<StepZero> parse_step_zero(std::string_view line) {
  return guarded<StepZero>([line] {
    const json object =
        parse_object(line, {"step", "adapter", "optimizer", "rng", "base", "chain"});
    if (integer(object, "step", 0) != 0) fail_field("step", "0", object.at("step"));
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
    step.loss = float_value(object.at("loss"), "loss");
    step.grad_norm = float_value(object.at("grad_norm"), "grad_norm");
    step.lr = double_value(object.at("lr"), "lr");
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
    if (object.at("end") != json(true)) fail_field("end", "true", object.at("end"));
    digest(object, "chain");
    return RecordEnd{integer(object, "steps", 0), digest(object, "base")};
  });
}

}  // namespace twinrun::protocol
