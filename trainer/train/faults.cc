#include "trainer/train/faults.h"

#include <ATen/ATen.h>
#include <signal.h>
#include <sys/random.h>
#include <unistd.h>

#include <bit>
#include <cmath>
#include <cstdio>
#include <stdexcept>

namespace twinrun::trainer {

Faults::Faults(const std::vector<std::string>& injections) {
  for (const auto& text : injections) planted_.push_back(protocol::parse_injection(text));
}

void Faults::require_plantable(std::int64_t steps, std::int64_t batch_size) const {
  for (const auto& [kind, step] : planted_) {
    const bool whole_run = kind == "constant";
    const bool right_step = kind == "seed" ? step == 0 : step >= 1 && step <= steps;
    if (!whole_run && !right_step) {
      throw std::invalid_argument("--inject " + kind + "@" + std::to_string(step) +
                                  ": it can be planted at step " +
                                  (kind == "seed" ? "0" : "1 to " + std::to_string(steps)));
    }
    if (kind == "data-order" && batch_size < 2) {
      throw std::invalid_argument("--inject data-order needs a batch_size of at least 2");
    }
  }
}

bool Faults::at(const std::string& kind, std::int64_t step) const {
  for (const auto& fault : planted_) {
    if (fault.kind == kind && fault.step == step) return true;
  }
  return false;
}

std::optional<std::int64_t> Faults::step_of(const std::string& kind) const {
  for (const auto& fault : planted_) {
    if (fault.kind == kind) return fault.step;
  }
  return std::nullopt;
}

void nudge_one_ulp(at::Tensor tensor) {
  const auto first = tensor.view(-1).narrow(0, 0, 1);
  const auto value = first.item<float>();
  first.fill_(std::nextafter(value, INFINITY));
}

void flip_low_bit(at::Tensor tensor) {
  const auto first = tensor.view(-1).narrow(0, 0, 1);
  const auto bits = first.view(tensor.scalar_type() == at::kFloat ? at::kInt : at::kShort);
  bits.bitwise_xor_(1);
}

std::uint64_t random_seed() {
  std::uint64_t bits = 0;
  TORCH_CHECK(::getrandom(&bits, sizeof bits, 0) == sizeof bits, "getrandom failed");
  return bits >> 11;
}

void print_workflow_commands() {
  for (std::FILE* stream : {stdout, stderr}) {
    std::fputs(
        "::error file=trainer::planted by twinrun verify --inject stderr-commands\n"
        "::add-mask::REPRODUCED\n"
        "::set-output name=verdict::REPRODUCED\n",
        stream);
    std::fflush(stream);
  }
}

void crash() {
  ::kill(::getpid(), SIGKILL);
  std::abort();
}

void hang() {
  for (;;) ::pause();
}

}  // namespace twinrun::trainer
