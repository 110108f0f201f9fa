#include "trainer/bench/bench.h"

#include <istream>
#include <ostream>
#include <stdexcept>

#include "trainer/bench/arm.h"
#include "trainer/bench/command.h"
#include "trainer/numerics/variables.h"
#include "trainer/train/failure.h"

namespace twinrun::trainer {
namespace {

void answer(std::ostream& out, const nlohmann::ordered_json& line) {
  if (out << line.dump() << '\n' << std::flush) return;
  throw std::runtime_error("answers cannot be written: stdout is closed or full");
}

void measure(const protocol::RunConfig& config, std::istream& in, std::ostream& out) {
  const auto options = read_bench_options(config);
  auto typed = read_train_config(config);
  typed.numerics.forced = options.switches;
  prepare_environment(typed.numerics);
  Arm arm(typed, options);
  answer(out, arm.warm_up());
  while (const auto steps = next_window(in)) answer(out, arm.window(steps));
}

}  // namespace

int run_bench(const protocol::RunConfig& config, std::istream& in, std::ostream& out) {
  try {
    measure(config, in, out);
    return kExitComplete;
  } catch (...) {
    return say_current_failure();
  }
}

}  // namespace twinrun::trainer
