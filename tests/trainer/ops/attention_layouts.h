#pragma once

#include <ATen/ATen.h>

#include <cstdint>
#include <utility>
#include <vector>

#include "trainer/ops/attention_layout.h"

namespace twinrun::trainer {

/// A micro-batch of `rows` x `length` positions, in segments of these lengths, with a window.
struct LayoutCase {
  std::int64_t rows = 1, length = 0;
  std::vector<std::int64_t> segments{};
  std::int64_t window = 0;

  AttentionLayout layout(at::Device device = at::kCPU) const {
    std::vector<Segment> list;
    std::int64_t begin = 0;
    for (const auto size : segments) {
      list.push_back({begin, size});
      begin += size;
    }
    return make_layout(rows, length, std::move(list), window, device);
  }
};

/// Rows and length that q, k and v have under it.
inline std::pair<std::int64_t, std::int64_t> shape_of(const LayoutCase& c) {
  return c.segments.empty() ? std::pair(c.rows, c.length)
                            : std::pair(std::int64_t{1}, c.rows * c.length);
}

/// Windows of one key, of some and of all but one; several blocks of a window; segments of one
/// position, in one row and in several; both at once, with segments shorter than the window.
inline std::vector<LayoutCase> layout_cases() {
  return {{.rows = 2, .length = 50, .window = 1},
          {.rows = 2, .length = 50, .window = 7},
          {.rows = 1, .length = 50, .window = 49},
          {.rows = 1, .length = 1300, .window = 300},
          {.rows = 1, .length = 613, .window = 90},
          {.rows = 1, .length = 50, .segments = {5, 1, 20, 24}},
          {.rows = 3, .length = 16, .segments = {9, 7, 16, 1, 14, 1}},
          {.rows = 2, .length = 40, .segments = {3, 37, 12, 28}, .window = 11}};
}

/// bool [T, T]: whether a query sees a key, of the shape of shape_of.
inline at::Tensor visible(const LayoutCase& c) {
  const auto [rows, length] = shape_of(c);
  const auto position = at::arange(length);
  const auto distance = position.unsqueeze(1) - position.unsqueeze(0);
  auto seen = distance.ge(0);
  if (c.window > 0) seen = seen.logical_and(distance.lt(c.window));
  std::vector<at::Tensor> owners;
  for (std::size_t i = 0; i < c.segments.size(); ++i) {
    owners.push_back(at::full({c.segments[i]}, static_cast<std::int64_t>(i), at::kLong));
  }
  if (owners.empty()) return seen;
  const auto owner = at::cat(owners);
  return seen.logical_and(owner.unsqueeze(1).eq(owner.unsqueeze(0)));
}

}  // namespace twinrun::trainer
