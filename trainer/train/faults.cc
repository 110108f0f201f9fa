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
namespace {

/// The first step at which `kind` can be planted.
std::int64_t first_step(const std::string& kind) {
  if (kind == "seed") return 0;
  return kind == "duplicate-batch" || kind == "stale-checkpoint" ? 2 : 1;  // they go back by one
}

/// What `kind` needs and this run has not; empty if nothing.
std::string missing(const std::string& kind, const TrainConfig& config, at::Device device) {
  if (kind == "data-order" && config.batch_size < 2) return "a batch_size of at least 2";
  if (kind == "accumulation" && config.gradient_accumulation < 2) {
    return "a gradient_accumulation of at least 2";
  }
  const bool asks = device.is_cuda() && config.numerics.mode != "portable";
  if (kind == "tf32" && !asks) return "a GPU, and numerics fast or deterministic";
  return "";
}

}  // namespace

Faults::Faults(const std::vector<std::string>& injections) {
  for (const auto& text : injections) planted_.push_back(protocol::parse_injection(text));
}

void Faults::require_plantable(const TrainConfig& config, at::Device device) const {
  for (const auto& [kind, step] : planted_) {
    if (kind == "constant") continue;  // the whole run
    const auto first = first_step(kind), last = kind == "seed" ? 0 : config.steps;
    if (step < first || step > last) {
      const auto range = first == last ? std::to_string(first)
                                       : std::to_string(first) + " to " + std::to_string(last);
      throw std::invalid_argument("--inject " + kind + "@" + std::to_string(step) +
                                  ": it can be planted at step " + range);
    }
    if (const auto needed = missing(kind, config, device); !needed.empty()) {
      throw std::invalid_argument("--inject " + kind + " needs " + needed);
    }
  }
}

bool Faults::at(const std::string& kind, std::int64_t step) const {
  for (const auto& fault : planted_) {
    if (fault.kind == kind && fault.step == step) return true;
  }
  return false;
}

bool Faults::since(const std::string& kind, std::int64_t step) const {
  for (const auto& fault : planted_) {
    if (fault.kind == kind && fault.step <= step) return true;
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
