// unary_gpu: exp, log, rsqrt, sin and cos of all 2^32 floats on the first GPU and on every core of
// the CPU, by the same source (trainer/ops/portable/unary.h), compared bit for bit; any NaN equals
// any NaN. Exit code 1 if one differs, 3 if the GPU cannot do it.

#include <cuda_runtime_api.h>

#include <algorithm>
#include <chrono>
#include <cstdio>
#include <mutex>
#include <stdexcept>
#include <string>
#include <thread>
#include <vector>

#include "bench/unary_cuda.h"
#include "bench/unary_functions.h"

namespace {

using namespace twinrun::bench;
using twinrun::trainer::portable::Unary;
using twinrun::trainer::portable::UnaryLoop;

constexpr std::int64_t kBlock = 1 << 24;  // inputs a kernel launch: 64 MiB of results
constexpr std::int64_t kPiece = 1 << 12;  // inputs a call of the loop: stays in the cache
constexpr std::size_t kShownMax = 10;

unsigned cores() { return std::max(1u, std::thread::hardware_concurrency()); }

void require(cudaError_t error, const char* what) {
  if (error != cudaSuccess) {
    throw std::runtime_error(std::string(what) + ": " + cudaGetErrorString(error));
  }
}

/// A block of results on the device, and where it is copied to.
class Buffers {
 public:
  Buffers() {
    require(cudaMalloc(reinterpret_cast<void**>(&device), kBlock * sizeof(float)), "cudaMalloc");
    require(cudaMallocHost(reinterpret_cast<void**>(&host), kBlock * sizeof(float)),
            "cudaMallocHost");
  }
  ~Buffers() {
    cudaFree(device);
    cudaFreeHost(host);
  }
  Buffers(const Buffers&) = delete;
  Buffers& operator=(const Buffers&) = delete;

  float *device = nullptr, *host = nullptr;
};

struct Mismatch {
  float x, cpu, gpu;
};

/// Runs body(begin, end) over equal parts of a block, one a core.
template <typename Body>
void on_all_cores(const Body& body) {
  std::vector<std::thread> threads;
  for (std::int64_t i = 0, count = cores(); i < count; ++i) {
    threads.emplace_back(body, kBlock * i / count, kBlock * (i + 1) / count);
  }
  for (auto& thread : threads) thread.join();
}

class Comparison {
 public:
  Comparison(Unary function, UnaryLoop loop, Buffers& buffers)
      : function_(function), loop_(loop), buffers_(buffers), cpu_(kBlock) {}

  /// Compares the inputs whose bits begin at `first`.
  void block(std::uint32_t first) {
    require(unary_cuda(function_, first, buffers_.device, kBlock, nullptr), "kernel");
    require(cudaMemcpyAsync(buffers_.host, buffers_.device, kBlock * sizeof(float),
                            cudaMemcpyDeviceToHost, nullptr),
            "cudaMemcpyAsync");
    on_all_cores([&](std::int64_t begin, std::int64_t end) { compute(first, begin, end); });
    require(cudaStreamSynchronize(nullptr), "cudaStreamSynchronize");
    on_all_cores([&](std::int64_t begin, std::int64_t end) { compare(first, begin, end); });
  }

  std::int64_t mismatches() const { return mismatches_; }
  const std::vector<Mismatch>& shown() const { return shown_; }

 private:
  static float input(std::uint32_t first, std::int64_t i) {
    return __builtin_bit_cast(float, first + static_cast<std::uint32_t>(i));
  }

  void compute(std::uint32_t first, std::int64_t begin, std::int64_t end) {
    std::vector<float> x(kPiece);
    for (std::int64_t at = begin; at < end; at += kPiece) {
      const std::int64_t count = std::min(kPiece, end - at);
      for (std::int64_t i = 0; i < count; ++i) x[i] = input(first, at + i);
      loop_(function_, x.data(), cpu_.data() + at, count);
    }
  }

  void compare(std::uint32_t first, std::int64_t begin, std::int64_t end) {
    for (std::int64_t i = begin; i < end; ++i) {
      if (same_float(cpu_[i], buffers_.host[i])) continue;
      const std::lock_guard lock(mutex_);
      ++mismatches_;
      if (shown_.size() < kShownMax) shown_.push_back({input(first, i), cpu_[i], buffers_.host[i]});
    }
  }

  Unary function_;
  UnaryLoop loop_;
  Buffers& buffers_;
  std::vector<float> cpu_;
  std::mutex mutex_;
  std::int64_t mismatches_ = 0;
  std::vector<Mismatch> shown_;
};

/// Mismatches of all functions.
std::int64_t compare_all() {
  cudaDeviceProp device{};
  require(cudaGetDeviceProperties(&device, 0), "no GPU");
  const auto loop = twinrun::trainer::portable::unary_loops().back();
  std::printf("%s against %u cores, %s loops\n", device.name, cores(), loop.isa);
  Buffers buffers;
  std::int64_t all = 0;
  for (const auto& [function, name] : kUnaryFunctions) {
    const auto start = std::chrono::steady_clock::now();
    Comparison comparison(function, loop.run, buffers);
    for (std::int64_t first = 0; first < kFloats; first += kBlock) {
      comparison.block(static_cast<std::uint32_t>(first));
    }
    const std::chrono::duration<double> seconds = std::chrono::steady_clock::now() - start;
    std::printf("%-5s %lld inputs, %lld mismatches, %.1f s\n", name,
                static_cast<long long>(kFloats), static_cast<long long>(comparison.mismatches()),
                seconds.count());
    for (const Mismatch& one : comparison.shown()) {
      std::printf("      MISMATCH %a: CPU %a, GPU %a\n", one.x, one.cpu, one.gpu);
    }
    std::fflush(stdout);
    all += comparison.mismatches();
  }
  return all;
}

}  // namespace

int main() {
  try {
    return compare_all() == 0 ? 0 : 1;
  } catch (const std::exception& error) {
    std::fprintf(stderr, "unary_gpu: %s\n", error.what());
    return 3;
  }
}
