#include "trainer/ops/op_set.h"

#include "trainer/numerics/options.h"
#include "trainer/ops/portable/portable_ops.h"

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
  return options.mode == "portable" ? make_portable_ops(isa_of(options.isa)) : make_torch_ops();
}

}  // namespace twinrun::trainer
