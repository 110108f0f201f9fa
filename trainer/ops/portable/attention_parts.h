#pragma once

#include <ATen/ATen.h>

#include <algorithm>
#include <cmath>

#include "trainer/ops/portable/attention.h"

// What attention.cc and attention_window.cc share.
namespace twinrun::trainer::portable {

/// Floats of attention scores that exist at one time, per buffer.
constexpr std::int64_t kScoresMax = std::int64_t{1} << 26;

/// Part of the work of attention: rows row .. row + rows, key/value heads kv .. kv + kvs.
struct Part {
  std::int64_t row = 0, rows = 0, kv = 0, kvs = 0;
};

/// Cuts [rows, kv_heads] so that the scores of a part stay below kScoresMax where they can.
template <typename Work>
void for_parts(std::int64_t rows, std::int64_t kv_heads, std::int64_t scores_of_kv, Work work) {
  const auto kvs_max = std::clamp<std::int64_t>(kScoresMax / scores_of_kv, 1, kv_heads);
  const auto rows_max = kvs_max < kv_heads ? 1
                                           : std::clamp<std::int64_t>(
                                                 kScoresMax / (scores_of_kv * kv_heads), 1, rows);
  for (std::int64_t row = 0; row < rows; row += rows_max) {
    for (std::int64_t kv = 0; kv < kv_heads; kv += kvs_max) {
      work(Part{row, std::min(rows_max, rows - row), kv, std::min(kvs_max, kv_heads - kv)});
    }
  }
}

inline float softmax_scale(std::int64_t size) {
  return static_cast<float>(1 / std::sqrt(static_cast<double>(size)));
}

/// Floats from row to row of a matrix of scores: a multiple of four, for whole reads of four.
inline std::int64_t score_stride(std::int64_t length) { return (length + 3) / 4 * 4; }

/// Where the first head of `part` starts; `group` heads of x belong to a key/value head.
inline float* at_part(const Heads& x, const Part& part, std::int64_t group) {
  return x.data + part.row * x.row_stride + part.kv * group * x.head_stride;
}

/// The heads of `part` alone.
inline Heads part_of(const Heads& x, const Part& part, std::int64_t group) {
  auto cut = x;
  cut.data = at_part(x, part, group);
  cut.rows = part.rows;
  cut.heads = part.kvs * group;
  return cut;
}

/// Positions begin .. begin + length - 1 alone.
inline Heads positions_of(const Heads& x, std::int64_t begin, std::int64_t length) {
  auto cut = x;
  cut.data = x.data + begin * x.position_stride;
  cut.length = length;
  return cut;
}

/// Attention where a query sees the last `window` keys up to its own; `o`, and in the backward
/// `dq`, `dk` and `dv`, hold +0. `like`: any tensor of the device.
void window_attention(Backend& device, const Heads& q, const Heads& k, const Heads& v,
                      const Heads& o, std::int64_t window, const at::Tensor& like);

struct HeadGrads {
  Heads dq, dk, dv;
};
void window_attention_backward(Backend& device, const Heads& dout, const Heads& q, const Heads& k,
                               const Heads& v, const Heads& o, const HeadGrads& grads,
                               std::int64_t window, const at::Tensor& like);

}  // namespace twinrun::trainer::portable
