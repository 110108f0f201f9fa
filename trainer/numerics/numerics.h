#pragma once

#include <c10/core/Device.h>
#include <c10/core/ScalarType.h>

#include <nlohmann/json.hpp>
#include <string>
#include <vector>

#include "trainer/numerics/options.h"

namespace twinrun::trainer {

/// `auto` is the first GPU if there is one, else the CPU. Throws NumericsError: no such GPU.
c10::Device resolve_device(const std::string& device);

/// float32 or bfloat16.
c10::ScalarType compute_dtype(const std::string& dtype);

/// "libtorch-float32/4", "portable-f32/1": changes whenever the order of a reduction in our own
/// code does. With shuffle_reductions "libtorch-float32/4-shuffled".
std::string arithmetic_id(const NumericsOptions& options);

/// Sets every switch of the libraries for `options` on `device`: those that read_switches lists. In
/// `fast` only the number of threads, and what is forced. Call prepare_environment before.
///
/// Throws NumericsError for a forced switch that is none of bench_switches, and for
/// shuffle_reductions on a GPU.
void apply_numerics(const NumericsOptions& options, c10::Device device);

/// A switch of a library as it stands now.
struct SwitchState {
  std::string name;
  nlohmann::json value;   ///< read back from the library; null if it cannot be asked here
  nlohmann::json wanted;  ///< what the mode needs; null: nothing, it is only recorded
  std::string reason;     ///< why the mode needs it
};

/// Every switch, read back from its library.
std::vector<SwitchState> read_switches(const NumericsOptions& options, c10::Device device);

/// A switch that `bench` can force (docs/protocol.md section 11).
struct BenchSwitch {
  std::string name;
  std::string what;        ///< why `deterministic` needs it
  nlohmann::json on, off;  ///< as `deterministic` sets it; the default, null if it is not known
};

/// The switches for which `fast` and `deterministic` differ on `device` and which a step of one of
/// the two asks. On a GPU no product of a step of `deterministic` asks cuBLAS through ATen
/// (LtProducts), so that forcing bf16_reduction, blas_backend or cublas_workspace_bytes off changes
/// nothing there; forcing them on in `fast` does.
std::vector<BenchSwitch> bench_switches(const NumericsOptions& options, c10::Device device);

/// {"name": value}, for the manifest.
nlohmann::json to_manifest(const std::vector<SwitchState>& switches);

/// Throws std::runtime_error naming a switch that does not stand as the mode needs it: a library
/// did not take what it was given, or something in the process has changed it since.
void require_as_wanted(const std::vector<SwitchState>& switches);

}  // namespace twinrun::trainer
