// Attention over segments and windows: against autograd over the formula with a mask, and for the
// portable op set bit for bit against what the documentation says of the order.

#include <ATen/Parallel.h>

#include <cmath>

#include "tests/trainer/ops/attention_layouts.h"
#include "tests/trainer/ops/each_op_set.h"

namespace twinrun::trainer {
namespace {

constexpr std::int64_t kHeads = 4, kSize = 24;

class AttentionLayouts : public OpsTest {};

INSTANTIATE_TEST_SUITE_P(Each, AttentionLayouts, testing::ValuesIn(names_of_op_sets()),
                         [](const auto& mode) { return std::string(mode.param); });

struct Inputs {
  at::Tensor q, k, v, dout;
};

Inputs random_inputs(std::int64_t rows, std::int64_t length, std::int64_t kv_heads) {
  // As the model has them: heads of one token side by side.
  const auto heads = [&](std::int64_t count) {
    return at::randn({rows, length, count, kSize}).transpose(1, 2);
  };
  return {heads(kHeads), heads(kv_heads), heads(kv_heads), heads(kHeads)};
}

void check_layout(OpSet& ops, const LayoutCase& c, std::int64_t kv_heads) {
  const auto [rows, length] = shape_of(c);
  const auto x = random_inputs(rows, length, kv_heads);
  const auto q = x.q.clone().set_requires_grad(true), k = x.k.clone().set_requires_grad(true),
             v = x.v.clone().set_requires_grad(true);
  const auto expanded = [&](const at::Tensor& t) {
    return t.repeat_interleave(kHeads / kv_heads, 1);
  };
  const auto scores =
      at::matmul(q, expanded(k).transpose(-1, -2)) / std::sqrt(static_cast<double>(kSize));
  const auto o = at::matmul(
      at::softmax(scores.masked_fill(visible(c).logical_not(), -INFINITY), -1), expanded(v));
  o.backward(x.dout);

  const auto layout = c.layout();
  const auto ours = ops.attention(x.q, x.k, x.v, layout);
  EXPECT_TRUE(close(ours.o_BHTE, o.detach()));
  const auto d = ops.attention_backward(x.dout, x.q, x.k, x.v, ours, layout);
  EXPECT_TRUE(close(d.dv_BKTE, v.grad()));
  if (c.window == 1) return;  // one key: the gradients of q and k are roundings of zero
  EXPECT_TRUE(close(d.dq_BHTE, q.grad()));
  EXPECT_TRUE(close(d.dk_BKTE, k.grad()));
}

TEST_P(AttentionLayouts, AreTheFormulaWithAMask) {
  for (const auto& c : layout_cases()) {
    for (const std::int64_t kv_heads : {4, 2}) {
      SCOPED_TRACE(testing::Message() << c.rows << " x " << c.length << ", " << c.segments.size()
                                      << " segments, window " << c.window << ", " << kv_heads);
      check_layout(*ops_, c, kv_heads);
    }
  }
}

TEST_P(AttentionLayouts, ASegmentDoesNotSeeAnother) {
  const LayoutCase c{.rows = 1, .length = 40, .segments = {13, 27}, .window = 9};
  const auto layout = c.layout();
  auto x = random_inputs(1, 40, 2);
  const auto first = [](const at::Tensor& t) { return t.narrow(2, 0, 13).clone(); };
  const auto o = ops_->attention(x.q, x.k, x.v, layout);
  const auto d = ops_->attention_backward(x.dout, x.q, x.k, x.v, o, layout);
  const auto o_first = first(o.o_BHTE), dk_first = first(d.dk_BKTE);
  for (const auto& t : {x.q, x.k, x.v, x.dout}) t.narrow(2, 13, 27).fill_(3);
  const auto again = ops_->attention(x.q, x.k, x.v, layout);
  const auto d_again = ops_->attention_backward(x.dout, x.q, x.k, x.v, again, layout);
  EXPECT_TRUE(at::equal(first(again.o_BHTE), o_first));
  EXPECT_TRUE(at::equal(first(d_again.dk_BKTE), dk_first));
}

/// What attention and its backward give, as bits.
std::vector<at::Tensor> all_of(OpSet& ops, const Inputs& x, const AttentionLayout& layout) {
  const auto o = ops.attention(x.q, x.k, x.v, layout);
  const auto d = ops.attention_backward(x.dout, x.q, x.k, x.v, o, layout);
  std::vector<at::Tensor> bits;
  for (const auto& t : {o.o_BHTE, d.dq_BHTE, d.dk_BKTE, d.dv_BKTE}) {
    bits.push_back(t.contiguous().view(at::kInt));
  }
  return bits;
}

TEST(PortableAttention, AnIsaOrThreadsChangeNoBitOfALayout) {
  const int threads = at::get_num_threads();
  const auto plain = make_portable_ops(Isa::kPlain), best = make_portable_ops(Isa::kAuto);
  for (const auto& c : layout_cases()) {
    at::manual_seed(4);
    const auto [rows, length] = shape_of(c);
    const auto x = random_inputs(rows, length, 2);
    const auto layout = c.layout();
    at::set_num_threads(1);
    const auto expected = all_of(*plain, x, layout);
    for (const int count : {1, 2, 3}) {
      at::set_num_threads(count);
      const auto found = all_of(*best, x, layout);
      for (std::size_t i = 0; i < found.size(); ++i) {
        EXPECT_TRUE(at::equal(found[i], expected[i]))
            << i << " of length " << c.length << ", window " << c.window << ", threads " << count;
      }
    }
  }
  at::set_num_threads(threads);
}

TEST(PortableAttention, APackedSampleHasTheBitsOfTheSampleAlone) {
  const auto ops = make_portable_ops(Isa::kAuto);
  for (const std::int64_t window : {0, 6}) {
    at::manual_seed(4);
    const std::vector<std::int64_t> lengths{19, 1, 5, 39};
    const LayoutCase c{.rows = 1, .length = 64, .segments = lengths, .window = window};
    const auto x = random_inputs(1, 64, 2);
    const auto packed = all_of(*ops, x, c.layout());
    std::int64_t begin = 0;
    for (const auto length : lengths) {
      const auto part = [&](const at::Tensor& t) { return t.narrow(2, begin, length); };
      const auto alone = all_of(*ops, {part(x.q), part(x.k), part(x.v), part(x.dout)},
                                make_layout(1, length, {}, window, at::kCPU));
      for (std::size_t i = 0; i < alone.size(); ++i) {
        EXPECT_TRUE(at::equal(part(packed[i]), alone[i])) << i << " of the sample at " << begin;
      }
      begin += length;
    }
  }
}

/// A window over a long row in blocks is the window over each query by itself: the query, alone
/// with its keys, is the last one of a causal row.
TEST(PortableAttention, AWindowIsTheLastQueryOfItsKeys) {
  const auto ops = make_portable_ops(Isa::kAuto);
  at::manual_seed(4);
  constexpr std::int64_t kLength = 700, kWindow = 70;
  const auto x = random_inputs(1, kLength, 2);
  const auto o = ops->attention(x.q, x.k, x.v, make_layout(1, kLength, {}, kWindow, at::kCPU));
  for (const std::int64_t query : {0, 1, 69, 70, 71, 139, 140, 399, 698, 699}) {
    const auto first = std::max<std::int64_t>(0, query - kWindow + 1);
    const auto part = [&](const at::Tensor& t) { return t.narrow(2, first, query - first + 1); };
    const auto alone = ops->attention(part(x.q), part(x.k), part(x.v), {});
    EXPECT_TRUE(at::equal(o.o_BHTE.select(2, query), alone.o_BHTE.select(2, query - first)))
        << query;
  }
}

TEST(MakeLayout, LeavesOutWhatChangesNothing) {
  for (const std::int64_t window : {0, 8, 9}) {
    const auto layout = make_layout(2, 8, {{0, 8}, {8, 8}}, window, at::kCPU);
    EXPECT_TRUE(layout.segments.empty());
    EXPECT_EQ(layout.window, 0);
    EXPECT_EQ(layout.longest, 8);
  }
  EXPECT_EQ(make_layout(2, 8, {}, 7, at::kCPU).window, 7);
  EXPECT_EQ(make_layout(1, 8, {{0, 3}, {3, 5}}, 5, at::kCPU).window, 0);
  EXPECT_EQ(make_layout(1, 8, {{0, 3}, {3, 5}}, 4, at::kCPU).window, 4);
}

TEST(MakeLayout, CountsPositionsWithinSegments) {
  const auto layout = make_layout(2, 4, {{0, 1}, {1, 3}, {4, 4}}, 0, at::kCPU);
  EXPECT_EQ(layout.longest, 4);
  EXPECT_TRUE(at::equal(layout.bounds_S1, at::tensor({0, 1, 4, 8}, at::kInt)));
  EXPECT_TRUE(at::equal(layout.positions_N, at::tensor({0, 0, 1, 2, 0, 1, 2, 3}, at::kLong)));
}

TEST(MakeLayout, RefusesSegmentsThatDoNotFit) {
  const std::vector<std::vector<Segment>> wrong = {
      {{0, 4}},                  // a row is missing
      {{0, 4}, {5, 3}},          // a gap
      {{0, 4}, {3, 5}},          // an overlap
      {{0, 6}, {6, 2}},          // across a row
      {{0, 4}, {4, 0}, {4, 4}},  // an empty one
      {{0, 4}, {4, 8}},          // too long
      {{4, 4}, {0, 4}},          // descending
  };
  for (const auto& segments : wrong) {
    EXPECT_THROW(make_layout(2, 4, segments, 0, at::kCPU), c10::Error) << segments.size();
  }
  EXPECT_THROW(make_layout(2, 4, {}, -1, at::kCPU), c10::Error);
}

}  // namespace
}  // namespace twinrun::trainer
