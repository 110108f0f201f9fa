// portable_gemm [--gpu]: speed of the portable product for A B^T, A B and A^T B.
// On the CPU against the FMA peak of the same threads, measured in the same run, in turns, with the
// vendor's product (MKL) beside it; with --gpu against cuBLAS in float32 without TF32.

#include <ATen/ATen.h>
#include <ATen/Context.h>
#include <ATen/Parallel.h>
#include <ATen/cuda/CUDAEvent.h>
#include <c10/cuda/CUDAStream.h>
#include <omp.h>

#include <algorithm>
#include <chrono>
#include <cstdio>
#include <cstring>
#include <functional>
#include <thread>
#include <vector>

#include "bench/fma_peak.h"
#include "trainer/ops/portable/backend.h"

namespace {

using namespace twinrun::trainer;
using portable::Gemm;

constexpr int kTurns = 11;  // of a CPU product: a shared host is restless
constexpr const char* kLayouts[] = {"A B^T", "A B", "A^T B"};

Gemm square(int layout, std::int64_t n, const at::Tensor& a, const at::Tensor& b,
            const at::Tensor& c) {
  Gemm g;
  g.m = g.n = g.k = g.c_row = n;
  g.a = a.const_data_ptr<float>();
  g.b = b.const_data_ptr<float>();
  g.c = c.mutable_data_ptr<float>();
  g.a_row = layout == 2 ? 1 : n;
  g.a_k = layout == 2 ? n : 1;
  g.b_k = layout == 0 ? 1 : n;
  g.b_col = layout == 0 ? n : 1;
  return g;
}

double seconds_on_cpu(const std::function<void()>& work) {
  const auto start = std::chrono::steady_clock::now();
  work();
  return std::chrono::duration<double>(std::chrono::steady_clock::now() - start).count();
}

double median(std::vector<double> values) {
  std::sort(values.begin(), values.end());
  return values[values.size() / 2];
}

double peak_of(int threads) {
  std::vector<double> peaks(static_cast<std::size_t>(threads));
  std::vector<std::thread> workers;
  for (auto& peak : peaks) {
    workers.emplace_back([&peak] { peak = twinrun::bench::fma_peak_gflops(); });
  }
  for (auto& worker : workers) worker.join();
  double sum = 0;
  for (const double peak : peaks) sum += peak;
  return sum;
}

/// Speed in GFLOP/s and share of the FMA peak, by turns.
struct Turns {
  std::vector<double> speeds, shares;

  void add(double flop, int threads, const std::function<void()>& work) {
    const double peak = peak_of(threads);
    speeds.push_back(flop / seconds_on_cpu(work) / 1e9);
    shares.push_back(speeds.back() / ((peak + peak_of(threads)) / 2));
  }
};

void cpu_product(portable::Backend& backend, int threads, std::int64_t n, int layout) {
  const auto a = at::randn({n, n}), b = at::randn({n, n});
  auto c = at::empty({n, n});
  const auto g = square(layout, n, a, b, c);
  const auto left = layout == 2 ? a.t() : a, right = layout == 0 ? b.t() : b;
  const int repeats = static_cast<int>(std::max<std::int64_t>(1, 2048 * 2048 / n / n));
  const auto ours = [&] {
    for (int i = 0; i < repeats; ++i) backend.gemm(g, {});
  };
  const auto vendor = [&] {
    for (int i = 0; i < repeats; ++i) at::mm_out(c, left, right);
  };
  const double flop = 2.0 * static_cast<double>(n * n * n) * repeats;
  ours();
  vendor();
  Turns of_ours, of_vendor;
  for (int turn = 0; turn < kTurns; ++turn) {
    of_ours.add(flop, threads, ours);
    of_vendor.add(flop, threads, vendor);
  }
  std::printf("threads %d  %5ld  %-6s %7.1f GFLOP/s  %.2f of the FMA peak (MKL %.2f)\n", threads, n,
              kLayouts[layout], median(of_ours.speeds), median(of_ours.shares),
              median(of_vendor.shares));
  std::fflush(stdout);
}

void cpu() {
  const auto backend = portable::make_cpu_backend(Isa::kAuto);
  std::printf("kernels: %s; medians of %d turns, the peak is measured before and after each\n",
              portable::cpu_kernels(Isa::kAuto).name, kTurns);
  for (const int threads : {1, 2}) {
    if (threads > omp_get_num_procs()) continue;
    at::set_num_threads(threads);
    for (const std::int64_t n : {512, 1024, 2048, 4096}) {
      for (int layout = 0; layout < 3; ++layout) cpu_product(*backend, threads, n, layout);
    }
  }
}

double ms_on_gpu(const std::function<void()>& work) {
  at::cuda::CUDAEvent start(cudaEventDefault), end(cudaEventDefault);
  start.record();
  work();
  end.record();
  end.synchronize();
  return start.elapsed_time(end);
}

void gpu() {
  at::globalContext().setFloat32MatmulPrecision("highest");
  const auto backend =
      portable::make_cuda_backend([] { return c10::cuda::getCurrentCUDAStream().stream(); });
  std::printf("medians of 7 turns, cuBLAS and ours one after the other\n");
  for (const std::int64_t n : {2048, 4096, 8192}) {
    for (int layout = 0; layout < 3; ++layout) {
      const auto options = at::TensorOptions(at::kFloat).device(at::kCUDA);
      const auto a = at::randn({n, n}, options), b = at::randn({n, n}, options);
      auto c = at::empty({n, n}, options);
      const auto g = square(layout, n, a, b, c);
      const auto left = layout == 2 ? a.t() : a, right = layout == 0 ? b.t() : b;
      const auto ours = [&] { backend->gemm(g, {}); };
      const auto vendor = [&] { at::mm_out(c, left, right); };
      ours();
      vendor();
      std::vector<double> ms, vendor_ms;
      for (int turn = 0; turn < 7; ++turn) {
        vendor_ms.push_back(ms_on_gpu(vendor));
        ms.push_back(ms_on_gpu(ours));
      }
      const double flop = 2e-9 * static_cast<double>(n * n * n);
      std::printf("%5ld  %-6s ours %5.1f TFLOP/s, cuBLAS %5.1f, ratio %.2f\n", n, kLayouts[layout],
                  flop / median(ms), flop / median(vendor_ms), median(vendor_ms) / median(ms));
    }
  }
}

}  // namespace

int main(int argc, char** argv) {
  const bool on_gpu = argc == 2 && std::strcmp(argv[1], "--gpu") == 0;
  if (argc > 1 && !on_gpu) {
    std::fprintf(stderr, "usage: portable_gemm [--gpu]\n");
    return 2;
  }
  const c10::InferenceMode inference;
  on_gpu ? gpu() : cpu();
}
