#include "trainer/infer/padded_batch.h"

#include <ATen/ATen.h>

namespace twinrun::trainer {

PaddedBatch pad(const std::vector<TokenIds>& rows, std::int64_t pad_token, at::Device device) {
  PaddedBatch batch;
  for (const auto& row : rows) {
    batch.lengths.push_back(static_cast<std::int64_t>(row.size()));
    batch.longest = std::max(batch.longest, batch.lengths.back());
  }
  const auto count = static_cast<std::int64_t>(rows.size());
  const auto ids = at::full({count, batch.longest}, pad_token, at::kLong);
  for (std::int64_t row = 0; row < count; ++row) {
    const auto& tokens = rows[static_cast<std::size_t>(row)];
    std::copy(tokens.begin(), tokens.end(),
              ids.mutable_data_ptr<std::int64_t>() + row * batch.longest);
  }
  batch.ids_BT = ids.to(device);
  return batch;
}

}  // namespace twinrun::trainer
