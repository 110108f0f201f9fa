// vml_first_call PROCESSES THREADS [--settled]: in how many fresh processes does the first cosine
// of 32,768 floats, computed by THREADS threads, have other bits than the second? MKL's vector
// functions find out about the CPU in their first call, and threads that make it together may take
// two ways.
// --settled: one thread alone calls one before, as apply_numerics does; then there must be none.
// The exit code is 1 if there was one all the same. A machine that is busy shows more.

#include <ATen/ATen.h>
#include <ATen/Parallel.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cstdio>
#include <cstdlib>
#include <cstring>

namespace {

constexpr std::int64_t kElements = 32'768;  // the first size that ATen spreads over threads

/// In a process that has called no vector function yet. Never returns.
[[noreturn]] void compare_first_with_second(int threads, bool settled) {
  at::set_num_threads(threads);
  if (settled) at::zeros({1}).cos_();
  const auto angles = at::arange(kElements, at::kFloat).mul_(0.001);  // the threads are there now
  const auto first = angles.cos(), second = angles.cos();
  _exit(first.equal(second) ? 0 : 1);
}

}  // namespace

int main(int argc, char** argv) {
  const bool settled = argc == 4 && std::strcmp(argv[3], "--settled") == 0;
  const int processes = argc > 2 ? std::atoi(argv[1]) : 0,
            threads = argc > 2 ? std::atoi(argv[2]) : 0;
  if (processes < 1 || threads < 1 || (argc > 3 && !settled)) {
    std::fprintf(stderr, "usage: vml_first_call PROCESSES THREADS [--settled]\n");
    return 2;
  }
  int differing = 0;
  for (int i = 0; i < processes; ++i) {
    const pid_t child = fork();
    if (child == 0) compare_first_with_second(threads, settled);
    int status = 0;
    if (child < 0 || waitpid(child, &status, 0) != child || !WIFEXITED(status)) {
      std::fprintf(stderr, "vml_first_call: a process could not be run\n");
      return 3;
    }
    differing += WEXITSTATUS(status) != 0 ? 1 : 0;
  }
  std::printf("%d of %d processes with %d threads differ in their first call%s\n", differing,
              processes, threads, settled ? ", after a call by one thread" : "");
  return settled && differing > 0 ? 1 : 0;
}
