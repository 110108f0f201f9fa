#pragma once

#include <cstdint>
#include <nlohmann/json.hpp>
#include <optional>
#include <string>
#include <vector>

#include "harness/protocol/record.h"
#include "harness/protocol/sealed_file.h"

namespace twinrun::protocol {

/// Version of inference.jsonl, the outputs of a run or a reference; docs/protocol.md section 10.
inline constexpr int kInferenceSchema = 1;
inline constexpr const char* kInferenceFormat = "twinrun-inference";
inline constexpr SealedFormat kInferenceSeal = {kInferenceFormat, kInferenceSchema, "prompts",
                                                "inference outputs"};

/// What config.json's `launch.inference` may leave out.
inline constexpr std::int64_t kInferenceNewTokens = 32, kInferenceBatchSize = 8, kInferenceTop = 20;
/// Of each of the three; sums of two of them and of a prompt's length are far from what 64 bits
/// hold.
inline constexpr std::int64_t kInferenceMax = 1'000'000;

/// Line 1.
struct InferenceHeader {
  int schema = kInferenceSchema;
  std::string program;      ///< that made it: twinrun-train, transformers
  nlohmann::json versions;  ///< name to version
  Promise promise = Promise::kNone;
  std::string numerics, arithmetic;
  nlohmann::json platform;   ///< pointer without the leading slash, dots for slashes, to value
  std::string dtype;         ///< compute dtype
  nlohmann::json model;      ///< as identity.model without dtype
  nlohmann::json tokenizer;  ///< as identity.tokenizer; {} where there is none
  std::string adapter;       ///< group digest, hex
  std::int64_t prompts = 0;  ///< lines that follow
  std::int64_t max_new_tokens = 0, batch_size = 0, top = 0;
  std::optional<std::string> reference;  ///< SHA-256 of the file whose tokens were forced, hex
};

/// A token and its log-probability.
struct TokenLogprob {
  std::int64_t id = 0;
  float logprob = 0;
};

/// What the tokens of a reference got, with the reference's own tokens before each.
struct ForcedTokens {
  std::vector<float> logprobs;          ///< of the tokens
  std::vector<TokenLogprob> best;       ///< the most probable token at each position
  std::vector<std::vector<float>> top;  ///< of the tokens in the reference's `top`, in its order
};

enum class Finish { kStop, kLength };
std::string to_string(Finish finish);  ///< stop, length

/// One prompt's line.
struct PromptOutput {
  std::int64_t prompt = 0;
  SampleId id;
  std::optional<std::string> text;  ///< rendered; none where the prompt came as ids
  std::vector<std::int64_t> ids, tokens;
  std::optional<std::string> completion;  ///< UTF-8
  Finish finish = Finish::kLength;
  std::vector<float> logprobs;                 ///< one a token
  std::vector<std::vector<TokenLogprob>> top;  ///< one list a token, falling
  std::optional<ForcedTokens> forced;
};

/// The lines, without a line feed. Throw std::invalid_argument for a string that is not UTF-8.
std::string format_inference_header(const InferenceHeader& header);
std::string format_inference_prompt(const PromptOutput& output);

/// The whole file: header, a line for each of `outputs`, and the end line with the SHA-256 of every
/// byte before it. REQUIRES: header.prompts is their number.
std::string format_inference(const InferenceHeader& header,
                             const std::vector<PromptOutput>& outputs);

}  // namespace twinrun::protocol
