#include "trainer/ops/attention_layout.h"

#include <ATen/ATen.h>

#include <algorithm>
#include <utility>

namespace twinrun::trainer {
namespace {

void require_fitting(const std::vector<Segment>& segments, std::int64_t rows, std::int64_t length) {
  std::int64_t end = 0;
  for (const auto& s : segments) {
    TORCH_CHECK(s.begin == end && s.length > 0, "a segment begins at ", s.begin, " with ", s.length,
                " positions; the one before ends at ", end);
    end = s.begin + s.length;
    TORCH_CHECK(s.begin / length == (end - 1) / length, "the segment at ", s.begin, " of ",
                s.length, " positions goes across a row of ", length);
  }
  TORCH_CHECK(end == rows * length, "the segments end at ", end, ", not with the ", rows * length,
              " positions of the micro-batch");
}

/// From pinned memory, so that the host does not wait.
at::Tensor moved(const at::Tensor& host, at::Device device) {
  return device.is_cuda() ? host.pin_memory().to(device, /*non_blocking=*/true) : host;
}

}  // namespace

AttentionLayout make_layout(std::int64_t rows, std::int64_t length, std::vector<Segment> segments,
                            std::int64_t window, at::Device device) {
  TORCH_CHECK(window >= 0, "an attention window of ", window);
  AttentionLayout layout;
  if (!segments.empty()) require_fitting(segments, rows, length);
  const bool are_rows = std::ranges::all_of(
      segments, [&](const Segment& segment) { return segment.length == length; });
  layout.longest = length;
  if (!are_rows) {
    layout.longest = std::ranges::max(segments, {}, &Segment::length).length;
    auto bounds = at::empty({static_cast<std::int64_t>(segments.size()) + 1}, at::kInt);
    auto positions = at::empty({rows * length}, at::kLong);
    auto* bound = bounds.mutable_data_ptr<std::int32_t>();
    auto* position = positions.mutable_data_ptr<std::int64_t>();
    for (const auto& s : segments) {
      *bound++ = static_cast<std::int32_t>(s.begin);
      for (std::int64_t t = 0; t < s.length; ++t) *position++ = t;
    }
    *bound = static_cast<std::int32_t>(rows * length);
    layout.bounds_S1 = moved(bounds, device);
    layout.positions_N = moved(positions, device);
    layout.segments = std::move(segments);
  }
  if (window < layout.longest) layout.window = window;
  return layout;
}

}  // namespace twinrun::trainer
