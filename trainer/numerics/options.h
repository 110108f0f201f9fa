#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <stdexcept>
#include <string>

namespace twinrun::trainer {

/// What the caller can fix about device, mode or environment (exit code 2).
struct NumericsError : std::runtime_error {
  using std::runtime_error::runtime_error;
};

struct NumericsOptions {
  std::string mode;    ///< fast | deterministic | portable
  std::string dtype;   ///< float32 | bfloat16
  std::string device;  ///< auto | cpu | cuda | cuda:N
  std::string isa;     ///< auto | avx512 | avx2 | plain
  int threads = 1;
  /// Switches that do not stand as the mode has them, by name: true as `deterministic` sets it,
  /// false the library's default. Only for `bench`; a run has none.
  std::map<std::string, bool> forced = {};
  /// Seed of rounding noise (ReductionShuffle), to test the judge: with `fast`, on a CPU.
  std::optional<std::uint64_t> shuffle_reductions = {};
};

/// Whether two runs with these options have to have the same bits: in every mode but `fast`.
inline bool promises_bits(const NumericsOptions& options) { return options.mode != "fast"; }

}  // namespace twinrun::trainer
