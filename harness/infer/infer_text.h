#pragma once

#include <string>

#include "harness/infer/compare_outputs.h"

namespace twinrun::harness {

// Words of the messages about outputs.

/// Three significant digits.
std::string measure_text(double value);
std::string sample_id_text(const protocol::SampleId& id);
/// `prompt 2 (greeting/3)`.
std::string prompt_text(const protocol::InferenceFile& file, std::int64_t prompt);
/// `token 4 of prompt 2 (greeting/3)`.
std::string place_text(const protocol::InferenceFile& file, const TokenPlace& at);
/// `differ from OTHER at token 4 of prompt 2 (greeting/3), in tokens: 17, there 12`. `a` is the
/// file that `first` calls a, and OTHER its name.
std::string difference_text(const protocol::InferenceFile& a, const OutputDifference& first,
                            const std::string& other);
/// The first field in which the two differ, with both values.
std::string first_field_text(const nlohmann::json& here, const nlohmann::json& there);

/// What outputs with `header` were made with that is not of `identity`: `another model: FIELDS`,
/// `dtype bfloat16 where float32 is configured`, `another tokenizer: FIELDS`; empty if nothing.
/// What the identity does not say is not looked at.
std::string made_with_another(const protocol::InferenceHeader& header,
                              const nlohmann::json& identity);

}  // namespace twinrun::harness
