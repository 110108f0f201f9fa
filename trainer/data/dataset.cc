#include "trainer/data/dataset.h"

#include <algorithm>
#include <limits>
#include <numeric>
#include <utility>

#include "trainer/data/philox.h"

namespace twinrun::trainer {
namespace {

constexpr std::int64_t kCountMax = std::numeric_limits<std::uint32_t>::max();

// One epoch's order, and how many words it took.
std::pair<std::vector<std::int64_t>, std::int64_t> shuffle(std::int64_t samples, std::uint64_t seed,
                                                           std::int64_t epoch) {
  PhiloxSequence sequence(PhiloxStream::kShuffle, static_cast<std::uint32_t>(epoch), seed);
  std::vector<std::int64_t> order(static_cast<std::size_t>(samples));
  std::iota(order.begin(), order.end(), 0);
  for (std::size_t left = order.size(); left > 1; --left) {
    std::swap(order[left - 1], order[sequence.below(static_cast<std::uint32_t>(left))]);
  }
  return {std::move(order), static_cast<std::int64_t>(sequence.draws())};
}

}  // namespace

Dataset make_synthetic(std::int64_t samples, std::int64_t length, std::int64_t vocab_size,
                       std::uint64_t seed) {
  if (samples < 1 || length < 2 || vocab_size < 1 ||
      std::max({samples, length, vocab_size}) > kCountMax) {
    throw DataError(
        "synthetic data need samples >= 1, length >= 2, vocab_size >= 1, all below 2^32");
  }
  Dataset dataset;
  for (std::int64_t index = 0; index < samples; ++index) {
    PhiloxSequence sequence(PhiloxStream::kSynthetic, static_cast<std::uint32_t>(index), seed);
    Sample sample;
    sample.id = index;
    for (std::int64_t i = 0; i < length; ++i) {
      sample.input_ids.push_back(sequence.below(static_cast<std::uint32_t>(vocab_size)));
    }
    sample.labels = sample.input_ids;
    dataset.samples.push_back(std::move(sample));
  }
  return dataset;
}

std::vector<std::int64_t> epoch_order(std::int64_t samples, std::uint64_t shuffle_seed,
                                      std::int64_t epoch) {
  return shuffle(samples, shuffle_seed, epoch).first;
}

Batch make_batch(const Dataset& data, const std::vector<std::int64_t>& indices,
                 std::int64_t pad_id) {
  Batch batch;
  batch.rows = static_cast<std::int64_t>(indices.size());
  for (const std::int64_t index : indices) {
    const Sample& sample = data.samples.at(static_cast<std::size_t>(index));
    batch.length = std::max(batch.length, static_cast<std::int64_t>(sample.input_ids.size()));
  }
  const auto elements = static_cast<std::size_t>(batch.rows * batch.length);
  batch.input_ids.assign(elements, pad_id);
  batch.labels.assign(elements, kIgnoreIndex);
  batch.attention_mask.assign(elements, 0);
  std::size_t row = 0;
  for (const std::int64_t index : indices) {
    const Sample& sample = data.samples[static_cast<std::size_t>(index)];
    const auto begin = static_cast<std::ptrdiff_t>(row++) * batch.length;
    std::ranges::copy(sample.input_ids, batch.input_ids.begin() + begin);
    std::ranges::copy(sample.labels, batch.labels.begin() + begin);
    std::fill_n(batch.attention_mask.begin() + begin, sample.input_ids.size(), 1);
    batch.ids.push_back(sample.id);
    batch.tokens += static_cast<std::int64_t>(sample.input_ids.size());
    batch.loss_tokens += std::count_if(sample.labels.begin() + 1, sample.labels.end(),
                                       [](std::int64_t label) { return label != kIgnoreIndex; });
  }
  return batch;
}

Sampler::Sampler(std::int64_t samples, std::int64_t batch_size, std::int64_t gradient_accumulation,
                 std::uint64_t shuffle_seed)
    : samples_(samples),
      batch_size_(batch_size),
      accumulation_(gradient_accumulation),
      seed_(shuffle_seed) {
  if (samples > kCountMax) throw DataError("more than 2^32 - 1 samples");
  if (batch_size < 1 || gradient_accumulation < 1 || batch_size > samples / gradient_accumulation) {
    throw DataError(std::to_string(samples) + " samples do not fill one step of batch_size " +
                    std::to_string(batch_size) + " x gradient_accumulation " +
                    std::to_string(gradient_accumulation));
  }
}

void Sampler::restore(std::int64_t epoch, std::int64_t position, std::int64_t draws) {
  const std::int64_t step = batch_size_ * accumulation_;
  const bool begun = epoch >= 0 && position >= step && position <= samples_;
  const bool fresh = epoch == -1 && position == 0 && draws == 0;
  if (epoch > kCountMax || position % step != 0 || draws < 0 || !(begun || fresh)) {
    throw std::invalid_argument("a sampler is never at position " + std::to_string(position) +
                                " of epoch " + std::to_string(epoch));
  }
  epoch_ = epoch;
  position_ = position;
  draws_ = draws;
  order_ = fresh ? std::vector<std::int64_t>() : epoch_order(samples_, seed_, epoch);
}

std::vector<std::vector<std::int64_t>> Sampler::next_step() {
  if (epoch_ < 0 || samples_ - position_ < batch_size_ * accumulation_) {
    ++epoch_;
    position_ = 0;
    auto [order, draws] = shuffle(samples_, seed_, epoch_);
    order_ = std::move(order);
    draws_ += draws;
  }
  std::vector<std::vector<std::int64_t>> step;
  for (std::int64_t i = 0; i < accumulation_; ++i) {
    const auto begin = order_.begin() + position_;
    step.emplace_back(begin, begin + batch_size_);
    position_ += batch_size_;
  }
  return step;
}

}  // namespace twinrun::trainer
