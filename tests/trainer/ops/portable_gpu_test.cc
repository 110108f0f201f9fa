// The portable op set has the same bits on a GPU as on the CPU. Label `gpu`: without a GPU these
// fail, they never skip.

#include <ATen/ATen.h>
#include <c10/cuda/CUDAStream.h>
#include <gtest/gtest.h>

#include "tests/trainer/ops/portable/random_gemm.h"
#include "tests/trainer/tiny_model.h"
#include "trainer/model/llama.h"
#include "trainer/ops/portable/backend.h"
#include "trainer/ops/portable/gemm_cuda.cuh"
#include "trainer/ops/portable/portable_ops.h"

namespace twinrun::trainer {
namespace {

using portable::RandomGemm;

at::Tensor on_gpu(const std::vector<float>& values) {
  return at::tensor(values, at::kFloat).cuda();
}

TEST(GpuPortableGemm, TenThousandShapesHaveTheBitsOfTheCpu) {
  const auto gpu =
      portable::make_cuda_backend([] { return c10::cuda::getCurrentCUDAStream().stream(); });
  const auto& cpu = portable::cpu_kernels(Isa::kAuto);
  std::int64_t elements = 0;
  for (std::uint32_t seed = 0; seed < 10000; ++seed) {
    const RandomGemm random(seed);
    auto expected = random.c;
    cpu.gemm(random.with(expected), nullptr);
    const auto a = on_gpu(random.a), b = on_gpu(random.b);
    auto c = on_gpu(random.c);
    auto g = random.gemm;
    g.a = a.const_data_ptr<float>();
    g.b = b.const_data_ptr<float>();
    g.c = c.mutable_data_ptr<float>();
    gpu->gemm(g, {});
    const auto host = c.cpu();
    const auto* found = host.const_data_ptr<float>();
    for (std::int64_t i = 0; i < g.m; ++i) {
      for (std::int64_t j = 0; j < g.n; ++j) {
        if (!random.defined(i, j)) continue;
        const auto at = i * g.c_row + j;
        ASSERT_TRUE(portable::same(found[at], expected[static_cast<std::size_t>(at)]))
            << random.name() << " at " << i << ", " << j;
        ++elements;
      }
    }
  }
  std::cout << "10000 shapes, " << elements << " elements, 0 mismatches\n";
}

/// m x n x k of A B^T (0), A B (1) or A^T B (2), rows without padding.
struct Sized {
  int layout;
  std::int64_t m, n, k;
  bool accumulate = false, chained = false;
};

/// The product of random values on both devices; `rank`: whether the rank kernels must take it.
void expect_same_product(const Sized& s, bool rank) {
  SCOPED_TRACE(testing::Message() << s.m << " x " << s.n << " x " << s.k << ", layout "
                                  << s.layout);
  std::mt19937 random(static_cast<std::uint32_t>(s.m + s.n * 3 + s.k * 7 + s.layout));
  const auto values = [&](std::int64_t count) {
    std::vector<float> result(static_cast<std::size_t>(count));
    for (auto& value : result) value = portable::random_value(random);
    return result;
  };
  const auto a = values(s.m * s.k), b = values(s.k * s.n);
  auto c = values(s.m * s.n);
  const auto a_gpu = on_gpu(a), b_gpu = on_gpu(b);
  auto c_gpu = on_gpu(c);
  portable::Gemm g{.m = s.m, .n = s.n, .k = s.k, .a = a.data()};
  g.a_row = s.layout == 2 ? 1 : s.k;
  g.a_k = s.layout == 2 ? s.m : 1;
  g.b = b.data();
  g.b_k = s.layout == 0 ? 1 : s.n;
  g.b_col = s.layout == 0 ? s.k : 1;
  g.c = c.data();
  g.c_row = s.n;
  g.accumulate = s.accumulate;
  g.chained = s.chained;
  portable::make_cpu_backend(Isa::kAuto)->gemm(g, {});
  g.a = a_gpu.const_data_ptr<float>();
  g.b = b_gpu.const_data_ptr<float>();
  g.c = c_gpu.mutable_data_ptr<float>();
  EXPECT_EQ(portable::fits_rank_kernel(g), rank);
  portable::make_cuda_backend([] {
    return c10::cuda::getCurrentCUDAStream().stream();
  })->gemm(g, {});
  const auto host = c_gpu.cpu();
  const auto* found = host.const_data_ptr<float>();
  std::int64_t different = 0;
  for (std::size_t i = 0; i < c.size(); ++i) different += portable::same(found[i], c[i]) ? 0 : 1;
  EXPECT_EQ(different, 0);
}

TEST(GpuPortableGemm, LargeTilesWithTailsHaveTheBitsOfTheCpu) {
  for (const std::int64_t k : {37, 40, 96}) {
    for (const int layout : {0, 1, 2}) {
      // Of each shape of tile one whose memory can be read by four, and one whose cannot.
      for (const auto& [m, n] : {std::pair(3001, 2051),
                                 {3000, 2052},
                                 {1409, 1451},
                                 {1412, 1452},
                                 {1001, 1003},
                                 {1000, 1004}}) {
        expect_same_product({layout, m, n, k, (m + k) % 3 == 0}, false);
      }
    }
  }
  for (const std::int64_t k : {255, 256, 257, 512, 1000}) {
    expect_same_product({.layout = 1, .m = 1001, .n = 1000, .k = k, .chained = true}, false);
  }
}

TEST(GpuPortableGemm, ProductsOfARankHaveTheBitsOfTheCpu) {
  for (const std::int64_t rank : {8, 16}) {
    for (const bool accumulate : {false, true}) {
      for (const std::int64_t many : {17, 1000, 1001}) {
        for (const std::int64_t k : {4, 64, 260, 2052}) {
          expect_same_product({0, many, rank, k, accumulate}, true);
          expect_same_product({0, rank, many, k, accumulate}, true);
          expect_same_product({1, many, rank, k, accumulate}, true);
        }
        expect_same_product({1, many, 132, rank, accumulate}, true);
        expect_same_product({0, many, 133, rank, accumulate}, false);  // C not by four
      }
      for (const std::int64_t many : {20, 1004}) {
        for (const std::int64_t k : {1, 3, 63, 64, 2047}) {
          expect_same_product({2, many, rank, k, accumulate}, true);
          expect_same_product({2, rank, many, k, accumulate}, true);
        }
        expect_same_product({1, rank, many, 132, accumulate}, true);
        expect_same_product({0, 77, many, rank, accumulate}, true);
      }
    }
  }
}

/// The same call on both devices.
class GpuPortable : public testing::Test {
 protected:
  void SetUp() override { at::manual_seed(2); }

  static void expect_same(const at::Tensor& gpu, const at::Tensor& cpu, const char* what) {
    ASSERT_TRUE(cpu.isfinite().all().item<bool>()) << what;
    const auto bits = [](const at::Tensor& t) { return t.cpu().contiguous().view(at::kInt); };
    EXPECT_EQ((bits(gpu.reshape(-1)) != bits(cpu.reshape(-1))).sum().item<std::int64_t>(), 0)
        << what;
  }

  std::unique_ptr<OpSet> ops_ = make_portable_ops(Isa::kAuto);
};

TEST_F(GpuPortable, RmsNorm) {
  for (const std::int64_t cols : {1, 31, 32, 576, 2048, 2051}) {
    const auto x = at::randn({37, cols}), w = at::randn({cols}), dy = at::randn({37, cols});
    const auto cpu = ops_->rms_norm(x, w, 1e-5), gpu = ops_->rms_norm(x.cuda(), w.cuda(), 1e-5);
    expect_same(gpu.y_ND, cpu.y_ND, "y");
    expect_same(gpu.rstd_N1, cpu.rstd_N1, "rstd");
    expect_same(ops_->rms_norm_backward(dy.cuda(), x.cuda(), gpu.rstd_N1, w.cuda(), {}),
                ops_->rms_norm_backward(dy, x, cpu.rstd_N1, w, {}), "dx");
  }
}

TEST_F(GpuPortable, LoraLinearWithDropout) {
  for (const std::int64_t rank : {1, 8, 16, 17}) {
    const auto x = at::randn({300, 200}), w = at::randn({130, 200}), a = at::randn({rank, 200}),
               b = at::randn({130, rank}), dy = at::randn({300, 130}), dx = at::randn({300, 200});
    for (const double p : {0.0, 0.3}) {
      const DropoutKey key{.seed = 7, .p = p};
      const LoraWeights host{a, b, 1.7}, device{a.cuda(), b.cuda(), 1.7};
      LoraSaved saved, saved_gpu;
      expect_same(ops_->lora_linear(x.cuda(), w.cuda(), &device, key, &saved_gpu),
                  ops_->lora_linear(x, w, &host, key, &saved), "y");
      const LoraGrads grads{at::zeros_like(a), at::zeros_like(b)};
      const LoraGrads grads_gpu{at::zeros_like(device.a_RI), at::zeros_like(device.b_OR)};
      expect_same(ops_->lora_linear_backward(dy.cuda(), w.cuda(), &device, saved_gpu, &grads_gpu,
                                             dx.cuda(), true),
                  ops_->lora_linear_backward(dy, w, &host, saved, &grads, dx.clone(), true), "dx");
      expect_same(grads_gpu.a_RI, grads.a_RI, "dA");
      expect_same(grads_gpu.b_OR, grads.b_OR, "dB");
    }
  }
}

TEST_F(GpuPortable, RopeAndAttention) {
  for (const std::int64_t length : {1, 5, 64, 77, 130, 257}) {
    for (const std::int64_t kv_heads : {6, 2, 1}) {
      // As the model has them: heads of one token side by side.
      const auto heads = [&](std::int64_t count) {
        return at::randn({2, length, count, 64}).transpose(1, 2);
      };
      const auto gpu = [](const at::Tensor& t) {
        return t.transpose(1, 2).contiguous().cuda().transpose(1, 2);
      };
      const auto [cos, sin] =
          ops_->rope_tables({.theta = 1e5}, 64, length, at::TensorOptions(at::kFloat));
      const auto x = heads(6), k = heads(kv_heads), v = heads(kv_heads), dout = heads(6);
      const auto q = ops_->rope(x, cos, sin);
      expect_same(ops_->rope(gpu(x), cos.cuda(), sin.cuda()), q, "rope");
      expect_same(ops_->rope_backward(gpu(x), cos.cuda(), sin.cuda()),
                  ops_->rope_backward(x, cos, sin), "rope backward");
      const auto on_cpu = ops_->attention(q, k, v, {});
      const auto on_gpu = ops_->attention(gpu(q), gpu(k), gpu(v), {});
      expect_same(on_gpu.o_BHTE, on_cpu.o_BHTE, "o");
      const auto d = ops_->attention_backward(dout, q, k, v, on_cpu, {});
      const auto d_gpu = ops_->attention_backward(gpu(dout), gpu(q), gpu(k), gpu(v), on_gpu, {});
      expect_same(d_gpu.dq_BHTE, d.dq_BHTE, "dq");
      expect_same(d_gpu.dk_BKTE, d.dk_BKTE, "dk");
      expect_same(d_gpu.dv_BKTE, d.dv_BKTE, "dv");
    }
  }
}

TEST_F(GpuPortable, SwigluAlsoWhereTheSigmoidIsZeroOrOne) {
  const auto gate = at::cat({at::randn({3000}) * 5, at::linspace(-120, 120, 4001)}),
             up = at::randn({7001}), dy = at::randn({7001});
  expect_same(ops_->swiglu(gate.cuda(), up.cuda()), ops_->swiglu(gate, up), "y");
  const auto [dgate, dup] = ops_->swiglu_backward(dy, gate, up);
  const auto [dgate_gpu, dup_gpu] = ops_->swiglu_backward(dy.cuda(), gate.cuda(), up.cuda());
  expect_same(dgate_gpu, dgate, "dgate");
  expect_same(dup_gpu, dup, "dup");
}

TEST_F(GpuPortable, CrossEntropyAcrossChunksAndChains) {
  for (const std::int64_t vocab : {31, 50, 256, 257, 5003}) {
    const auto x = at::randn({1100, 48}), w = at::randn({vocab, 48});
    const auto labels = at::randint(0, vocab, {1100}, at::kLong);
    const auto cpu = ops_->linear_cross_entropy(x, w, labels, 1.0 / 1100);
    const auto gpu = ops_->linear_cross_entropy(x.cuda(), w.cuda(), labels.cuda(), 1.0 / 1100);
    expect_same(gpu.loss_sum, cpu.loss_sum, "loss");
    expect_same(gpu.dx_LD, cpu.dx_LD, "dx");
  }
}

TEST_F(GpuPortable, NormClippingAndAdamW) {
  for (const std::int64_t n : {1, 100, 4096, 300007}) {
    auto grads = at::randn({n}) * 1e-2, params = at::randn({n}), m = at::randn({n}),
         v = at::rand({n});
    auto grads_gpu = grads.cuda(), params_gpu = params.cuda(), m_gpu = m.cuda(), v_gpu = v.cuda();
    const auto norm = ops_->grad_norm(grads), norm_gpu = ops_->grad_norm(grads_gpu);
    expect_same(norm_gpu, norm, "norm");
    ops_->clip_grads(grads, norm, 0.7);
    ops_->clip_grads(grads_gpu, norm_gpu, 0.7);
    expect_same(grads_gpu, grads, "clipped");
    const AdamWStep step{
        .lr = 3e-4, .weight_decay = 0.01, .correction1 = 0.271, .correction2 = 0.002997};
    ops_->adamw(step, grads, params, m, v);
    ops_->adamw(step, grads_gpu, params_gpu, m_gpu, v_gpu);
    expect_same(params_gpu, params, "params");
    expect_same(m_gpu, m, "exp_avg");
    expect_same(v_gpu, v, "exp_avg_sq");
    ops_->divide_(params, 301);
    ops_->divide_(params_gpu, 301);
    expect_same(params_gpu, params, "quotient");
    ops_->add_(params, m);
    ops_->add_(params_gpu, m_gpu);
    expect_same(params_gpu, params, "sum");
  }
}

TEST_F(GpuPortable, AWholeModelForwardAndBackward) {
  const auto run = [&](at::Device device) {
    Adapter adapter(tiny_config(), tiny_lora(), device, at::kFloat);
    adapter.init(1, at::kFloat);
    adapter.params().add_(0.01);
    Llama model(tiny_config(), random_llama(tiny_config(), 5, at::kFloat, device), *ops_, &adapter);
    const DeviceBatch batch{3, 41, (at::arange(123) * 7 % 61).to(device),
                            at::arange(0, 119, 2).to(device),
                            (at::arange(60) * 11 % 61).to(device)};
    const auto loss = model.forward_backward(batch, 0.01, {.seed = 9, .step = 2, .p = 0.2});
    return std::pair(loss.cpu(), adapter.micro_grads_flat().cpu());
  };
  const auto [loss, grads] = run(at::kCPU);
  const auto [loss_gpu, grads_gpu] = run(at::kCUDA);
  expect_same(loss_gpu, loss, "loss");
  expect_same(grads_gpu, grads, "gradients");
  EXPECT_GT(grads.abs().max().item<float>(), 0);
}

}  // namespace
}  // namespace twinrun::trainer
