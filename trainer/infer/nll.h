#pragma once

#include <span>
#include <vector>

#include "trainer/data/dataset.h"
#include "trainer/model/llama.h"

namespace twinrun::trainer {

/// Teacher-forced, without dropout: of each sample the sum of its labelled tokens' negative
/// log-likelihoods in nats, float32 values added in float64 in the order of the sample. One batch
/// of `batch_size` rows, of which `samples` are the first and the others copies of the last, padded
/// on the right to its longest.
///
/// Throws std::runtime_error where a log-probability of a labelled token is not finite.
/// REQUIRES: 1 <= samples.size() <= batch_size.
std::vector<double> negative_log_likelihoods(Llama& model, std::span<const Sample> samples,
                                             std::int64_t batch_size, std::int64_t pad_token,
                                             at::Device device);

}  // namespace twinrun::trainer
