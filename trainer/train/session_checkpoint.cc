#include "trainer/train/checkpoint.h"
#include "trainer/train/session.h"

namespace twinrun::trainer {

CheckpointState Session::state(std::int64_t step) const {
  return {.owner = {},
          .step = step,
          .record = {},
          .tensors = {},
          .beta1_power = optimizer_->beta1_power(),
          .beta2_power = optimizer_->beta2_power(),
          .dropout_seed = dropout_seed_,
          .shuffle_seed = sampler_->seed(),
          .dropout_draws = dropout_draws_,
          .epoch = sampler_->epoch(),
          .position = sampler_->position(),
          .shuffle_draws = sampler_->draws()};
}

void Session::restore(const SavedCheckpoint& saved) {
  const auto& state = saved.state;
  read_tensors(adapter_file(saved), adapter_->named_params());
  read_tensors(optimizer_file(saved), adapter_->named_optimizer());
  adapter_->refresh();
  optimizer_->restore(state.beta1_power, state.beta2_power);
  dropout_seed_ = state.dropout_seed;
  dropout_draws_ = state.dropout_draws;
  sampler_->restore(state.epoch, state.position, state.shuffle_draws);
}

}  // namespace twinrun::trainer
