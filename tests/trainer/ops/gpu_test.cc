// What must be the same on a GPU as on the CPU. Label `gpu`: without a GPU these fail, they never
// skip; ci/test leaves the label out where there is none, and says so.

#include <ATen/ATen.h>
#include <gtest/gtest.h>

#include "tests/trainer/tiny_model.h"
#include "trainer/model/llama.h"
#include "trainer/ops/dropout.h"
#include "trainer/ops/leaf_hash.h"
#include "trainer/ops/torch/lt_products.h"
#include "trainer/ops/torch/torch_ops.h"

namespace twinrun::trainer {
namespace {

TEST(GpuLeafHasher, EqualsTheCpuForEveryLengthOfATailAndEveryAlignment) {
  std::vector<NamedTensor> host, device;
  for (std::int64_t numel = 1; numel <= 2060; numel += numel < 80 ? 1 : 31) {
    host.push_back({"t" + std::to_string(numel), at::randn({numel})});
    device.push_back({host.back().name, host.back().tensor.cuda()});
  }
  const auto flat = at::randn({40000});
  const auto flat_gpu = flat.cuda();
  for (std::int64_t offset : {1, 2, 3, 5, 7}) {  // addresses that are not multiples of 16
    host.push_back({"offset" + std::to_string(offset), flat.narrow(0, offset, 9999)});
    device.push_back({host.back().name, flat_gpu.narrow(0, offset, 9999)});
  }
  const LeafHasher on_host(host, 2), on_device(device, 2);
  const auto leaves = on_device.enqueue();
  at::zeros({1}, at::kCUDA).item();  // the stream has passed
  EXPECT_EQ(on_device.digests(leaves), on_host.digests(on_host.enqueue()));
}

TEST(GpuDropout, HasTheBitsOfTheCpu) {
  const DropoutKey key{.seed = 123456789012345,
                       .layer = 3,
                       .module = LinearModule::kVProj,
                       .step = 5,
                       .micro_batch = 1,
                       .p = 0.05};
  for (const auto type : {at::kFloat, at::kBFloat16}) {
    for (const std::int64_t numel : {1, 3, 4, 1000, 1001, 4102, 70003, 1 << 20}) {
      for (const std::int64_t offset : {0, 1, 2, 3}) {  // addresses that are no multiple of four
        const auto x = at::randn({numel + offset}).to(type).narrow(0, offset, numel);
        const auto x_gpu =
            at::cat({at::zeros({offset}).to(type), x}).cuda().narrow(0, offset, numel);
        EXPECT_TRUE(at::equal(dropout(x_gpu, key).cpu(), dropout(x, key))) << numel;
        at::Tensor mask;
        const auto kept = dropout(x_gpu, key, &mask);
        EXPECT_TRUE(at::equal(kept.cpu(), dropout(x, key))) << numel;
        EXPECT_TRUE(at::equal(dropout(x_gpu, key, &mask), kept)) << numel;
        auto y = at::ones({numel + offset}).to(type);
        auto y_gpu = y.cuda();  // beside it nothing is written
        auto part = y.narrow(0, offset, numel), part_gpu = y_gpu.narrow(0, offset, numel);
        dropout_add_(part, x, key);
        auto y_masked = y_gpu.clone();
        auto part_masked = y_masked.narrow(0, offset, numel);
        dropout_add_(part_gpu, x_gpu, key);
        dropout_add_(part_masked, x_gpu, key, mask);
        EXPECT_TRUE(at::equal(y_gpu.cpu(), y)) << numel;
        EXPECT_TRUE(at::equal(y_masked, y_gpu)) << numel;
      }
    }
  }
}

/// The largest error of `lt` against float64, relative to the largest element.
double lt_error(LtProducts& lt, const at::Tensor& a, const at::Tensor& b, at::ScalarType out) {
  const auto exact = at::matmul(a.to(at::kDouble), b.to(at::kDouble)) * 0.5 + 3.0;
  const auto c = at::full(exact.sizes(), 3.0, a.options().dtype(out));
  const auto again = c.clone();
  lt.run(c, a, b, 0.5, 1);
  lt.run(again, a, b, 0.5, 1);
  EXPECT_TRUE(at::equal(c, again));
  return ((c.to(at::kDouble) - exact).abs().max() / exact.abs().max()).item<double>();
}

TEST(GpuLtProducts, AgreeWithFloat64InEveryLayoutAndDtype) {
  at::manual_seed(5);
  LtProducts lt;
  const auto options = at::TensorOptions(at::kCUDA);
  for (const auto type : {at::kFloat, at::kBFloat16}) {
    // Half an ulp of bfloat16 where it is the output, else what float32 sums lose.
    const double bound = type == at::kFloat ? 1e-5 : 0x1p-8;
    for (const bool a_turned : {false, true}) {
      for (const bool b_turned : {false, true}) {
        const auto a =
            at::randn(a_turned ? at::IntArrayRef{48, 72} : at::IntArrayRef{72, 48}, options);
        const auto b =
            at::randn(b_turned ? at::IntArrayRef{16, 48} : at::IntArrayRef{48, 16}, options);
        const auto left = a.to(type), right = b.to(type);
        EXPECT_LE(lt_error(lt, a_turned ? left.t() : left, b_turned ? right.t() : right, type),
                  bound);
      }
    }
    const auto left = at::randn({5, 64, 40}, options).to(type).transpose(1, 2);
    const auto right = at::randn({5, 64, 16}, options).to(type);
    EXPECT_LE(lt_error(lt, left, right, at::kFloat), 1e-5);
  }
}

TEST(GpuLtProducts, RefuseWhatTheyCannotCompute) {
  LtProducts lt;
  const auto a = at::randn({8, 8}, at::kCUDA), c = at::empty_like(a);
  EXPECT_THROW(lt.run(c, a.to(at::kDouble), a, 1, 0), c10::Error);
  EXPECT_THROW(lt.run(c, a, at::randn({4, 8}, at::kCUDA)), c10::Error);
  EXPECT_THROW(lt.run(c.t().narrow(1, 0, 4), a, a.narrow(1, 0, 4)), c10::Error);
  // Of other types: the operands among themselves, and the output.
  EXPECT_THROW(lt.run(c, a.to(at::kBFloat16), a), c10::Error);
  EXPECT_THROW(lt.run(c, a, a.to(at::kBFloat16)), c10::Error);
  EXPECT_THROW(lt.run(c.to(at::kBFloat16), a, a), c10::Error);
  // Rows or columns that share memory: with a stride as large as a row they would be read outside.
  const auto row = at::randn({1, 8}, at::kCUDA).expand({8, 8});
  EXPECT_THROW(lt.run(c, row, a), c10::Error);
  EXPECT_THROW(lt.run(c, a, row.t()), c10::Error);
  EXPECT_THROW(lt.run(row, a, a), c10::Error);
}

TEST(GpuLtProducts, RefuseMatricesThatAreNotOneAProduct) {
  LtProducts lt;
  const auto three = at::randn({3, 8, 8}, at::kCUDA), two = three.narrow(0, 0, 2);
  const auto c = at::empty_like(three);
  EXPECT_THROW(lt.run(c, two, three), c10::Error);
  EXPECT_THROW(lt.run(c, three, two), c10::Error);
  EXPECT_THROW(lt.run(c.narrow(0, 0, 2), three, three), c10::Error);
  EXPECT_THROW(lt.run(c.narrow(0, 0, 1).expand({3, 8, 8}), three, three), c10::Error);
  // An operand may be the same in all of them.
  const auto same = three.narrow(0, 0, 1).expand({3, 8, 8});
  EXPECT_LE(lt_error(lt, three, same, at::kFloat), 1e-5);
  EXPECT_LE(lt_error(lt, same, three, at::kFloat), 1e-5);
}

/// Loss and gradients of the tiny model on `device`.
std::pair<double, at::Tensor> loss_and_grads(GpuSums sums, at::Device device, at::ScalarType dtype,
                                             bool activation_checkpointing = false) {
  const auto ops = make_torch_ops(sums);
  Adapter adapter(tiny_config(), tiny_lora(), device, dtype);
  adapter.init(1, dtype);
  adapter.params().add_(0.01);
  adapter.refresh();
  Llama model(tiny_config(), random_llama(tiny_config(), 5, dtype, device), *ops, &adapter,
              activation_checkpointing);
  DeviceBatch batch{3, 40, (at::arange(120) * 7 % 61).to(device), at::arange(0, 119, 2).to(device),
                    (at::arange(60) * 11 % 61).to(device)};
  const auto loss = model.forward_backward(batch, 0.01, {.seed = 9, .step = 2, .p = 0.2});
  return {loss.item<double>(), adapter.micro_grads_flat().cpu()};
}

class GpuLlama : public testing::TestWithParam<GpuSums> {
 protected:
  void expect_as_on_the_cpu(at::ScalarType dtype, double loss_bound, double grads_bound) const {
    const auto [loss_cpu, grads_cpu] = loss_and_grads(GetParam(), at::kCPU, dtype);
    const auto [loss_gpu, grads_gpu] = loss_and_grads(GetParam(), at::kCUDA, dtype);
    EXPECT_NEAR(loss_gpu / loss_cpu, 1, loss_bound);
    const auto difference =
        (grads_gpu - grads_cpu).norm().item<double>() / grads_cpu.norm().item<double>();
    EXPECT_TRUE(difference <= grads_bound) << difference;
  }
};

INSTANTIATE_TEST_SUITE_P(Sums, GpuLlama, testing::Values(GpuSums::kLibrary, GpuSums::kFixed),
                         [](const auto& sums) {
                           return std::string(sums.param == GpuSums::kFixed ? "Fixed" : "Library");
                         });

TEST_P(GpuLlama, Float32AgreesWithTheCpu) { expect_as_on_the_cpu(at::kFloat, 1e-5, 1e-4); }

/// On a GPU a dropout mask is drawn twice then: in the forward, and with what is computed again.
TEST(GpuActivationCheckpointing, ChangesNoBit) {
  auto& context = at::globalContext();
  const bool before = context.deterministicAlgorithms();
  context.setDeterministicAlgorithms(true, /*warn_only=*/false);
  for (const auto dtype : {at::kFloat, at::kBFloat16}) {
    const auto kept = loss_and_grads(GpuSums::kFixed, at::kCUDA, dtype);
    const auto again = loss_and_grads(GpuSums::kFixed, at::kCUDA, dtype, true);
    EXPECT_EQ(again.first, kept.first);
    EXPECT_TRUE(at::equal(again.second, kept.second)) << dtype;
  }
  context.setDeterministicAlgorithms(before, /*warn_only=*/false);
}

TEST_P(GpuLlama, BFloat16AgreesWithTheCpu) { expect_as_on_the_cpu(at::kBFloat16, 1e-2, 5e-2); }

}  // namespace
}  // namespace twinrun::trainer
