#pragma once

#include <optional>
#include <string>
#include <variant>

#include "harness/compare/verdict.h"
#include "harness/infer/judge_inference.h"

namespace twinrun::harness {

/// What is wrong with outputs by themselves.
struct OutputsProblem {
  Verdict verdict = Verdict::kInvalid;
  std::string reason, message;
};

/// The outputs of `source`, read and found to be of its run and made as `settings`
/// (judgement.inference) says: model, tokenizer, dtype, numerics and arithmetic of the record, the
/// adapter of its last step (`without_adapter`: of step 0, where B is zero).
///
/// What the run does not say, as a foreign trainer's may not, is not checked.
std::variant<protocol::InferenceFile, OutputsProblem> read_outputs(const OutputsSource& source,
                                                                   const nlohmann::json& settings,
                                                                   bool without_adapter);

}  // namespace twinrun::harness
