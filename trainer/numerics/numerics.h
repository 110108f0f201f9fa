#pragma once

#include <c10/core/Device.h>
#include <c10/core/ScalarType.h>

#include <cstdint>
#include <nlohmann/json.hpp>
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
};

/// Whether two runs with these options have to have the same bits: in every mode but `fast`.
bool promises_bits(const NumericsOptions& options);

/// Environment variables that libraries read once, when they are first used. Call before
/// LibTorch does any work. A value that was set and would break the promise is refused by name;
/// what only breaks the vendor's kernels is no matter to `portable`. Throws NumericsError.
void prepare_environment(const NumericsOptions& options);

/// `auto` is the first GPU if there is one, else the CPU. Throws NumericsError: no such GPU.
c10::Device resolve_device(const std::string& device);

/// float32 or bfloat16.
c10::ScalarType compute_dtype(const std::string& dtype);

/// The one place that owns the library's switches. Sets them for `options` on `device`.
void apply_numerics(const NumericsOptions& options, c10::Device device);

/// Every switch as the library reports it now, for the manifest.
nlohmann::json read_switches();

/// "libtorch-float32/1", "portable-f32/1": changes whenever the order of a reduction in our own
/// code does.
std::string arithmetic_id(const NumericsOptions& options);

/// Names of the variables that change numerics, with their values, for the manifest.
nlohmann::json numeric_environment();

}  // namespace twinrun::trainer
