#pragma once

#include <ATen/core/Tensor.h>

#include <cstdint>
#include <vector>

namespace twinrun::trainer {

/// One sample within a micro-batch: its flat positions are begin .. begin + length - 1.
struct Segment {
  std::int64_t begin = 0, length = 0;
};

/// Which keys a query attends to: those of its own segment up to its own position and, with a
/// window w, of these the last w. Default: every row is one segment, without a window.
struct AttentionLayout {
  /// Ascending, together all positions of the one row [1, H, N, E] that q then is; empty: each row
  /// of q is one.
  std::vector<Segment> segments;
  std::int64_t window = 0;   ///< 0: none
  std::int64_t longest = 0;  ///< positions of the longest segment or row

  // On the device, with segments only.
  at::Tensor bounds_S1;    ///< int32: where each segment begins, then N
  at::Tensor positions_N;  ///< int64: of each flat position, the one within its segment
};

/// The layout of a micro-batch of `rows` x `length` positions. Segments that are just the rows, and
/// a window that no segment is longer than, are left out: what is computed then is the default.
///
/// Throws c10::Error unless `segments` is empty or ascending, without a gap, with positive lengths,
/// none across a row, together rows x length; and for a negative window.
AttentionLayout make_layout(std::int64_t rows, std::int64_t length, std::vector<Segment> segments,
                            std::int64_t window, at::Device device);

}  // namespace twinrun::trainer
