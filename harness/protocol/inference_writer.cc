#include "harness/protocol/canonical_json.h"
#include "harness/protocol/inference.h"
#include "harness/protocol/line_text.h"

namespace twinrun::protocol {
namespace {

/// `[a,b,...]`, `append` writing each.
template <typename Value, typename Append>
void append_list(std::string& out, const std::vector<Value>& values, Append append) {
  out += '[';
  for (std::size_t i = 0; i < values.size(); ++i) {
    if (i > 0) out += ',';
    append(values[i]);
  }
  out += ']';
}

void append_quoted_bits(std::string& out, float value) {
  out += '"';
  append_bits(out, value);
  out += '"';
}

class Line {
 public:
  explicit Line(std::string& out) : out_(out) {}

  void numbers(const std::vector<float>& values) {
    append_list(out_, values, [&](float value) { append_number(out_, value); });
  }
  void ids(const std::vector<std::int64_t>& values) {
    append_list(out_, values, [&](std::int64_t id) { out_ += std::to_string(id); });
  }
  void pairs(const std::vector<TokenLogprob>& values) {
    append_list(out_, values, [&](const TokenLogprob& value) {
      out_ += '[' + std::to_string(value.id) + ',';
      append_quoted_bits(out_, value.logprob);
      out_ += ']';
    });
  }
  void bits(const std::vector<float>& values) {
    append_list(out_, values, [&](float value) { append_quoted_bits(out_, value); });
  }

 private:
  std::string& out_;
};

void append_forced(std::string& out, const ForcedTokens& forced) {
  Line line(out);
  out += "{\"logprobs\":";
  line.numbers(forced.logprobs);
  out += ",\"best\":";
  line.pairs(forced.best);
  out += ",\"top\":";
  append_list(out, forced.top, [&](const std::vector<float>& values) { line.bits(values); });
  out += '}';
}

}  // namespace

std::string format_inference_header(const InferenceHeader& header) {
  std::string out = "{\"schema\":" + std::to_string(header.schema);
  append_text(out, "format", std::string(kInferenceFormat));
  append_key(out, "made_by");
  out += "{\"program\":";
  append_json_string(out, header.program);
  append_key(out, "versions");
  out += canonical_json(header.versions) + "}";
  append_text(out, "promise", to_string(header.promise));
  append_text(out, "numerics", header.numerics);
  append_text(out, "arithmetic", header.arithmetic);
  append_key(out, "platform");
  out += canonical_json(header.platform);
  append_text(out, "dtype", header.dtype);
  append_key(out, "model");
  out += canonical_json(header.model);
  append_key(out, "tokenizer");
  out += canonical_json(header.tokenizer);
  append_text(out, "adapter", header.adapter);
  for (const auto& [key, value] : {std::pair{"prompts", header.prompts},
                                   {"max_new_tokens", header.max_new_tokens},
                                   {"batch_size", header.batch_size},
                                   {"top", header.top}}) {
    append_key(out, key);
    out += std::to_string(value);
  }
  append_text(out, "reference", header.reference);
  return out + '}';
}

std::string to_string(Finish finish) { return finish == Finish::kStop ? "stop" : "length"; }

std::string format_inference_prompt(const PromptOutput& output) {
  std::string out = "{\"prompt\":" + std::to_string(output.prompt);
  Line line(out);
  append_key(out, "id");
  append_sample_id(out, output.id);
  append_text(out, "text", output.text);
  append_key(out, "ids");
  line.ids(output.ids);
  append_key(out, "tokens");
  line.ids(output.tokens);
  append_text(out, "completion", output.completion);
  append_text(out, "finish", to_string(output.finish));
  append_key(out, "logprobs");
  line.numbers(output.logprobs);
  append_key(out, "top");
  append_list(out, output.top,
              [&](const std::vector<TokenLogprob>& tokens) { line.pairs(tokens); });
  append_key(out, "forced");
  if (output.forced) {
    append_forced(out, *output.forced);
  } else {
    out += "null";
  }
  return out + '}';
}

std::string format_inference(const InferenceHeader& header,
                             const std::vector<PromptOutput>& outputs) {
  std::string text = format_inference_header(header) + '\n';
  for (const auto& output : outputs) text += format_inference_prompt(output) + '\n';
  return text +
         sealing_line(kInferenceSeal, static_cast<std::int64_t>(outputs.size()), sha256(text));
}

}  // namespace twinrun::protocol
