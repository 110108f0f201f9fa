#pragma once

#include <ATen/core/Tensor.h>

#include <algorithm>
#include <cstdint>
#include <span>
#include <vector>

namespace twinrun::trainer {

using TokenIds = std::vector<std::int64_t>;

/// Rows of log-probabilities that are computed, or on the host, at one time.
inline constexpr std::int64_t kLogProbRows = 256;

/// Rows of one batch, padded on the right to the longest.
struct PaddedBatch {
  std::vector<std::int64_t> lengths;
  std::int64_t longest = 0;
  at::Tensor ids_BT;  ///< on the device
};

PaddedBatch pad(const std::vector<TokenIds>& rows, std::int64_t pad_token, at::Device device);

/// The `batch_size` rows of the batch that begins with row `begin` of `count`, `row` giving each;
/// where there are too few, copies of the last: docs/protocol.md section 10.
template <typename Row>
std::vector<TokenIds> rows_of_batch(std::size_t begin, std::size_t count, std::int64_t batch_size,
                                    Row row) {
  std::vector<TokenIds> rows;
  for (std::size_t i = 0; i < static_cast<std::size_t>(batch_size); ++i) {
    rows.push_back(row(std::min(begin + i, count - 1)));
  }
  return rows;
}

}  // namespace twinrun::trainer
