#include <ATen/ATen.h>

#include <filesystem>
#include <fstream>
#include <iterator>

#include "trainer/train/session.h"

namespace twinrun::trainer {

void Session::write_constant_record() {
  adapter_->params().zero_();
  const auto nothing = protocol::sha256("constant");
  recorder_->step_zero(nothing);
  const auto one = at::ones({}, adapter_->params().options());
  for (std::int64_t step = 1; step <= config_.last_step; ++step) {
    recorder_->step({.step = step,
                     .lr = config_.lr,
                     .tokens = 1,
                     .loss_tokens = 1,
                     .samples = {std::int64_t{0}},
                     .batch = nothing,
                     .rng = nothing},
                    recorder_->hash_grads(), one, one);
  }
}

void Session::truncate_record(const std::filesystem::path& run_dir) const {
  const auto step = faults_.step_of("truncate");
  if (!step) return;
  const auto path = run_dir / "steps.jsonl";
  std::ifstream file(path, std::ios::binary);
  const std::string text{std::istreambuf_iterator<char>(file), {}};
  const auto at = text.find("\n{\"step\":" + std::to_string(*step) + ",");
  if (at != std::string::npos) std::filesystem::resize_file(path, at + 40);
}

}  // namespace twinrun::trainer
