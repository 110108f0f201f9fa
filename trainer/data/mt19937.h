#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <span>

namespace twinrun::trainer {

/// The Mersenne Twister MT19937, word for word what torch's CPU generator draws after
/// torch.manual_seed(seed), which takes the low 32 bits of its seed.
/// Matsumoto and Nishimura, "Mersenne Twister", ACM TOMACS 8 (1998), with the 2002 initialisation.
class TorchMt19937 {
 public:
  explicit TorchMt19937(std::uint64_t seed);
  std::uint32_t next();
  /// Words drawn so far.
  std::uint64_t draws() const { return draws_; }

 private:
  static constexpr std::size_t kWords = 624;
  void refill();
  std::array<std::uint32_t, kWords> state_;
  std::size_t position_ = kWords;
  std::uint64_t draws_ = 0;
};

/// Fills `out` with the bits of torch.nn.init.kaiming_uniform_(tensor, a=math.sqrt(5)) on a float32
/// CPU tensor whose fan-in is `fan_in`, as torch computes them on a machine with FMA: one draw an
/// element, uniform in +-1 / sqrt(fan_in). The same bits on every machine. REQUIRES: fan_in > 0.
///
/// This is also what the constructor of torch.nn.Linear(fan_in, n, bias=False) draws.
void kaiming_uniform_torch(TorchMt19937& generator, std::span<float> out, std::int64_t fan_in);

}  // namespace twinrun::trainer
