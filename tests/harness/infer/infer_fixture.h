#pragma once

#include "harness/infer/judge_inference.h"
#include "tests/harness/inference_fixture.h"

namespace twinrun::harness {

/// `toy` as if it had been read from a file.
inline protocol::InferenceFile as_file(const test::ToyInference& toy) {
  return {protocol::sha256(toy.text()), toy.header, toy.outputs};
}

/// `toy` as another implementation's.
inline test::ToyInference as_other(test::ToyInference toy) {
  toy.header.program = "transformers";
  toy.header.promise = protocol::Promise::kNone;
  toy.header.numerics = "transformers";
  toy.header.arithmetic = "pytorch-eager";
  toy.header.platform = nlohmann::json::object();
  return toy;
}

inline InferenceBounds toy_bounds() {
  return {.max_logprob_diff = 0.01,
          .mean_logprob_diff = 0.005,
          .kl = 1e-3,
          .mean_kl = 1e-4,
          .top1_agreement = 0.9,
          .tie_gap = 0.02};
}

}  // namespace twinrun::harness
