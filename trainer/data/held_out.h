#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "trainer/data/dataset.h"

namespace twinrun::trainer {

/// Rows that training never sees, as evaluation uses them; entry i of each list is of row i.
struct HeldOut {
  std::vector<Sample> samples;                                   ///< labelled as training data are
  std::vector<std::optional<std::string>> categories, clusters;  ///< none where a row names none
  std::vector<std::vector<std::int64_t>> prompts;  ///< up to where the last answer begins
  std::vector<std::string> references;             ///< that answer: the assistant's last turn
};

/// Reads JSONL as load_jsonl does, with an optional `category` and `cluster` (strings that are not
/// empty).
///
/// Throws DataError (`FILE:LINE: ...`) for what load_jsonl refuses, and for a row that does not end
/// with the assistant's turn, a category or cluster that is none, and a row longer than max_length:
/// of these rows none may be missing.
HeldOut load_held_out(const DataOptions& options, const Tokenizer& tokenizer);

}  // namespace twinrun::trainer
