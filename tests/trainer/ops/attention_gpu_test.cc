// Segments and windows on a GPU: within rounding of the CPU, the portable op set bit for bit, and
// the same bits again with deterministic algorithms. Label `gpu`: without a GPU these fail.

#include <ATen/Context.h>

#include "tests/trainer/ops/attention_layouts.h"
#include "tests/trainer/ops/each_op_set.h"
#include "tests/trainer/tiny_model.h"
#include "trainer/model/llama.h"

namespace twinrun::trainer {
namespace {

constexpr std::int64_t kHeads = 4;

/// Deterministic algorithms for as long as it lives.
class DeterministicAlgorithms {
 public:
  DeterministicAlgorithms() { at::globalContext().setDeterministicAlgorithms(true, false); }
  ~DeterministicAlgorithms() { at::globalContext().setDeterministicAlgorithms(false, false); }
};

struct Results {
  at::Tensor o, dq, dk, dv;
};

/// q, k, v and dout of a case, on the CPU in float32 with values that `dtype` has.
struct Inputs {
  Inputs(const LayoutCase& c, std::int64_t kv_heads, std::int64_t size, at::ScalarType dtype) {
    at::manual_seed(5);
    const auto [rows, length] = shape_of(c);
    const auto heads = [&, rows = rows, length = length](std::int64_t count) {
      return at::randn({rows, length, count, size}).to(dtype).to(at::kFloat).transpose(1, 2);
    };
    q = heads(kHeads);
    k = heads(kv_heads);
    v = heads(kv_heads);
    dout = heads(kHeads);
  }
  at::Tensor q, k, v, dout;
};

Results run(OpSet& ops, const Inputs& x, const LayoutCase& c, const at::TensorOptions& options) {
  const auto moved = [&](const at::Tensor& t) {
    return t.transpose(1, 2).to(options).contiguous().transpose(1, 2);
  };
  const auto layout = c.layout(options.device());
  const auto q = moved(x.q), k = moved(x.k), v = moved(x.v);
  const auto o = ops.attention(q, k, v, layout);
  const auto d = ops.attention_backward(moved(x.dout), q, k, v, o, layout);
  return {o.o_BHTE.cpu(), d.dq_BHTE.cpu(), d.dk_BKTE.cpu(), d.dv_BKTE.cpu()};
}

class GpuAttention : public testing::TestWithParam<at::ScalarType> {
 protected:
  template <typename Check>
  void for_cases(Check check) const {
    for (const auto& c : layout_cases()) {
      for (const std::int64_t kv_heads : {4, 2}) {
        // 20: flash attention wants a multiple of eight.
        for (const std::int64_t size : {64, 128, 20}) {
          SCOPED_TRACE(testing::Message()
                       << c.rows << " x " << c.length << ", " << c.segments.size()
                       << " segments, window " << c.window << ", " << kv_heads << " of " << size);
          check(c, Inputs(c, kv_heads, size, GetParam()));
        }
      }
    }
  }
  at::TensorOptions gpu() const { return at::TensorOptions(at::kCUDA).dtype(GetParam()); }
};

INSTANTIATE_TEST_SUITE_P(Types, GpuAttention, testing::Values(at::kFloat, at::kBFloat16),
                         [](const auto& type) {
                           return std::string(type.param == at::kFloat ? "Float32" : "BFloat16");
                         });

TEST_P(GpuAttention, LayoutsAgreeWithTheCpu) {
  const double bound = GetParam() == at::kFloat ? 2e-5 : 2e-2;
  const auto ops = make_torch_ops();
  for_cases([&](const LayoutCase& c, const Inputs& x) {
    const auto cpu = run(*ops, x, c, at::TensorOptions(at::kCPU).dtype(at::kFloat));
    const auto found = run(*ops, x, c, gpu());
    const auto wide = [](const at::Tensor& t) { return t.to(at::kFloat); };
    EXPECT_TRUE(close(wide(found.o), cpu.o, bound)) << "o";
    EXPECT_TRUE(close(wide(found.dv), cpu.dv, bound)) << "dv";
    if (c.window == 1) return;  // one key: the gradients of q and k are roundings of zero
    EXPECT_TRUE(close(wide(found.dq), cpu.dq, bound)) << "dq";
    EXPECT_TRUE(close(wide(found.dk), cpu.dk, bound)) << "dk";
  });
}

TEST_P(GpuAttention, DeterministicAlgorithmsRepeatEveryBit) {
  const DeterministicAlgorithms deterministic;
  const auto ops = make_torch_ops(GpuSums::kFixed);
  for_cases([&](const LayoutCase& c, const Inputs& x) {
    const auto first = run(*ops, x, c, gpu());
    for (int i = 0; i < 5; ++i) {
      const auto again = run(*ops, x, c, gpu());
      EXPECT_TRUE(at::equal(again.o, first.o));
      EXPECT_TRUE(at::equal(again.dq, first.dq));
      EXPECT_TRUE(at::equal(again.dk, first.dk));
      EXPECT_TRUE(at::equal(again.dv, first.dv));
    }
  });
}

/// A layout that masks nothing is computed by other kernels than the default, to the same values.
TEST_P(GpuAttention, OneWholeSegmentBesidesAnotherIsTheDefault) {
  const double bound = GetParam() == at::kFloat ? 1e-5 : 1e-2;
  const auto ops = make_torch_ops();
  const LayoutCase two{.rows = 1, .length = 300, .segments = {200, 100}};
  const Inputs x(two, 2, 64, GetParam());
  const auto packed = run(*ops, x, two, gpu());
  Inputs first = x;
  for (auto* t : {&first.q, &first.k, &first.v, &first.dout}) *t = t->narrow(2, 0, 200);
  const auto alone = run(*ops, first, {.rows = 1, .length = 200}, gpu());
  const auto part = [](const at::Tensor& t) { return t.narrow(2, 0, 200).to(at::kFloat); };
  EXPECT_TRUE(close(part(packed.o), part(alone.o), bound));
  EXPECT_TRUE(close(part(packed.dq), part(alone.dq), bound));
  EXPECT_TRUE(close(part(packed.dk), part(alone.dk), bound));
  EXPECT_TRUE(close(part(packed.dv), part(alone.dv), bound));
}

TEST(GpuPortableAttention, LayoutsHaveTheBitsOfTheCpu) {
  const auto ops = make_portable_ops(Isa::kAuto);
  for (const auto& c : layout_cases()) {
    for (const std::int64_t kv_heads : {4, 2, 1}) {
      for (const std::int64_t size : {64, 20}) {
        const Inputs x(c, kv_heads, size, at::kFloat);
        const auto cpu = run(*ops, x, c, at::TensorOptions(at::kCPU).dtype(at::kFloat));
        const auto gpu = run(*ops, x, c, at::TensorOptions(at::kCUDA).dtype(at::kFloat));
        const auto bits = [](const at::Tensor& t) { return t.contiguous().view(at::kInt); };
        EXPECT_TRUE(at::equal(bits(gpu.o), bits(cpu.o))) << c.length << ", " << c.window;
        EXPECT_TRUE(at::equal(bits(gpu.dq), bits(cpu.dq))) << c.length << ", " << c.window;
        EXPECT_TRUE(at::equal(bits(gpu.dk), bits(cpu.dk))) << c.length << ", " << c.window;
        EXPECT_TRUE(at::equal(bits(gpu.dv), bits(cpu.dv))) << c.length << ", " << c.window;
      }
    }
  }
}

struct LossAndGrads {
  at::Tensor loss, grads;
};

/// Of packed samples under a window, with the rope scaling of Llama 3.
LossAndGrads packed_step(OpSet& ops, at::Device device, at::ScalarType dtype) {
  auto config = tiny_config(/*sliding_window=*/6);
  config.rope.llama3 = Llama3Scaling{
      .factor = 8, .low_freq_factor = 1, .high_freq_factor = 4, .original_max_positions = 32};
  Adapter adapter(config, tiny_lora(), device, dtype);
  adapter.init(1, dtype);
  adapter.params().add_(0.01);
  adapter.refresh();
  Llama model(config, random_llama(config, 5, dtype, device), ops, &adapter);
  DeviceBatch batch{3, 40, (at::arange(120) * 7 % 61).to(device), at::arange(0, 119, 2).to(device),
                    (at::arange(60) * 11 % 61).to(device)};
  batch.segments = {{0, 40}, {40, 3}, {43, 17}, {60, 20}, {80, 39}, {119, 1}};
  const auto loss = model.forward_backward(batch, 0.01, {.seed = 9, .step = 2, .p = 0.2});
  return {loss.cpu(), adapter.micro_grads_flat().cpu()};
}

TEST(GpuPackedLlama, PortableHasTheBitsOfTheCpu) {
  const auto ops = make_portable_ops(Isa::kAuto);
  const auto cpu = packed_step(*ops, at::kCPU, at::kFloat);
  const auto gpu = packed_step(*ops, at::kCUDA, at::kFloat);
  EXPECT_TRUE(at::equal(gpu.loss.view(at::kInt), cpu.loss.view(at::kInt)));
  EXPECT_TRUE(at::equal(gpu.grads.view(at::kInt), cpu.grads.view(at::kInt)));
}

TEST(GpuPackedLlama, AgreesWithTheCpu) {
  const auto ops = make_torch_ops();
  const auto cpu = packed_step(*ops, at::kCPU, at::kFloat);
  for (const auto& [type, loss_bound, grads_bound] :
       {std::tuple(at::kFloat, 1e-5, 1e-4), std::tuple(at::kBFloat16, 1e-2, 5e-2)}) {
    const auto gpu = packed_step(*ops, at::kCUDA, type);
    EXPECT_NEAR(gpu.loss.item<double>() / cpu.loss.item<double>(), 1, loss_bound);
    const auto difference = (gpu.grads - cpu.grads).norm().item<double>();
    EXPECT_LE(difference, grads_bound * cpu.grads.norm().item<double>());
  }
}

TEST(GpuPackedLlama, DeterministicAlgorithmsRepeatEveryBit) {
  const DeterministicAlgorithms deterministic;
  const auto ops = make_torch_ops(GpuSums::kFixed);
  for (const auto type : {at::kFloat, at::kBFloat16}) {
    const auto first = packed_step(*ops, at::kCUDA, type);
    for (int i = 0; i < 3; ++i) {
      const auto again = packed_step(*ops, at::kCUDA, type);
      EXPECT_TRUE(at::equal(again.loss, first.loss));
      EXPECT_TRUE(at::equal(again.grads, first.grads));
    }
  }
}

}  // namespace
}  // namespace twinrun::trainer
