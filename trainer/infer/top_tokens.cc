#include "trainer/infer/top_tokens.h"

#include <algorithm>
#include <bit>

namespace twinrun::trainer {
namespace {

using protocol::TokenLogprob;

bool before(const TokenLogprob& a, const TokenLogprob& b) {
  return a.logprob != b.logprob ? a.logprob > b.logprob : a.id < b.id;
}

}  // namespace

std::vector<TokenLogprob> top_tokens(std::span<const float> logprobs, std::int64_t count) {
  const auto size = static_cast<std::size_t>(count);
  std::vector<TokenLogprob> heap;  // its front is the last one by `before`
  heap.reserve(size);
  for (std::size_t id = 0; id < logprobs.size(); ++id) {
    // Ids rise, so one that only equals the front stands behind it.
    if (heap.size() == size && !(logprobs[id] > heap.front().logprob)) continue;
    if (heap.size() == size) {
      std::pop_heap(heap.begin(), heap.end(), before);
      heap.pop_back();
    }
    heap.push_back({static_cast<std::int64_t>(id), logprobs[id]});
    std::push_heap(heap.begin(), heap.end(), before);
  }
  std::sort_heap(heap.begin(), heap.end(), before);
  return heap;
}

bool all_finite(std::span<const float> values) {
  // By bits: a loop without branches, which becomes vectors.
  constexpr std::uint32_t kExponent = 0x7F800000;
  std::uint32_t bad = 0;
  for (const float value : values) {
    bad |= (std::bit_cast<std::uint32_t>(value) & kExponent) == kExponent ? 1U : 0U;
  }
  return bad == 0;
}

}  // namespace twinrun::trainer
