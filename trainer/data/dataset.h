#pragma once

#include <cstdint>
#include <filesystem>
#include <optional>
#include <stdexcept>
#include <string>
#include <vector>

#include "harness/protocol/record.h"
#include "trainer/tokenizer/tokenizer.h"

namespace twinrun::trainer {

/// Label of a position that takes no part in the loss, as in PyTorch and transformers.
inline constexpr std::int64_t kIgnoreIndex = -100;

/// One training sample. labels[i] is input_ids[i] where the token is labelled, else kIgnoreIndex;
/// the loss at position i - 1 predicts labels[i], so labels[0] is never used.
struct Sample {
  protocol::SampleId id;
  std::vector<std::int64_t> input_ids;
  std::vector<std::int64_t> labels;
};

struct Dataset {
  std::vector<Sample> samples;
  std::int64_t dropped = 0;  ///< longer than max_length
};

struct DataOptions {
  std::filesystem::path path;
  std::string template_name;  ///< chatml | text
  std::int64_t max_length = 0;
  std::string loss_on;  ///< response | all
  /// What template `text` ends a sample with: eos_token_id of the model's config.json.
  std::optional<std::int64_t> end_token_id;
};

/// The data that is wrong, and where; the caller can fix it (exit code 2).
struct DataError : std::runtime_error {
  using std::runtime_error::runtime_error;
};

/// Reads JSONL: one object a line, `prompt` and `response` (strings) or `messages` (list of `role`,
/// `content`), optional `id` (string, or integer within +-(2^53 - 1)); other keys, such as
/// `category`, are passed over. A sample longer than max_length is dropped and counted.
/// trainer/data/chat_template.h says what becomes of a sample.
///
/// Throws DataError (`FILE:LINE: ...`) for a malformed line, an unknown role, a sample without
/// labelled token, an id that another sample has, and for a file whose samples are none or all too
/// long.
Dataset load_jsonl(const DataOptions& options, const Tokenizer& tokenizer);

/// `samples` sequences of `length` ids drawn from [0, vocab_size) by our integer generator, every
/// position labelled; the same on every machine. docs/numerics.md has the counter layout. Throws
/// DataError unless samples >= 1, length >= 2, vocab_size >= 1 and all are below 2^32.
Dataset make_synthetic(std::int64_t samples, std::int64_t length, std::int64_t vocab_size,
                       std::uint64_t seed);

/// The order of samples in epoch `epoch` (0, 1, ...): Fisher-Yates with unbiased draws of
/// Philox; docs/numerics.md. REQUIRES: samples < 2^32.
std::vector<std::int64_t> epoch_order(std::int64_t samples, std::uint64_t shuffle_seed,
                                      std::int64_t epoch);

/// A micro-batch, padded on the right to its longest sample; row-major [rows, length].
struct Batch {
  std::int64_t rows = 0, length = 0;
  std::vector<std::int64_t> input_ids, labels, attention_mask;
  std::vector<protocol::SampleId> ids;
  std::int64_t tokens = 0;       ///< without padding
  std::int64_t loss_tokens = 0;  ///< labels that are used: those at position >= 1
};

/// REQUIRES: `indices` is not empty and lies within the data.
Batch make_batch(const Dataset& data, const std::vector<std::int64_t>& indices,
                 std::int64_t pad_id);

/// Walks the data: a step takes batch_size x gradient_accumulation samples of the epoch's order;
/// what does not fill a step at the end of an epoch is dropped. Throws DataError if one epoch fills
/// none.
class Sampler {
 public:
  Sampler(std::int64_t samples, std::int64_t batch_size, std::int64_t gradient_accumulation,
          std::uint64_t shuffle_seed);
  /// Sample indices of the micro-batches of the next step.
  std::vector<std::vector<std::int64_t>> next_step();
  std::uint64_t seed() const { return seed_; }
  std::int64_t epoch() const { return epoch_; }
  std::int64_t position() const { return position_; }
  /// Draws consumed from the shuffle stream so far, over all epochs: part of the rng digest.
  std::int64_t draws() const { return draws_; }
  /// Goes on where another Sampler of the same data and seed stood when it told these three. Throws
  /// std::invalid_argument if none can have.
  void restore(std::int64_t epoch, std::int64_t position, std::int64_t draws);

 private:
  std::int64_t samples_, batch_size_, accumulation_;
  std::uint64_t seed_;
  std::int64_t epoch_ = -1, position_ = 0, draws_ = 0;
  std::vector<std::int64_t> order_;
};

}  // namespace twinrun::trainer
