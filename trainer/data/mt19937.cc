#include "trainer/data/mt19937.h"

#include <cmath>

namespace twinrun::trainer {

TorchMt19937::TorchMt19937(std::uint64_t seed) {
  state_[0] = static_cast<std::uint32_t>(seed);
  for (std::size_t i = 1; i < kWords; ++i) {
    const std::uint32_t previous = state_[i - 1];
    state_[i] = 1812433253u * (previous ^ (previous >> 30)) + static_cast<std::uint32_t>(i);
  }
}

void TorchMt19937::refill() {
  constexpr std::size_t kShift = 397;
  constexpr std::uint32_t kUpper = 0x80000000, kLower = 0x7FFFFFFF, kMatrix = 0x9908B0DF;
  for (std::size_t i = 0; i < kWords; ++i) {
    const std::uint32_t joined = (state_[i] & kUpper) | (state_[(i + 1) % kWords] & kLower);
    state_[i] = state_[(i + kShift) % kWords] ^ (joined >> 1) ^ ((joined & 1) ? kMatrix : 0);
  }
  position_ = 0;
}

std::uint32_t TorchMt19937::next() {
  if (position_ == kWords) refill();
  ++draws_;
  std::uint32_t word = state_[position_++];
  word ^= word >> 11;
  word ^= (word << 7) & 0x9D2C5680;
  word ^= (word << 15) & 0xEFC60000;
  return word ^ (word >> 18);
}

void kaiming_uniform_torch(TorchMt19937& generator, std::span<float> out, std::int64_t fan_in) {
  // In doubles and in the order of torch.nn.init, whose result is not always 1 / sqrt(fan_in).
  const double slope = std::sqrt(5.0);
  const double gain = std::sqrt(2.0 / (1 + slope * slope));
  const double bound = std::sqrt(3.0) * (gain / std::sqrt(static_cast<double>(fan_in)));
  const float from = static_cast<float>(-bound);
  const float range = static_cast<float>(bound) - from;
  for (float& value : out) {
    const float uniform = static_cast<float>(generator.next() & 0xFFFFFF) * 0x1p-24f;
    // torch's compiler fuses this on every CPU that has FMA; fmaf is exact on the others too.
    value = std::fmaf(uniform, range, from);
  }
}

}  // namespace twinrun::trainer
