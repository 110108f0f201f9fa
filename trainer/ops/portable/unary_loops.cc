#include "trainer/ops/portable/unary_loops.h"

namespace twinrun::trainer::portable {

void unary_loop_x86_64(Unary, const float*, float*, std::int64_t);
void unary_loop_avx2(Unary, const float*, float*, std::int64_t);
void unary_loop_avx512(Unary, const float*, float*, std::int64_t);

std::vector<UnaryLoopOfIsa> unary_loops() {
  std::vector<UnaryLoopOfIsa> loops = {{"x86-64", unary_loop_x86_64}};
  if (__builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma")) {
    loops.push_back({"AVX2", unary_loop_avx2});
  }
  if (__builtin_cpu_supports("avx512f") && __builtin_cpu_supports("avx512dq") &&
      __builtin_cpu_supports("avx512vl") && __builtin_cpu_supports("avx512bw")) {
    loops.push_back({"AVX-512", unary_loop_avx512});
  }
  return loops;
}

}  // namespace twinrun::trainer::portable
