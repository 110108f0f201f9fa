#include "harness/protocol/record.h"

#include "harness/protocol/canonical_json.h"
#include "harness/protocol/line_text.h"

namespace twinrun::protocol {
namespace {

template <typename Float>
void append_float(std::string& out, std::string_view key, Float value) {
  out.append(",\"").append(key).append("\":");
  append_number(out, value);
}

void append_integer(std::string& out, std::string_view key, std::int64_t value) {
  out.append(",\"").append(key).append("\":").append(std::to_string(value));
}

void append_digest(std::string& out, std::string_view key, const Digest& digest) {
  out.append(",\"").append(key).append("\":\"").append(to_hex(digest)).append("\"");
}

}  // namespace

std::string format_header(const RecordHeader& header) {
  std::string line = "{\"schema\":" + std::to_string(header.schema) + ",\"identity\":";
  append_json_string(line, header.identity);
  line += ",\"arithmetic\":";
  append_json_string(line, header.arithmetic);
  line += ",\"promise\":\"" + to_string(header.promise) + "\"";
  append_integer(line, "steps", header.steps);
  line += '}';
  return line;
}

std::string format_step_zero(const StepZero& state) {
  std::string line = "{\"step\":0";
  append_digest(line, "adapter", state.adapter);
  append_digest(line, "optimizer", state.optimizer);
  append_digest(line, "rng", state.rng);
  append_digest(line, "base", state.base);
  return line;
}

std::string format_step(const StepRecord& step) {
  std::string line = "{\"step\":" + std::to_string(step.step);
  append_float(line, "loss", step.loss);
  append_float(line, "grad_norm", step.grad_norm);
  append_float(line, "lr", step.lr);
  append_integer(line, "tokens", step.tokens);
  append_integer(line, "loss_tokens", step.loss_tokens);
  line += ",\"samples\":[";
  for (std::size_t i = 0; i < step.samples.size(); ++i) {
    if (i > 0) line += ',';
    append_sample_id(line, step.samples[i]);
  }
  line += ']';
  append_digest(line, "batch", step.batch);
  append_digest(line, "grad", step.grad);
  append_digest(line, "adapter", step.adapter);
  append_digest(line, "optimizer", step.optimizer);
  append_digest(line, "rng", step.rng);
  return line;
}

std::string format_end(const RecordEnd& end) {
  std::string line = "{\"end\":true";
  append_integer(line, "steps", end.steps);
  append_digest(line, "base", end.base);
  return line;
}

Digest chain_next(const Digest& previous, std::string_view line_without_chain) {
  thread_local Sha256 hasher;
  hasher.update(std::as_bytes(std::span(previous)));
  return hasher.update(line_without_chain).finish();
}

std::string with_chain(std::string_view line_without_chain, const Digest& chain) {
  std::string line(line_without_chain);
  append_digest(line, "chain", chain);
  line += '}';
  return line;
}

}  // namespace twinrun::protocol
