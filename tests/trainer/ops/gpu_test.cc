// What must be the same on a GPU as on the CPU. Label `gpu`: without a GPU these fail, they never
// skip; ci/test leaves the label out where there is none, and says so.

#include <ATen/ATen.h>
#include <gtest/gtest.h>

#include "tests/trainer/tiny_model.h"
#include "trainer/model/llama.h"
#include "trainer/ops/dropout.h"
#include "trainer/ops/leaf_hash.h"

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
    for (const std::int64_t numel : {1, 3, 1000, 1 << 20}) {
      const auto x = at::randn({numel}).to(type);
      EXPECT_TRUE(at::equal(dropout(x.cuda(), key).cpu(), dropout(x, key))) << numel;
      auto y = at::ones({numel}).to(type);
      auto y_gpu = y.cuda();
      dropout_add_(y, x, key);
      dropout_add_(y_gpu, x.cuda(), key);
      EXPECT_TRUE(at::equal(y_gpu.cpu(), y)) << numel;
    }
  }
}

/// Loss and gradients of the tiny model on `device`.
std::pair<double, at::Tensor> loss_and_grads(at::Device device, at::ScalarType dtype) {
  const auto ops = make_torch_ops();
  Adapter adapter(tiny_config(), tiny_lora(), device, dtype);
  adapter.init(1, dtype);
  adapter.params().add_(0.01);
  adapter.refresh();
  Llama model(tiny_config(), random_llama(tiny_config(), 5, dtype, device), *ops, &adapter);
  DeviceBatch batch{3, 40, (at::arange(120) * 7 % 61).to(device), at::arange(0, 119, 2).to(device),
                    (at::arange(60) * 11 % 61).to(device)};
  const auto loss = model.forward_backward(batch, 0.01, {.seed = 9, .step = 2, .p = 0.2});
  return {loss.item<double>(), adapter.micro_grads_flat().cpu()};
}

TEST(GpuLlama, Float32AgreesWithTheCpu) {
  const auto [loss_cpu, grads_cpu] = loss_and_grads(at::kCPU, at::kFloat);
  const auto [loss_gpu, grads_gpu] = loss_and_grads(at::kCUDA, at::kFloat);
  EXPECT_NEAR(loss_gpu / loss_cpu, 1, 1e-5);
  const auto difference =
      (grads_gpu - grads_cpu).norm().item<double>() / grads_cpu.norm().item<double>();
  EXPECT_TRUE(difference <= 1e-4) << difference;
}

TEST(GpuLlama, BFloat16AgreesWithTheCpu) {
  const auto [loss_cpu, grads_cpu] = loss_and_grads(at::kCPU, at::kBFloat16);
  const auto [loss_gpu, grads_gpu] = loss_and_grads(at::kCUDA, at::kBFloat16);
  EXPECT_NEAR(loss_gpu / loss_cpu, 1, 1e-2);
  const auto difference =
      (grads_gpu - grads_cpu).norm().item<double>() / grads_cpu.norm().item<double>();
  EXPECT_TRUE(difference <= 5e-2) << difference;
}

}  // namespace
}  // namespace twinrun::trainer
