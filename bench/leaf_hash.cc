// leaf_hash [MIB]: what hashing the leaves of MIB (default 172 = 180 MB) of float32 tensors costs,
// shaped like a rank-16 adapter: the kernel alone, with the copy of the leaf digests, and the
// host's part. On the GPU if there is one, else on the CPU. One JSON object on stdout.

#include "trainer/ops/leaf_hash.h"

#include <ATen/ATen.h>
#include <ATen/cuda/CUDAEvent.h>
#include <c10/core/InferenceMode.h>
#include <c10/cuda/CUDAFunctions.h>

#include <algorithm>
#include <chrono>
#include <iostream>

#include "trainer/numerics/machine.h"

namespace {

using namespace twinrun::trainer;
using Clock = std::chrono::steady_clock;

constexpr int kWarmup = 5, kSamples = 31;

double median(std::vector<double> values) {
  std::nth_element(values.begin(), values.begin() + kSamples / 2, values.end());
  return values[kSamples / 2];
}

double milliseconds(Clock::time_point since) {
  return std::chrono::duration<double, std::milli>(Clock::now() - since).count();
}

std::vector<NamedTensor> tensors_of(std::int64_t bytes, at::Device device) {
  constexpr std::int64_t kRank = 16, kWidth = 2048;
  const auto count = bytes / (kRank * kWidth * 4);
  const auto flat = at::randn({count * kRank * kWidth}).to(device);
  std::vector<NamedTensor> tensors;
  for (std::int64_t i = 0; i < count; ++i) {
    tensors.push_back({"tensor" + std::to_string(i),
                       flat.narrow(0, i * kRank * kWidth, kRank * kWidth).view({kRank, kWidth})});
  }
  return tensors;
}

}  // namespace

int main(int argc, char** argv) {
  const c10::InferenceMode inference;
  const std::int64_t bytes = (argc > 1 ? std::stoll(argv[1]) : 172) << 20;
  const bool on_gpu = c10::cuda::device_count() > 0;
  const at::Device device(on_gpu ? at::kCUDA : at::kCPU, on_gpu ? 0 : -1);
  const LeafHasher hasher(tensors_of(bytes, device), 2);
  std::vector<double> enqueue_ms, device_ms, digests_ms;
  for (int i = 0; i < kWarmup + kSamples; ++i) {
    at::cuda::CUDAEvent begin(cudaEventDefault), end(cudaEventDefault);
    if (on_gpu) begin.record();
    const auto started = Clock::now();
    const auto leaves = hasher.enqueue();
    const auto queued = milliseconds(started);
    if (on_gpu) {
      end.record();
      end.synchronize();
    }
    const auto host = Clock::now();
    const auto digests = hasher.digests(leaves);
    if (i < kWarmup) continue;
    enqueue_ms.push_back(queued);
    device_ms.push_back(on_gpu ? begin.elapsed_time(end) : queued);
    digests_ms.push_back(milliseconds(host));
  }
  const nlohmann::json result = {{"bytes", hasher.bytes()},
                                 {"samples", kSamples},
                                 {"device_ms_median", median(device_ms)},
                                 {"enqueue_host_ms_median", median(enqueue_ms)},
                                 {"digests_host_ms_median", median(digests_ms)},
                                 {"machine", describe_machine(device)}};
  std::cout << result.dump(2) << "\n";
}
