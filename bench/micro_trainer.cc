// Micro-benchmarks of the trainer's CPU operations: products, attention, leaf hashes, the portable
// kernels of each instruction set that this CPU has and the vendor's. bench/micro.sh runs them;
// Google Benchmark's flags apply, and OMP_NUM_THREADS.

#include <ATen/ATen.h>
#include <ATen/Parallel.h>
#include <benchmark/benchmark.h>
#include <c10/core/InferenceMode.h>

#include <memory>
#include <stdexcept>
#include <string>
#include <utility>
#include <vector>

#include "trainer/ops/leaf_hash.h"
#include "trainer/ops/op_set.h"
#include "trainer/ops/portable/backend.h"
#include "trainer/ops/portable/portable_ops.h"
#include "trainer/ops/torch/torch_ops.h"

namespace {

using namespace twinrun::trainer;
using portable::Gemm;

struct NamedOps {
  std::string name;
  std::shared_ptr<OpSet> ops;
};

/// The shapes of a SmolLM2 step of 4 x 128 ids: y = x W^T and dx = dy W of its largest linear.
struct Product {
  const char* name;
  std::int64_t m, n, k;
  bool b_transposed;
};
constexpr Product kProducts[] = {{"512x1536x576_nt", 512, 1536, 576, true},
                                 {"512x576x1536_nn", 512, 576, 1536, false}};

/// `b` is [n, k] where it is transposed, else [k, n].
Gemm to_gemm(const Product& p, const at::Tensor& a, const at::Tensor& b, at::Tensor& c) {
  Gemm g;
  g.m = p.m;
  g.n = g.c_row = p.n;
  g.k = g.a_row = p.k;
  g.a = a.const_data_ptr<float>();
  g.b = b.const_data_ptr<float>();
  g.c = c.mutable_data_ptr<float>();
  g.b_k = p.b_transposed ? 1 : p.n;
  g.b_col = p.b_transposed ? p.k : 1;
  return g;
}

void count_products(benchmark::State& state, const Product& p) {
  state.counters["FLOP/s"] = benchmark::Counter(2.0 * static_cast<double>(p.m * p.n * p.k),
                                                benchmark::Counter::kIsIterationInvariantRate);
}

at::Tensor right_of(const Product& p) {
  return p.b_transposed ? at::randn({p.n, p.k}) : at::randn({p.k, p.n});
}

void gemm_portable(benchmark::State& state, portable::Backend& backend, const Product& p) {
  const auto a = at::randn({p.m, p.k}), b = right_of(p);
  auto c = at::empty({p.m, p.n});
  const auto gemm = to_gemm(p, a, b, c);
  for (auto _ : state) backend.gemm(gemm, {});
  count_products(state, p);
}

void gemm_vendor(benchmark::State& state, const Product& p) {
  const c10::InferenceMode inference;
  const auto a = at::randn({p.m, p.k}), b = right_of(p);
  auto c = at::empty({p.m, p.n});
  for (auto _ : state) at::mm_out(c, a, p.b_transposed ? b.t() : b);
  count_products(state, p);
}

/// Forward and backward of a SmolLM2 layer: 9 heads of 64 over 3 key/value heads.
void attention(benchmark::State& state, OpSet& ops, bool backward) {
  const c10::InferenceMode inference;
  const auto length = state.range(0);
  const auto q = at::randn({4, 9, length, 64}), k = at::randn({4, 3, length, 64}),
             v = at::randn({4, 3, length, 64});
  const auto forward = ops.attention(q, k, v, {});
  const auto dout = at::randn_like(forward.o_BHTE);
  for (auto _ : state) {
    if (backward) {
      benchmark::DoNotOptimize(ops.attention_backward(dout, q, k, v, forward, {}));
    } else {
      benchmark::DoNotOptimize(ops.attention(q, k, v, {}));
    }
  }
}

/// All digests of an adapter of `state.range(0)` bytes in 420 tensors.
void leaf_hash(benchmark::State& state) {
  const c10::InferenceMode inference;
  constexpr std::int64_t kTensors = 420;
  std::vector<NamedTensor> tensors;
  for (std::int64_t i = 0; i < kTensors; ++i) {
    tensors.push_back({"tensor" + std::to_string(i), at::randn({state.range(0) / 4 / kTensors})});
  }
  const LeafHasher hasher(std::move(tensors), at::get_num_threads());
  for (auto _ : state) benchmark::DoNotOptimize(hasher.digests(hasher.enqueue()));
  state.SetBytesProcessed(state.iterations() * hasher.bytes());
}
BENCHMARK(leaf_hash)->Arg(10 << 20)->UseRealTime();

/// The instruction sets that this CPU has, by the names of the kernels.
std::vector<std::pair<std::string, Isa>> instruction_sets() {
  std::vector<std::pair<std::string, Isa>> list;
  for (const auto isa : {Isa::kPlain, Isa::kAvx2, Isa::kAvx512}) {
    try {
      list.emplace_back(portable::cpu_kernels(isa).name, isa);
    } catch (const std::invalid_argument&) {  // not on this CPU
    }
  }
  return list;
}

void register_attention(const NamedOps& named) {
  for (const bool backward : {false, true}) {
    const auto name = std::string("attention_") + (backward ? "backward/" : "forward/");
    benchmark::RegisterBenchmark(
        (name + named.name).c_str(),
        [ops = named.ops, backward](benchmark::State& state) { attention(state, *ops, backward); })
        ->ArgName("length")
        ->Arg(128)
        ->Arg(512)
        ->UseRealTime();
  }
}

void register_all() {
  for (const auto& [name, isa] : instruction_sets()) {
    const std::shared_ptr<portable::Backend> backend = portable::make_cpu_backend(isa);
    for (const auto& product : kProducts) {
      benchmark::RegisterBenchmark(
          (std::string("gemm/") + product.name + "/" + name).c_str(),
          [backend, product](benchmark::State& state) { gemm_portable(state, *backend, product); })
          ->UseRealTime();
    }
    register_attention({name, make_portable_ops(isa)});
  }
  for (const auto& product : kProducts) {
    benchmark::RegisterBenchmark(
        (std::string("gemm/") + product.name + "/vendor").c_str(),
        [product](benchmark::State& state) { gemm_vendor(state, product); })
        ->UseRealTime();
  }
  register_attention({"vendor", make_torch_ops()});
}

}  // namespace

int main(int argc, char** argv) {
  benchmark::Initialize(&argc, argv);
  if (benchmark::ReportUnrecognizedArguments(argc, argv)) return 2;
  benchmark::AddCustomContext("threads", std::to_string(at::get_num_threads()));
  register_all();
  benchmark::RunSpecifiedBenchmarks();
}
