#include "trainer/ops/portable/portable_ops.h"

#include <c10/util/Exception.h>

namespace twinrun::trainer {

std::unique_ptr<OpSet> make_portable_ops(Isa /*isa*/) {
  TORCH_CHECK(false, "numerics: portable: its kernels are not built yet");
}

}  // namespace twinrun::trainer
