#pragma once

#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "harness/protocol/eval.h"

namespace twinrun::harness {

/// What rows of one evaluation come to. Scores are in points, 0 to 100.
struct SliceScores {
  std::string slice;  ///< category; empty: all rows
  std::int64_t rows = 0;
  double loss = 0;        ///< nats a token: sum of nll by sum of tokens
  double perplexity = 0;  ///< its exponential
  /// None where the evaluation has no answers.
  std::optional<double> exact_match, token_f1;
  /// None where the references of all rows are no labels; accuracy is exact match then.
  std::optional<double> accuracy, macro_f1;
};

inline constexpr std::size_t kLabelsMax = 100;

/// Whether references are labels: each stands in two rows on average, and no more than kLabelsMax
/// differ after squad_normalized.
bool are_labels(std::span<const protocol::EvalItem> items);

/// Of all rows, then of each category in alphabetical order; without categories, of all alone.
std::vector<SliceScores> score_slices(std::span<const protocol::EvalItem> items);

/// Categories of the rows, in alphabetical order.
std::vector<std::string> slices_of(std::span<const protocol::EvalItem> items);

}  // namespace twinrun::harness
