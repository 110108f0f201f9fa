#include "trainer/train/session.h"

#include <ATen/ATen.h>

#include <algorithm>
#include <limits>
#include <optional>
#include <utility>

#include "harness/protocol/tensor_digest.h"
#include "trainer/data/schedule.h"
#include "trainer/numerics/machine.h"
#include "trainer/numerics/variables.h"
#include "trainer/train/inputs.h"
#include "trainer/train/micro_batch_sum.h"

namespace twinrun::trainer {
namespace {

protocol::NamedDigest int64_digest(const std::string& name, const Batch& batch,
                                   const std::vector<std::int64_t>& values) {
  const std::int64_t shape[] = {batch.rows, batch.length};
  return {name, protocol::tensor_digest("int64", shape, std::as_bytes(std::span(values)))};
}

/// What a row may attend to: each sample for itself, and the padding behind the last.
std::vector<Segment> segments_of(const Batch& batch) {
  std::vector<Segment> segments;
  for (std::int64_t at = 0; at < batch.rows * batch.length; ++at) {
    const auto i = static_cast<std::size_t>(at);
    const bool padding = batch.attention_mask[i] == 0;
    const bool begins = at % batch.length == 0 ||
                        (padding ? batch.attention_mask[i - 1] == 1 : batch.position_ids[i] == 0);
    if (begins) segments.push_back({at, 0});
    ++segments.back().length;
  }
  return segments;
}

/// Rows as long as samples may be, where the case asks for it.
std::optional<Packing> packing_of(const TrainConfig& config, const Dataset& data) {
  if (!config.packing) return std::nullopt;
  Packing packing{{}, config.max_length};
  for (const Sample& sample : data.samples) {
    packing.lengths.push_back(static_cast<std::int64_t>(sample.input_ids.size()));
  }
  return packing;
}

/// In the order of the names as they are digested.
at::Tensor first_tensor(const std::vector<NamedTensor>& tensors) {
  return std::min_element(tensors.begin(), tensors.end(),
                          [](const auto& a, const auto& b) { return a.name < b.name; })
      ->tensor;
}

}  // namespace

Session::Session(const TrainConfig& config, nlohmann::json& manifest)
    : config_(config),
      faults_(config.inject),
      device_(resolve_device(config.numerics.device)),
      dtype_(compute_dtype(config.numerics.dtype)),
      ops_(make_ops(config.numerics)) {
  faults_.require_plantable(config_, device_);
  apply_numerics(config_.numerics, device_);
  if (device_.is_cuda() && config_.gpu_memory_offset_mb > 0) {
    memory_offset_ = at::empty({config_.gpu_memory_offset_mb << 20},
                               at::TensorOptions().dtype(at::kByte).device(device_));
  }
  const std::uint64_t shift = faults_.at("seed", 0) ? 1 : 0;
  const auto lora_seed = config_.seed_lora_init + shift;
  dropout_seed_ = config_.seed_dropout + shift;
  auto& digests = manifest["digests"];
  model_config_ = open_model(config_, digests);
  auto tokenizer = open_tokenizer(config_, model_config_, digests);
  data_ = load_data(config_, model_config_, tokenizer.get(), digests);
  manifest["data"] = {{"samples", data_.samples.size()}, {"dropped", data_.dropped}};
  adapter_ = std::make_unique<Adapter>(model_config_, config_.lora, device_, dtype_);
  begin_adapter(config_, lora_seed, dtype_, *adapter_, digests);
  model_ =
      std::make_unique<Llama>(model_config_, load_weights(config_, model_config_, dtype_, device_),
                              *ops_, adapter_.get(), config_.activation_checkpointing);
  optimizer_ = std::make_unique<AdamW>(config_.optimizer, *ops_, *adapter_);
  sampler_ = std::make_unique<Sampler>(static_cast<std::int64_t>(data_.samples.size()),
                                       config_.batch_size, config_.gradient_accumulation,
                                       config_.seed_shuffle + shift, packing_of(config_, data_));
  if (config_.evaluation) {
    evaluation_ = std::make_unique<Evaluation>(config_, model_config_, std::move(tokenizer),
                                               model_->weights(), *ops_, *adapter_, device_);
  }
  manifest.update(describe_machine(device_));
  const auto switches = read_switches(config_.numerics, device_);
  manifest["switches"] = to_manifest(switches);
  manifest["environment"] = numeric_environment();
  manifest["seeds"] = {{"lora_init", lora_seed},
                       {"dropout", dropout_seed_},
                       {"shuffle", config_.seed_shuffle + shift}};
  require_as_wanted(switches);
}

protocol::Digest Session::rng_digest() const {
  return protocol::sha256(
      "dropout seed " + std::to_string(dropout_seed_) + " draws " + std::to_string(dropout_draws_) +
      "\nshuffle seed " + std::to_string(sampler_->seed()) + " epoch " +
      std::to_string(sampler_->epoch()) + " position " + std::to_string(sampler_->position()) +
      " draws " + std::to_string(sampler_->draws()) + "\n");
}

void Session::require_switches() const {
  require_as_wanted(read_switches(config_.numerics, device_));
}

void Session::step(std::int64_t step, StepDigests& digests) {
  plant_faults(step, digests);
  ops_->begin_step(step);
  protocol::StepRecord record;
  record.step = step;
  auto loss = accumulate(step, record);
  if (faults_.at("nan", step)) {
    loss.fill_(std::numeric_limits<float>::quiet_NaN());
    adapter_->grads_flat().fill_(std::numeric_limits<float>::quiet_NaN());
  }
  if (faults_.at("grad-ulp", step)) nudge_one_ulp(first_tensor(adapter_->named_grads()));
  digests.keep_grads();
  const auto norm = ops_->grad_norm(adapter_->grads_flat());
  if (!faults_.since("no-clipping", step)) {
    ops_->clip_grads(adapter_->grads_flat(), norm, config_.max_grad_norm);
  }

  const Schedule schedule{*schedule_from_name(config_.schedule), config_.lr, config_.warmup_steps,
                          config_.steps};
  optimizer_->set_lr(schedule.learning_rate(std::min(step, config_.steps)) *
                     faulty_lr_factor(faults_, step));
  optimizer_->step();
  record.lr = optimizer_->lr();
  if (faults_.at("adapter-ulp", step)) {
    nudge_one_ulp(first_tensor(adapter_->named_params()));
    adapter_->refresh();
  }
  if (faults_.at("base-bit", step)) flip_low_bit(first_tensor(model_->weights().named));
  record.rng = rng_digest();
  digests.queue(std::move(record), loss, norm);
}

void Session::evaluate(std::int64_t step,
                       const std::function<void(const protocol::EvalItem&)>& take) {
  ops_->begin_step(step);  // the next step begins its own
  evaluation_->run(step, take);
}

at::Tensor Session::accumulate(std::int64_t step, protocol::StepRecord& record) {
  std::vector<Batch> batches;
  std::vector<protocol::NamedDigest> digests;
  for (const auto& rows : draw_rows(step)) {
    auto& batch = batches.emplace_back(batch_of(step, rows));
    const auto prefix =
        config_.gradient_accumulation == 1 ? "" : std::to_string(batches.size() - 1) + ".";
    digests.push_back(int64_digest(prefix + "input_ids", batch, batch.input_ids));
    digests.push_back(int64_digest(prefix + "labels", batch, batch.labels));
    digests.push_back(int64_digest(prefix + "attention_mask", batch, batch.attention_mask));
    if (config_.packing) {
      digests.push_back(int64_digest(prefix + "position_ids", batch, batch.position_ids));
    }
    record.tokens += batch.tokens;
    record.loss_tokens += batch.loss_tokens;
    record.samples.insert(record.samples.end(), batch.ids.begin(), batch.ids.end());
  }
  record.batch = protocol::group_digest(std::move(digests));
  if (record.loss_tokens == 0) {
    throw DataError("step " + std::to_string(step) +
                    ": its batch holds no labelled token, so there is "
                    "no loss to compute; check data.loss_on and the samples");
  }

  const auto count = static_cast<double>(record.loss_tokens);
  if (faults_.at("accumulation", step)) batches.pop_back();
  MicroBatchSum grads(*ops_, adapter_->grads_flat());
  MicroBatchSum losses(*ops_, at::empty({}, adapter_->grads_flat().options()));
  for (std::size_t m = 0; m < batches.size(); ++m) {
    DropoutKey key{.seed = dropout_seed_,
                   .step = static_cast<std::uint32_t>(step),
                   .micro_batch = static_cast<std::uint32_t>(m),
                   .p = config_.lora.dropout};
    if (key.p > 0)
      dropout_draws_ += batches[m].rows * batches[m].length * adapter_->input_features();
    adapter_->micro_grads_flat().zero_();
    const auto index = static_cast<std::int64_t>(m);
    losses.add(index, model_->forward_backward(to_device(batches[m]), 1.0 / count, key));
    grads.add(index, adapter_->micro_grads_flat());
  }
  const auto micro_batches = static_cast<std::int64_t>(batches.size());
  grads.finish(micro_batches);
  auto loss = losses.finish(micro_batches);
  ops_->divide_(loss, count);
  return loss;
}

DeviceBatch Session::to_device(const Batch& batch) const {
  std::vector<std::int64_t> positions, targets;
  for (std::int64_t row = 0; row < batch.rows; ++row) {
    for (std::int64_t t = 1; t < batch.length; ++t) {
      const auto at = static_cast<std::size_t>(row * batch.length + t);
      if (batch.labels[at] == kIgnoreIndex) continue;
      positions.push_back(row * batch.length + t - 1);
      targets.push_back(batch.labels[at]);
    }
  }
  const auto move = [&](const std::vector<std::int64_t>& values) {
    const auto host = at::tensor(values, at::kLong);
    return device_.is_cuda() ? host.pin_memory().to(device_, /*non_blocking=*/true) : host;
  };
  return {batch.rows,
          batch.length,
          move(batch.input_ids),
          move(positions),
          move(targets),
          config_.packing ? segments_of(batch) : std::vector<Segment>{}};
}

}  // namespace twinrun::trainer
