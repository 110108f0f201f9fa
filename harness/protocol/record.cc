#include "harness/protocol/record.h"

#include <bit>
#include <charconv>
#include <cmath>

#include "harness/protocol/canonical_json.h"

namespace twinrun::protocol {
namespace {

template <typename Bits>
void append_bits(std::string& out, Bits bits) {
  static constexpr char kDigits[] = "0123456789abcdef";
  for (int shift = 8 * static_cast<int>(sizeof bits) - 4; shift >= 0; shift -= 4) {
    out += kDigits[(bits >> shift) & 15];
  }
}

// std::to_chars rather than printf: a locale set by a library must not turn the point to a comma.
template <typename Float>
void append_value(std::string& out, Float value) {
  if (!std::isfinite(value)) {
    out += "null";
    return;
  }
  char buffer[40];
  const int digits = sizeof value == 4 ? 9 : 17;
  const auto end =
      std::to_chars(buffer, buffer + sizeof buffer, value, std::chars_format::general, digits);
  out.append(buffer, end.ptr);
}

void append_float(std::string& out, std::string_view key, float value) {
  out.append(",\"").append(key).append("\":{\"bits\":\"");
  append_bits(out, std::bit_cast<std::uint32_t>(value));
  out += "\",\"value\":";
  append_value(out, value);
  out += '}';
}

void append_double(std::string& out, std::string_view key, double value) {
  out.append(",\"").append(key).append("\":{\"bits\":\"");
  append_bits(out, std::bit_cast<std::uint64_t>(value));
  out += "\",\"value\":";
  append_value(out, value);
  out += '}';
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
  line +=
      header.promise == Promise::kBitwise ? ",\"promise\":\"bitwise\"" : ",\"promise\":\"none\"";
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
  append_double(line, "lr", step.lr);
  append_integer(line, "tokens", step.tokens);
  append_integer(line, "loss_tokens", step.loss_tokens);
  line += ",\"samples\":[";
  for (std::size_t i = 0; i < step.samples.size(); ++i) {
    if (i > 0) line += ',';
    if (const auto* number = std::get_if<std::int64_t>(&step.samples[i])) {
      line += std::to_string(*number);
    } else {
      append_json_string(line, std::get<std::string>(step.samples[i]));
    }
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
