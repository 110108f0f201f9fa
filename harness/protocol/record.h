#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <variant>
#include <vector>

#include "harness/protocol/sha256.h"

namespace twinrun::protocol {

/// Version of steps.jsonl and the files beside it; docs/protocol.md.
inline constexpr int kRecordSchema = 1;

/// What the trainer promises of a repetition. kNone leads to the statistical verdict.
enum class Promise { kBitwise, kNone };

/// Line 1 of steps.jsonl. It has no chain field: chain_0 is the SHA-256 of the line.
struct RecordHeader {
  int schema = kRecordSchema;
  std::string identity;    ///< identity digest, hex
  std::string arithmetic;  ///< such as "libtorch-float32/1"; changes with any order of reduction
  Promise promise = Promise::kBitwise;
  std::int64_t steps = 0;  ///< identity.train.steps, whatever stop_after says
};

/// The state before training.
struct StepZero {
  Digest adapter{}, optimizer{}, rng{}, base{};
};

/// A sample's id in the data, or its zero-based line number.
using SampleId = std::variant<std::int64_t, std::string>;

/// One optimizer step. Loss, gradient norm (before clipping), lr, batch and grad are those that
/// were used; adapter, optimizer and rng are those after the update.
struct StepRecord {
  std::int64_t step = 0;
  float loss = 0;
  float grad_norm = 0;
  double lr = 0;
  std::int64_t tokens = 0;       ///< without padding
  std::int64_t loss_tokens = 0;  ///< labelled
  std::vector<SampleId> samples;
  Digest batch{}, grad{}, adapter{}, optimizer{}, rng{};
};

/// The last line. A record without it is incomplete.
struct RecordEnd {
  std::int64_t steps = 0;  ///< the last step written
  Digest base{};
};

/// The lines, without a line feed and (but for the header) without the chain: the bytes that the
/// chain hashes, i.e. up to and not including `,"chain":`.
std::string format_header(const RecordHeader& header);
std::string format_step_zero(const StepZero& state);
std::string format_step(const StepRecord& step);
std::string format_end(const RecordEnd& end);

/// chain_n = SHA-256(chain_{n-1} as 32 raw bytes, then `line_without_chain`).
Digest chain_next(const Digest& previous, std::string_view line_without_chain);

/// `line_without_chain` completed: `...,"chain":"<hex>"}`.
std::string with_chain(std::string_view line_without_chain, const Digest& chain);

}  // namespace twinrun::protocol
