#include "trainer/infer/nll.h"

#include <ATen/ATen.h>

#include <algorithm>
#include <cmath>
#include <stdexcept>
#include <string>

#include "trainer/infer/padded_batch.h"

namespace twinrun::trainer {

std::vector<double> negative_log_likelihoods(Llama& model, std::span<const Sample> samples,
                                             std::int64_t batch_size, std::int64_t pad_token,
                                             at::Device device) {
  const auto batch = pad(rows_of_batch(0, samples.size(), batch_size,
                                       [&](std::size_t row) { return samples[row].input_ids; }),
                         pad_token, device);
  std::vector<std::int64_t> positions, targets;
  std::vector<std::size_t> rows;
  for (std::size_t row = 0; row < samples.size(); ++row) {
    const auto& labels = samples[row].labels;
    for (std::size_t t = 1; t < labels.size(); ++t) {
      if (labels[t] == kIgnoreIndex) continue;
      positions.push_back(static_cast<std::int64_t>(row) * batch.longest +
                          static_cast<std::int64_t>(t) - 1);
      targets.push_back(labels[t]);
      rows.push_back(row);
    }
  }
  const auto x_LD =
      model.hidden(batch.ids_BT, nullptr).index_select(0, at::tensor(positions).to(device));
  const auto targets_L1 = at::tensor(targets).to(device).unsqueeze(1);
  std::vector<double> sums(samples.size(), 0);
  for (std::int64_t at = 0; at < x_LD.size(0); at += kLogProbRows) {
    const auto count = std::min(kLogProbRows, x_LD.size(0) - at);
    const auto chosen =
        model.log_probs(x_LD.narrow(0, at, count)).gather(1, targets_L1.narrow(0, at, count)).cpu();
    for (std::int64_t i = 0; i < count; ++i) {
      const auto row = rows[static_cast<std::size_t>(at + i)];
      const auto logprob = chosen.const_data_ptr<float>()[i];
      if (!std::isfinite(logprob)) {
        throw std::runtime_error("row " + std::to_string(row) +
                                 ": the log-probability of a labelled token is not finite");
      }
      sums[row] -= static_cast<double>(logprob);
    }
  }
  return sums;
}

}  // namespace twinrun::trainer
