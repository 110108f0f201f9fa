#include "trainer/data/permutation.h"

#include <numeric>
#include <utility>

namespace twinrun::trainer {

std::vector<std::int64_t> permutation(std::int64_t count, PhiloxSequence& sequence) {
  std::vector<std::int64_t> order(static_cast<std::size_t>(count));
  std::iota(order.begin(), order.end(), 0);
  for (std::size_t left = order.size(); left > 1; --left) {
    std::swap(order[left - 1], order[sequence.below(static_cast<std::uint32_t>(left))]);
  }
  return order;
}

}  // namespace twinrun::trainer
