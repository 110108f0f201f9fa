// step CASE.yaml [--set KEY=VALUE]... [--steps N] [--kernels]: a training step of a case, digests
// included, nothing written: tokens a second, peak memory, and on a GPU the time by part (from a
// few steps under PyTorch's profiler, which costs time of its own and is not in the other figures).
// Prints one JSON object.

#include <c10/core/InferenceMode.h>
#include <c10/cuda/CUDACachingAllocator.h>
#include <torch/csrc/autograd/profiler_kineto.h>

#include <algorithm>
#include <cstdlib>
#include <iostream>
#include <map>
#include <set>
#include <string>
#include <vector>

#include "harness/cli/resolve.h"
#include "trainer/bench/arm.h"
#include "trainer/numerics/numerics.h"
#include "trainer/numerics/variables.h"

namespace {

using namespace twinrun;
using nlohmann::ordered_json;

constexpr std::int64_t kWindows = 5, kProfiledSteps = 3;

struct Options {
  std::string case_file;
  std::vector<std::string> overrides;
  std::int64_t steps = 10;
  bool kernels = false;
};

Options read_options(int argc, char** argv) {
  Options options;
  for (int i = 1; i < argc; ++i) {
    const std::string word = argv[i];
    if (word == "--kernels") {
      options.kernels = true;
    } else if (word == "--set" && i + 1 < argc) {
      options.overrides.emplace_back(argv[++i]);
    } else if (word == "--steps" && i + 1 < argc) {
      options.steps = std::max(1L, std::atol(argv[++i]));
    } else if (options.case_file.empty() && !word.starts_with("-")) {
      options.case_file = word;
    } else {
      options.case_file.clear();
      break;
    }
  }
  return options;
}

/// The part of a step that a kernel belongs to, by its name.
std::string part_of(const std::string& kernel) {
  const auto has = [&](const char* word) { return kernel.find(word) != std::string::npos; };
  if (has("flash") || has("fmha")) return "attention";
  if (has("gemm") || has("nvjet") || has("cutlass") || has("add_parts")) return "products";
  if (has("hash_leaves")) return "digests";
  if (has("dropout")) return "dropout";
  if (has("Memcpy") || has("Memset")) return "copies";
  return "rest";
}

/// Milliseconds of a step on the GPU by part, and with `kernels` by kernel.
ordered_json time_by_part(trainer::Arm& arm, bool kernels) {
  using namespace torch::profiler::impl;
  const ProfilerConfig config(ProfilerState::KINETO);
  const std::set<ActivityType> activities = {ActivityType::CUDA};
  torch::autograd::profiler::prepareProfiler(config, activities);
  torch::autograd::profiler::enableProfiler(config, activities);
  arm.window(kProfiledSteps);
  const auto result = torch::autograd::profiler::disableProfiler();
  std::map<std::string, double> parts, names;
  for (const auto& event : result->events()) {
    if (event.deviceType() != c10::DeviceType::CUDA) continue;
    const double ms = static_cast<double>(event.durationNs()) / 1e6 / kProfiledSteps;
    parts[part_of(event.name())] += ms;
    names[event.name().substr(0, 100)] += ms;
  }
  ordered_json out = {{"parts_ms", parts}};
  if (kernels) out["kernels_ms"] = names;
  return out;
}

ordered_json measure(const Options& options) {
  auto config = harness::resolve_for_run(options.case_file, options.overrides, "").config;
  auto typed = trainer::read_train_config(config);
  trainer::prepare_environment(typed.numerics);
  const bool on_gpu = trainer::resolve_device(typed.numerics.device).is_cuda();
  trainer::Arm arm(typed, {.warmup_steps = 5, .delay = 0, .switches = {}});
  const auto ready = arm.warm_up();
  std::vector<double> ms;
  for (std::int64_t window = 0; window < kWindows; ++window) {
    const auto answer = arm.window(options.steps);
    const auto& time = on_gpu ? answer.at("device_ns") : answer.at("host_ns");
    ms.push_back(time.get<double>() / 1e6 / static_cast<double>(options.steps));
  }
  std::sort(ms.begin(), ms.end());
  const double median = ms[ms.size() / 2];
  ordered_json out = {{"program", "twinrun"},
                      {"case", config.launch.value("name", options.case_file)},
                      {"numerics", typed.numerics.mode},
                      {"dtype", typed.numerics.dtype},
                      {"device", ready.at("device")},
                      {"steps", kWindows * options.steps},
                      {"step_ms_median", median},
                      {"step_ms_min", ms.front()},
                      {"step_ms_max", ms.back()}};
  if (typed.synthetic) {
    const auto tokens = typed.batch_size * typed.gradient_accumulation *
                        typed.synthetic->at("length").get<std::int64_t>();
    out["tokens_per_step"] = tokens;
    out["tokens_per_s"] = 1e3 * static_cast<double>(tokens) / median;
  }
  if (on_gpu) {
    const auto device = trainer::resolve_device(typed.numerics.device).index();
    const auto stats = c10::cuda::CUDACachingAllocator::getDeviceStats(device);
    out["peak_memory_bytes"] = stats.allocated_bytes[0].peak;
    out.update(time_by_part(arm, options.kernels));
  }
  return out;
}

}  // namespace

int main(int argc, char** argv) {
  const auto options = read_options(argc, argv);
  if (options.case_file.empty()) {
    std::cerr << "usage: step CASE.yaml [--set KEY=VALUE]... [--steps N] [--kernels]\n";
    return 2;
  }
  try {
    std::cout << measure(options).dump(2) << "\n";
    return 0;
  } catch (const std::exception& error) {
    std::cerr << "step: " << error.what() << "\n";
    return 2;
  }
}
