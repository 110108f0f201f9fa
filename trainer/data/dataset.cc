#include "trainer/data/dataset.h"

#include <algorithm>
#include <limits>
#include <numeric>
#include <stdexcept>
#include <string>
#include <utility>

#include "trainer/data/permutation.h"

namespace twinrun::trainer {
namespace {

constexpr std::int64_t kCountMax = std::numeric_limits<std::uint32_t>::max();

// One epoch's order, and how many words it took.
std::pair<std::vector<std::int64_t>, std::int64_t> shuffle(std::int64_t samples, std::uint64_t seed,
                                                           std::int64_t epoch) {
  PhiloxSequence sequence(PhiloxStream::kShuffle, static_cast<std::uint32_t>(epoch), seed);
  auto order = permutation(samples, sequence);
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

Batch make_batch(const Dataset& data, const std::vector<Row>& rows, std::int64_t pad_id) {
  const auto sample_at = [&](std::int64_t index) -> const Sample& {
    return data.samples.at(static_cast<std::size_t>(index));
  };
  Batch batch;
  batch.rows = static_cast<std::int64_t>(rows.size());
  for (const Row& row : rows) {
    std::size_t length = 0;
    for (const auto index : row) length += sample_at(index).input_ids.size();
    batch.length = std::max(batch.length, static_cast<std::int64_t>(length));
  }
  const auto elements = static_cast<std::size_t>(batch.rows * batch.length);
  batch.input_ids.assign(elements, pad_id);
  batch.labels.assign(elements, kIgnoreIndex);
  batch.attention_mask.assign(elements, 0);
  batch.position_ids.assign(elements, 0);
  std::ptrdiff_t row_begin = 0;
  for (const Row& row : rows) {
    std::ptrdiff_t begin = row_begin;
    for (const auto index : row) {
      const Sample& sample = sample_at(index);
      const auto length = static_cast<std::ptrdiff_t>(sample.input_ids.size());
      std::ranges::copy(sample.input_ids, batch.input_ids.begin() + begin);
      std::ranges::copy(sample.labels, batch.labels.begin() + begin);
      // Behind another sample it would be predicted from that one.
      if (begin > row_begin) batch.labels[static_cast<std::size_t>(begin)] = kIgnoreIndex;
      std::fill_n(batch.attention_mask.begin() + begin, length, 1);
      std::iota(batch.position_ids.begin() + begin, batch.position_ids.begin() + begin + length, 0);
      begin += length;
      batch.ids.push_back(sample.id);
      batch.tokens += length;
      batch.loss_tokens += std::count_if(sample.labels.begin() + 1, sample.labels.end(),
                                         [](std::int64_t label) { return label != kIgnoreIndex; });
    }
    row_begin += batch.length;
  }
  return batch;
}

Sampler::Sampler(std::int64_t samples, std::int64_t batch_size, std::int64_t gradient_accumulation,
                 std::uint64_t shuffle_seed, std::optional<Packing> packing)
    : samples_(samples),
      batch_size_(batch_size),
      accumulation_(gradient_accumulation),
      seed_(shuffle_seed),
      packing_(std::move(packing)) {
  if (samples > kCountMax) throw DataError("more than 2^32 - 1 samples");
  std::int64_t rows = samples;
  std::string what = std::to_string(samples) + " samples do";
  if (packing_) {
    const auto& lengths = packing_->lengths;
    const auto tokens = std::accumulate(lengths.begin(), lengths.end(), std::int64_t{0});
    // However they are shuffled.
    rows = (tokens + packing_->max_length - 1) / packing_->max_length;
    what = std::to_string(samples) + " samples of " + std::to_string(tokens) +
           " tokens may pack into " + std::to_string(rows) + " rows, which do";
  }
  if (batch_size < 1 || gradient_accumulation < 1 || batch_size > rows / gradient_accumulation) {
    throw DataError(what + " not fill one step of batch_size " + std::to_string(batch_size) +
                    " x gradient_accumulation " + std::to_string(gradient_accumulation));
  }
}

void Sampler::lay_out(std::vector<std::int64_t> order) {
  order_ = std::move(order);
  row_ends_.clear();
  std::int64_t filled = 0, end = 0;
  for (const auto index : order_) {
    if (packing_) {
      const auto length = packing_->lengths.at(static_cast<std::size_t>(index));
      if (filled > 0 && filled + length > packing_->max_length) {
        row_ends_.push_back(end);
        filled = 0;
      }
      filled += length;
      ++end;
    } else {
      row_ends_.push_back(++end);
    }
  }
  if (packing_ && end > 0) row_ends_.push_back(end);
}

Row Sampler::row(std::int64_t index) const {
  const auto at = static_cast<std::size_t>(index);
  return {order_.begin() + (at == 0 ? 0 : row_ends_[at - 1]), order_.begin() + row_ends_[at]};
}

void Sampler::restore(std::int64_t epoch, std::int64_t position, std::int64_t draws) {
  const auto refuse = [&] {
    throw std::invalid_argument("a sampler is never at position " + std::to_string(position) +
                                " of epoch " + std::to_string(epoch));
  };
  const std::int64_t step = batch_size_ * accumulation_;
  const bool begun = epoch >= 0 && position >= step;
  const bool fresh = epoch == -1 && position == 0 && draws == 0;
  if (epoch > kCountMax || position % step != 0 || draws < 0 || !(begun || fresh)) refuse();
  lay_out(fresh ? std::vector<std::int64_t>() : epoch_order(samples_, seed_, epoch));
  if (position > rows()) refuse();
  epoch_ = epoch;
  position_ = position;
  draws_ = draws;
}

std::vector<std::vector<Row>> Sampler::next_step() {
  if (epoch_ < 0 || rows() - position_ < batch_size_ * accumulation_) {
    ++epoch_;
    position_ = 0;
    auto [order, draws] = shuffle(samples_, seed_, epoch_);
    lay_out(std::move(order));
    draws_ += draws;
  }
  std::vector<std::vector<Row>> step(static_cast<std::size_t>(accumulation_));
  for (auto& micro_batch : step) {
    for (std::int64_t i = 0; i < batch_size_; ++i) micro_batch.push_back(row(position_++));
  }
  return step;
}

}  // namespace twinrun::trainer
