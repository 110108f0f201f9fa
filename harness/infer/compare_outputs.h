#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "harness/compare/compare.h"
#include "harness/infer/bounds.h"
#include "harness/protocol/inference_reader.h"

namespace twinrun::harness {

/// Where two files of outputs first differ.
struct OutputDifference {
  std::int64_t prompt = 0;
  std::int64_t position = -1;  ///< token; -1: of the whole prompt
  std::string field;           ///< ids, tokens, logprobs, top, finish, completion, text, forced
  std::string a, b;            ///< token id, bits, or text
};

/// Two files bit for bit.
struct BitwiseOutputs {
  std::int64_t prompts = 0, tokens = 0;  ///< compared
  std::int64_t prompts_differing = 0;
  std::optional<OutputDifference> first;
};
/// Prompt by prompt, at each token the id, the log-probability's bits, then `top`. `with_forced`:
/// what the tokens of the reference got, too. REQUIRES: as many prompts in both.
BitwiseOutputs compare_bits(const protocol::InferenceFile& a, const protocol::InferenceFile& b,
                            bool with_forced);

/// A token of the reference.
struct TokenPlace {
  std::int64_t prompt = 0, position = 0;
};

/// A position at which reference and run choose different tokens.
struct ChoiceDifference {
  TokenPlace at;
  std::int64_t reference_token = 0, run_token = 0;
  /// By how much each prefers its own token to the other's, in nats; nullopt if the other's is not
  /// among the tokens that it keeps.
  std::optional<double> reference_gap, run_gap;
  bool near_tie = false;  ///< both gaps are known and within InferenceBounds::tie_gap
};

/// What the reference's tokens got, with its own tokens before each.
struct ForcedMeasure {
  std::int64_t tokens = 0;
  double max_logprob_diff = 0, mean_logprob_diff = 0;
  double max_kl = 0, mean_kl = 0;  ///< nats; >= 0
  double top1_agreement = 0;
  TokenPlace max_logprob_diff_at, max_kl_at;
  std::vector<ChoiceDifference> choices;  ///< positions with another most probable token
};
/// REQUIRES: `outputs` has forced tokens of the shape of `reference`.
ForcedMeasure measure_forced(const protocol::InferenceFile& reference,
                             const protocol::InferenceFile& outputs, double tie_gap);

/// Each prompt up to where run and reference first part; what follows there has other tokens before
/// it and says nothing.
struct GreedyMeasure {
  std::int64_t prompts = 0, identical = 0;
  std::int64_t tokens = 0;  ///< equal ones before the first divergence of each prompt
  std::vector<ChoiceDifference> divergences;
};
GreedyMeasure measure_greedy(const protocol::InferenceFile& reference,
                             const protocol::InferenceFile& outputs, double tie_gap);

/// KL divergence in nats of two distributions, known by the log-probabilities of the same tokens;
/// the rest of the mass is one more outcome, taken as at least 1e-6 on either side, which is what
/// float32 can tell of it.
double kl_divergence(const std::vector<double>& p_logprobs, const std::vector<double>& q_logprobs);

}  // namespace twinrun::harness
