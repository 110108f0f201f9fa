#include "trainer/train/evaluation.h"

#include <algorithm>
#include <span>
#include <stdexcept>
#include <utility>

#include "harness/protocol/sha256.h"
#include "trainer/infer/nll.h"

namespace twinrun::trainer {
namespace {

TemplateOptions rendering_of(const TrainConfig& config, const ModelConfig& model) {
  return {config.template_name, model.eos_token_id, config.model_path};
}

HeldOut load(const TrainConfig& config, const ModelConfig& model, const Tokenizer& tokenizer) {
  const auto& wanted = *config.evaluation;
  const auto found = protocol::to_hex(protocol::sha256_file(wanted.path));
  if (found != wanted.sha256) {
    throw ConfigError(wanted.path.string() +
                      " changed since the case was resolved: its SHA-256 is " + found +
                      ", the case's evaluation has " + wanted.sha256);
  }
  return load_held_out(
      {wanted.path, rendering_of(config, model), wanted.max_length, config.loss_on}, tokenizer);
}

}  // namespace

Evaluation::Evaluation(const TrainConfig& config, const ModelConfig& model,
                       std::unique_ptr<const Tokenizer> tokenizer, const LlamaWeights& weights,
                       OpSet& ops, Adapter& adapter, at::Device device)
    : wanted_(*config.evaluation),
      identity_(config.identity_digest),
      last_step_(config.last_step),
      tokenizer_(std::move(tokenizer)),
      data_(load(config, model, *tokenizer_)),
      generate_{.max_new_tokens = wanted_.max_new_tokens,
                .batch_size = wanted_.batch_size,
                .top = 1,
                .stop_token = stop_token(rendering_of(config, model), tokenizer_.get()),
                .pad_token = model.pad_token_id},
      model_(model, weights, ops, &adapter),
      device_(device) {
  require_room(model);
}

void Evaluation::require_room(const ModelConfig& model) const {
  if (!model.max_positions) return;
  for (std::size_t row = 0; row < data_.samples.size(); ++row) {
    const auto answered =
        static_cast<std::int64_t>(data_.prompts[row].size()) + wanted_.max_new_tokens;
    const auto longest =
        std::max(answered, static_cast<std::int64_t>(data_.samples[row].input_ids.size()));
    if (longest <= *model.max_positions) continue;
    throw DataError(wanted_.path.string() + ":" + std::to_string(row + 1) + ": comes to " +
                    std::to_string(longest) +
                    " tokens, more than the model's max_position_embeddings " +
                    std::to_string(*model.max_positions) +
                    "; shorten the row, or lower evaluation.max_new_tokens");
  }
}

protocol::EvalHeader Evaluation::header() const {
  protocol::EvalHeader header;
  header.identity = identity_;
  header.data = wanted_.sha256;
  header.items = static_cast<std::int64_t>(data_.samples.size());
  header.every = wanted_.every;
  header.last = last_step_;
  header.max_new_tokens = wanted_.max_new_tokens;
  header.batch_size = wanted_.batch_size;
  header.max_length = wanted_.max_length;
  return header;
}

void Evaluation::run(std::int64_t step,
                     const std::function<void(const protocol::EvalItem&)>& take) {
  const auto rows = data_.samples.size();
  const auto batch_size = static_cast<std::size_t>(wanted_.batch_size);
  for (std::size_t begin = 0; begin < rows; begin += batch_size) {
    const auto count = std::min(batch_size, rows - begin);
    std::vector<double> nll;
    std::vector<Generated> answers;
    try {
      nll = negative_log_likelihoods(model_, std::span(data_.samples).subspan(begin, count),
                                     wanted_.batch_size, generate_.pad_token, device_);
      if (wanted_.max_new_tokens > 0) {
        answers = generate(model_, std::span<const TokenIds>(data_.prompts).subspan(begin, count),
                           generate_, device_);
      }
    } catch (const c10::Error&) {
      throw;
    } catch (const std::runtime_error& error) {
      throw std::runtime_error("evaluation after step " + std::to_string(step) +
                               ", rows counted from " + std::to_string(begin) + ": " +
                               error.what());
    }
    for (std::size_t i = 0; i < count; ++i) {
      const auto row = begin + i;
      const auto& labels = data_.samples[row].labels;
      protocol::EvalItem item;
      item.step = step;
      item.item = static_cast<std::int64_t>(row);
      item.id = data_.samples[row].id;
      item.category = data_.categories[row];
      item.cluster = data_.clusters[row];
      item.tokens = std::count_if(labels.begin() + 1, labels.end(),
                                  [](std::int64_t label) { return label != kIgnoreIndex; });
      item.nll = nll[i];
      item.reference = data_.references[row];
      if (!answers.empty()) {
        item.answer = answer_text(answers[i], *tokenizer_);
        item.finish = answers[i].finish;
      }
      take(item);
    }
  }
}

}  // namespace twinrun::trainer
