// What planted faults do to a session; docs/faults.md.

#include <ATen/Context.h>

#include <algorithm>
#include <stdexcept>
#include <string>
#include <utility>

#include "trainer/train/session.h"

namespace twinrun::trainer {
namespace {

/// How far `stale-checkpoint` goes back, where there are so many steps.
constexpr std::int64_t kStaleSteps = 3;

[[noreturn]] void refuse(const std::string& kind, std::int64_t step) {
  throw std::invalid_argument("--inject " + kind + "@" + std::to_string(step) +
                              ": it goes back to a step before, and a run that is resumed right "
                              "there has none");
}

}  // namespace

void Session::plant_faults(std::int64_t step, StepDigests& digests) {
  if (faults_.at("stderr-commands", step)) print_workflow_commands();
  if (faults_.at("hang", step)) hang();
  if (faults_.at("crash", step)) {
    digests.flush();
    crash();
  }
  if (faults_.since("dropout-unseeded", step)) dropout_seed_ = random_seed();
  optimizer_->set_options(faulty_options(faults_, step, config_.optimizer));
  if (faults_.since("lora-alpha", step)) adapter_->set_scaling(2 * config_.lora.scaling());
  // What a library does that is loaded late; in `deterministic` require_switches() finds it.
  if (faults_.since("tf32", step)) at::globalContext().setFloat32MatmulPrecision("high");
  plant_stale_checkpoint(step);
}

void Session::plant_stale_checkpoint(std::int64_t step) {
  const auto stale = faults_.step_of("stale-checkpoint");
  if (!stale || step > *stale) return;
  if (step == *stale) {
    if (!earlier_) refuse("stale-checkpoint", step);
    adapter_->params().copy_(earlier_->params);
    adapter_->exp_avg().copy_(earlier_->exp_avg);
    adapter_->exp_avg_sq().copy_(earlier_->exp_avg_sq);
    adapter_->refresh();
    optimizer_->restore(earlier_->beta1_power, earlier_->beta2_power);
  } else if (!earlier_ && step >= *stale - kStaleSteps) {
    earlier_ = {adapter_->params().clone(), adapter_->exp_avg().clone(),
                adapter_->exp_avg_sq().clone(), optimizer_->beta1_power(),
                optimizer_->beta2_power()};
  }
}

std::vector<std::vector<Row>> Session::draw_rows(std::int64_t step) {
  if (faults_.at("duplicate-batch", step)) {
    if (rows_before_.empty()) refuse("duplicate-batch", step);
    return rows_before_;
  }
  if (faults_.at("skip-batch", step)) sampler_->next_step();
  auto rows = sampler_->next_step();
  if (faults_.at("data-order", step)) std::swap(rows.front().at(0), rows.front().at(1));
  if (faults_.step_of("duplicate-batch")) rows_before_ = rows;
  return rows;
}

Batch Session::batch_of(std::int64_t step, const std::vector<Row>& rows) const {
  if (!changes_samples(faults_, step)) return make_batch(data_, rows, model_config_.pad_token_id);
  Dataset changed;
  auto renumbered = rows;
  for (auto& row : renumbered) {
    for (auto& index : row) {
      changed.samples.push_back(
          faulty_sample(faults_, step, data_.samples.at(static_cast<std::size_t>(index))));
      index = static_cast<std::int64_t>(changed.samples.size()) - 1;
    }
  }
  return make_batch(changed, renumbered, model_config_.pad_token_id);
}

}  // namespace twinrun::trainer
