#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "harness/protocol/inference.h"
#include "harness/protocol/sealed_file.h"

namespace twinrun::protocol {

/// Version of eval.jsonl, what a run made of a held-out file; docs/protocol.md section 13.
inline constexpr int kEvalSchema = 1;
inline constexpr const char* kEvalFormat = "twinrun-eval";
inline constexpr SealedFormat kEvalSeal = {kEvalFormat, kEvalSchema, "lines", "evaluations"};

/// What `evaluation:` of a case may leave out.
inline constexpr std::int64_t kEvalNewTokens = 32, kEvalBatchSize = 8;
/// Of each number of the section; sums of two of them are far from what 64 bits hold.
inline constexpr std::int64_t kEvalMax = 1'000'000;

/// Line 1.
struct EvalHeader {
  int schema = kEvalSchema;
  std::string identity;    ///< identity digest of the run, hex
  std::string data;        ///< SHA-256 of the held-out file, hex
  std::int64_t items = 0;  ///< rows of that file, each of them evaluated
  std::int64_t every = 0;  ///< an evaluation after every so many steps; 0: after the last alone
  std::int64_t last = 0;   ///< the last step of the run, which is always evaluated
  std::int64_t max_new_tokens = 0;  ///< of an answer; 0: no answers
  std::int64_t batch_size = 0;
  std::int64_t max_length = 0;  ///< no row is longer, in tokens

  /// The first step behind `step` that is evaluated; nullopt behind the last.
  std::optional<std::int64_t> next_after(std::int64_t step) const;
  bool is_evaluated(std::int64_t step) const;
  /// How many steps are.
  std::int64_t evaluations() const;
};

/// What one row of the held-out file came to after one step.
struct EvalItem {
  std::int64_t step = 0;
  std::int64_t item = 0;  ///< row of the file, from 0
  SampleId id;
  std::optional<std::string> category;
  std::optional<std::string> cluster;  ///< what it shares with others (a text that is asked about)
  std::int64_t tokens = 0;             ///< labelled ones, at least 1
  /// Sum of the negative log-likelihoods of these tokens in nats, each with the row's own tokens
  /// before it: float32 values, added in float64 in the order of the row.
  double nll = 0;
  std::optional<std::string> answer;  ///< greedy; UTF-8; none where the header asks for none
  std::string reference;              ///< the last turn of the assistant; UTF-8
  std::optional<Finish> finish;       ///< of the answer

  /// Mean negative log-likelihood per labelled token: the row's loss, its logarithm of perplexity.
  double loss() const { return nll / static_cast<double>(tokens); }
};

/// The lines, without a line feed. Throw std::invalid_argument for a string that is not UTF-8.
std::string format_eval_header(const EvalHeader& header);
std::string format_eval_item(const EvalItem& item);

}  // namespace twinrun::protocol
