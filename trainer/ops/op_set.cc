#include "trainer/ops/op_set.h"

#include "trainer/numerics/options.h"
#include "trainer/ops/portable/portable_ops.h"
#include "trainer/ops/torch/torch_ops.h"

namespace twinrun::trainer {
namespace {

Isa isa_of(const std::string& name) {
  return name == "avx512"  ? Isa::kAvx512
         : name == "avx2"  ? Isa::kAvx2
         : name == "plain" ? Isa::kPlain
                           : Isa::kAuto;
}

}  // namespace

std::unique_ptr<OpSet> make_ops(const NumericsOptions& options) {
  if (options.mode == "portable") return make_portable_ops(isa_of(options.isa));
  return make_torch_ops(options.mode == "deterministic" ? GpuSums::kFixed : GpuSums::kLibrary,
                        options.shuffle_reductions);
}

}  // namespace twinrun::trainer
