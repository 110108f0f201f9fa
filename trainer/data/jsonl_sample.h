#pragma once

#include <cstdint>
#include <nlohmann/json.hpp>
#include <string>

#include "trainer/data/dataset.h"
#include "trainer/data/template.h"
#include "trainer/tokenizer/tokenizer.h"

namespace twinrun::trainer {

// A line of data that has its answer: what readers of training data and of held-out data have in
// common.

/// Throws DataError unless `loss_on` is response or all.
void require_loss_on(const std::string& loss_on);

/// The line's tokens and labels. Throws LineError as Template does.
Sample sample_of(const nlohmann::json& object, std::int64_t line_index, const Template& rendering,
                 const std::string& loss_on, const Tokenizer& tokenizer);

/// Throws LineError where no label is used: no token behind the first has one.
void require_label(const Sample& sample);

}  // namespace twinrun::trainer
