#pragma once

#include <cstdint>
#include <filesystem>
#include <optional>
#include <stdexcept>
#include <string>
#include <vector>

#include "harness/protocol/record.h"
#include "trainer/data/template.h"
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
  TemplateOptions rendering;
  std::int64_t max_length = 0;
  std::string loss_on;  ///< response | all
};

/// The data that is wrong, and where; the caller can fix it (exit code 2).
struct DataError : std::runtime_error {
  using std::runtime_error::runtime_error;
};

/// Reads JSONL: one object a line with the fields that the template takes and an optional `id`
/// (string, or integer within +-(2^53 - 1)); keys that no template knows, such as `category`, are
/// passed over. A sample longer than max_length is dropped and counted.
///
/// Throws DataError (`FILE:LINE: ...`) for a malformed line, roles that the template does not take,
/// a sample without labelled token, an id that another sample has, and for a file whose samples are
/// none or all too long; and what Template throws.
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

/// The samples that stand one after the other in a row of a micro-batch: one, unless packed.
using Row = std::vector<std::int64_t>;

/// A micro-batch, padded on the right to its longest row; row-major [rows, length].
struct Batch {
  std::int64_t rows = 0, length = 0;
  std::vector<std::int64_t> input_ids, labels, attention_mask;
  std::vector<std::int64_t> position_ids;  ///< from 0 in each sample, 0 in padding
  std::vector<protocol::SampleId> ids;     ///< in the order of rows and of samples in them
  std::int64_t tokens = 0;                 ///< without padding
  std::int64_t loss_tokens = 0;            ///< labels that are used: those at position >= 1
};

/// The first token of a sample that stands behind another is not labelled: it would be predicted
/// from that one. REQUIRES: there is a row, none is empty, and their indices lie within the data.
Batch make_batch(const Dataset& data, const std::vector<Row>& rows, std::int64_t pad_id);

/// Rows of up to `max_length` tokens out of samples of `lengths`.
struct Packing {
  std::vector<std::int64_t> lengths;  ///< of all samples; none above max_length
  std::int64_t max_length = 0;
};

/// Walks the data: a step takes batch_size x gradient_accumulation rows of the epoch's order. A row
/// is a sample; with packing it is filled with samples in the epoch's order until the next one does
/// not fit ("next fit"). What does not fill a step at the end of an epoch is dropped. Throws
/// DataError where an epoch may fill none.
class Sampler {
 public:
  Sampler(std::int64_t samples, std::int64_t batch_size, std::int64_t gradient_accumulation,
          std::uint64_t shuffle_seed, std::optional<Packing> packing = {});
  /// Rows of the micro-batches of the next step.
  std::vector<std::vector<Row>> next_step();
  std::uint64_t seed() const { return seed_; }
  std::int64_t epoch() const { return epoch_; }
  /// Rows of the epoch that are used up.
  std::int64_t position() const { return position_; }
  /// Draws consumed from the shuffle stream so far, over all epochs: part of the rng digest.
  std::int64_t draws() const { return draws_; }
  /// Goes on where another Sampler of the same data and seed stood when it told these three. Throws
  /// std::invalid_argument if none can have.
  void restore(std::int64_t epoch, std::int64_t position, std::int64_t draws);

 private:
  /// Takes the rows of `order`.
  void lay_out(std::vector<std::int64_t> order);
  std::int64_t rows() const { return static_cast<std::int64_t>(row_ends_.size()); }
  Row row(std::int64_t index) const;

  std::int64_t samples_, batch_size_, accumulation_;
  std::uint64_t seed_;
  std::optional<Packing> packing_;
  std::int64_t epoch_ = -1, position_ = 0, draws_ = 0;
  std::vector<std::int64_t> order_;
  std::vector<std::int64_t> row_ends_;  ///< in order_, one behind the last sample of each row
};

}  // namespace twinrun::trainer
