#pragma once

#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "harness/protocol/inference.h"
#include "trainer/infer/padded_batch.h"
#include "trainer/model/llama.h"
#include "trainer/tokenizer/tokenizer.h"

namespace twinrun::trainer {

struct GenerateOptions {
  std::int64_t max_new_tokens = 0;
  std::int64_t batch_size = 0;
  std::int64_t top = 0;                         ///< of each position this many tokens are kept
  std::optional<std::int64_t> stop_token = {};  ///< none: every answer has max_new_tokens
  std::int64_t pad_token = 0;
};

/// The answer to one prompt.
struct Generated {
  std::vector<std::int64_t> tokens;  ///< with the stop token where it was drawn
  protocol::Finish finish = protocol::Finish::kLength;
  std::vector<float> logprobs;
  std::vector<std::vector<protocol::TokenLogprob>> top;
};

/// What of a reference is forced upon the model behind a prompt.
struct ForcedInput {
  TokenIds tokens;            ///< at least one
  std::vector<TokenIds> top;  ///< whose log-probabilities are wanted at each of them
};

// Both take the prompts in order in batches of batch_size, the last one filled up with copies of
// its last prompt, each padded on the right to its longest row: docs/protocol.md section 10. Throw
// std::runtime_error naming the prompt where a log-probability comes out that is not finite.
// REQUIRES: no prompt is empty.

/// Greedy: each token is the most probable one, of equals that with the smaller id.
std::vector<Generated> generate(Llama& model, std::span<const TokenIds> prompts,
                                const GenerateOptions& options, at::Device device);

/// Teacher-forced: what the model says at each of the tokens, with those of the reference before.
/// REQUIRES: one input a prompt.
std::vector<protocol::ForcedTokens> force(Llama& model, std::span<const TokenIds> prompts,
                                          std::span<const ForcedInput> inputs,
                                          const GenerateOptions& options, at::Device device);

/// An answer as text, without the token that ends it. UTF-8.
std::string answer_text(const Generated& answer, const Tokenizer& tokenizer);

}  // namespace twinrun::trainer
