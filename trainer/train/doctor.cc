#include "trainer/train/doctor.h"

#include <ATen/Parallel.h>
#include <c10/cuda/CUDAFunctions.h>

#include "trainer/numerics/denormals.h"
#include "trainer/numerics/machine.h"
#include "trainer/numerics/numerics.h"
#include "trainer/numerics/variables.h"
#include "trainer/train/train_config.h"

namespace twinrun::trainer {
namespace {

using nlohmann::json;

json check(const std::string& name, const char* state, const std::string& message) {
  return {{"name", name}, {"state", state}, {"message", message}};
}

std::string text(const json& value) {
  return value.is_string() ? value.get<std::string>() : value.is_null() ? "unknown" : value.dump();
}

/// "torch 2.11.0, cuda 13.0" of the `names`.
std::string list_versions(const json& versions, std::initializer_list<const char*> names) {
  std::string list;
  for (const char* name : names) {
    list += std::string(list.empty() ? "" : ", ") + name + " " + text(versions.at(name));
  }
  return list;
}

json machine_checks() {
  auto checks = json::array();
  const auto gpus = c10::cuda::device_count();
  if (gpus == 0) {
    checks.push_back(check("gpu", "warning", "no CUDA device is usable; runs go to the CPU"));
  } else {
    const auto device = describe_machine(c10::Device(c10::kCUDA, 0)).at("device");
    checks.push_back(
        check("gpu", "ok",
              std::to_string(gpus) + " CUDA device(s), the first is " + text(device.at("name"))));
  }
  const auto machine = describe_machine(c10::Device(c10::kCPU));
  const auto& cpu = machine.at("cpu");
  checks.push_back(
      check("processor", "ok", text(cpu.at("model")) + ", ATen uses " + text(cpu.at("isa"))));
  checks.push_back(
      check("versions", "ok",
            list_versions(machine.at("versions"),
                          {"twinrun", "torch", "cuda", "cublas", "cudnn", "nccl", "driver"}) +
                "; built by " + text(machine.at("versions").at("compiler"))));
  return checks;
}

/// Variables that are set, and what the process inherited.
json find_breaks(const NumericsOptions& options, bool flushed_at_start) {
  auto breaks = json::array();
  const char* const state = options.mode == "deterministic" ? "problem"
                            : options.mode == "fast"        ? "warning"
                                                            : "ok";
  for (const auto& row : numeric_variables()) {
    if (const auto wrong = refusal(row, options)) {
      const std::string value = "is " + variable(row.name);
      breaks.push_back(check(row.name, state,
                             options.mode == "deterministic"
                                 ? value + ": " + *wrong
                                 : value + ", which `" + options.mode +
                                       "` takes and `deterministic` refuses: " + *wrong));
    } else if (row.fine == nullptr && !variable(row.name).empty()) {
      breaks.push_back(check(
          row.name, "ok", "is " + variable(row.name) + ": recorded, refused nowhere; " + row.why));
    }
  }
  if (flushed_at_start) {
    const bool promised = promises_bits(options);
    breaks.push_back(check("flush_denormal", promised ? "ok" : "warning",
                           std::string("the program starts with denormals flushed to zero (some "
                                       "library in it was built with -ffast-math); ") +
                               (promised ? "runs switch that off" : "`fast` leaves it so")));
  }
  return breaks;
}

std::vector<std::string> not_promised(const NumericsOptions& options, c10::Device device) {
  const bool no_gpu = c10::cuda::device_count() == 0;
  if (options.mode == "fast") return {"any bit: `fast` leaves the libraries' defaults as they are"};
  if (options.mode == "portable") {
    std::vector<std::string> list = {"bfloat16: `portable` is float32 only so far",
                                     "the bits of `deterministic` or `fast`, which differ"};
    if (!__builtin_cpu_supports("fma")) {
      list.push_back("speed: this CPU has no FMA, so its bits come from a slow software path");
    }
    if (no_gpu) list.push_back("that a GPU gives these bits, to be seen here: none is usable");
    return list;
  }
  const auto machine = describe_machine(device);
  std::vector<std::string> list;
  if (device.is_cuda()) {
    list.push_back("another GPU model than " + text(machine.at("device").at("name")));
  } else {
    list.push_back("another number of threads than " + std::to_string(options.threads) +
                   ", or another instruction set than " + text(machine.at("cpu").at("isa")) +
                   ": either changes the order of sums");
  }
  list.push_back(
      "other versions of the libraries or the driver than " +
      list_versions(machine.at("versions"), {"torch", "cuda", "cublas", "cudnn", "driver"}));
  list.push_back("the same bits on a CPU and a GPU: that is what `portable` is for");
  if (no_gpu) {
    list.push_back(
        "anything about GPUs: none is usable here, so nothing was set or read back on one");
  }
  return list;
}

json numerics_report(const NumericsOptions& options, bool flushed_at_start) {
  auto breaks = find_breaks(options, flushed_at_start);
  set_environment(options);
  const auto device = resolve_device(options.device);
  apply_numerics(options, device);
  auto set = json::array();
  for (const auto& state : read_switches(options, device)) {
    if (state.wanted.is_null()) continue;
    set.push_back({{"name", state.name}, {"value", state.value}, {"reason", state.reason}});
    if (state.value != state.wanted) {
      breaks.push_back(check(state.name, "problem",
                             "the switch was set to " + text(state.wanted) +
                                 ", but its library says " + text(state.value)));
    }
  }
  return {{"mode", options.mode},
          {"device", device.str()},
          {"set", set},
          {"breaks", breaks},
          {"not_promised", not_promised(options, device)}};
}

json list_bench_switches(const NumericsOptions& options) {
  auto list = json::array();
  for (const auto& one : bench_switches(options, resolve_device(options.device))) {
    list.push_back({{"name", one.name}, {"what", one.what}, {"on", one.on}, {"off", one.off}});
  }
  return list;
}

}  // namespace

json doctor(const std::optional<std::filesystem::path>& config) {
  const bool flushed_at_start = denormals_are_flushed();
  NumericsOptions options{.mode = "deterministic",
                          .dtype = "float32",
                          .device = "auto",
                          .isa = "auto",
                          .threads = at::get_num_threads()};
  auto problems = json::array();
  json numerics;
  auto switches = json::array();
  try {
    if (config) options = read_train_config(protocol::read_run_config(*config)).numerics;
    numerics = numerics_report(options, flushed_at_start);
    switches = list_bench_switches(options);
  } catch (const std::exception& error) {
    problems.push_back(check("case", "problem", error.what()));
  }
  auto checks = machine_checks();  // after the environment was set: asking fixes the code path
  checks.insert(checks.end(), problems.begin(), problems.end());
  return {{"checks", checks}, {"numerics", numerics}, {"bench_switches", switches}};
}

}  // namespace twinrun::trainer
