#include <ATen/ATen.h>

#include <filesystem>
#include <fstream>
#include <iterator>

#include "trainer/train/recorded_run.h"

namespace twinrun::trainer {

void RecordedRun::write_constant_record() {
  const auto& config = session_.config();
  auto& params = session_.adapter().params();
  params.zero_();
  const auto nothing = protocol::sha256("constant");
  recorder_->step_zero(nothing);
  const auto one = at::ones({}, params.options());
  for (std::int64_t step = 1; step <= config.last_step; ++step) {
    recorder_->digests().queue({.step = step,
                                .lr = config.lr,
                                .tokens = 1,
                                .loss_tokens = 1,
                                .samples = {std::int64_t{0}},
                                .batch = nothing,
                                .rng = nothing},
                               one, one);
  }
}

void RecordedRun::truncate_record() const {
  const auto step = session_.faults().step_of("truncate");
  if (!step) return;
  const auto path = run_dir_ / "steps.jsonl";
  std::ifstream file(path, std::ios::binary);
  const std::string text{std::istreambuf_iterator<char>(file), {}};
  const auto at = text.find("\n{\"step\":" + std::to_string(*step) + ",");
  if (at != std::string::npos) std::filesystem::resize_file(path, at + 40);
}

}  // namespace twinrun::trainer
