#pragma once

#include <cstdint>
#include <filesystem>
#include <optional>
#include <string>
#include <string_view>
#include <variant>

#include "harness/protocol/record.h"

namespace twinrun::protocol {

/// Why a line is not what it should be.
struct LineProblem {
  std::string what;  ///< for people: which field, what was found
};

template <typename T>
using Parsed = std::variant<T, LineProblem>;

/// Strict parsers of whole lines (without line feed): exactly the known fields, each of its type,
/// bits of the right width and `value` agreeing with the bits. `chain` comes back separately.
Parsed<RecordHeader> parse_header(std::string_view line);
Parsed<StepZero> parse_step_zero(std::string_view line);
Parsed<StepRecord> parse_step(std::string_view line);
Parsed<RecordEnd> parse_end(std::string_view line);

/// The chain value at the end of `line` and the bytes before `,"chain":`; nullopt if there is none.
struct ChainSplit {
  std::string_view hashed;
  Digest chain;
};
std::optional<ChainSplit> split_chain(std::string_view line);

/// What the cheap scan of a step line yields: what the judge reads even of equal lines.
struct StepScan {
  std::int64_t step = 0;
  std::uint32_t loss_bits = 0;
  std::uint32_t grad_norm_bits = 0;
  std::uint64_t lr_bits = 0;
};

/// Reads `line` if it has the exact layout that format_step writes; nullopt otherwise (then
/// parse_step says more).
std::optional<StepScan> scan_step(std::string_view line);

/// Lines of a file in order, from a read-only map of the file; no line is copied.
class LineReader {
 public:
  /// Throws std::runtime_error (path and errno text) if the file cannot be read.
  explicit LineReader(const std::filesystem::path& path);
  ~LineReader();
  LineReader(LineReader&&) noexcept;
  LineReader& operator=(LineReader&&) = delete;
  /// The next line without its line feed; nullopt at the end. A last line without line feed comes
  /// back too, and torn() is true from then on.
  std::optional<std::string_view> next();
  bool torn() const { return torn_; }

 private:
  const char* data_ = nullptr;
  std::size_t size_ = 0, position_ = 0;
  bool torn_ = false;
};

/// How a record ends, as far as the file alone can tell.
struct RecordSummary {
  enum class State { kComplete, kIncomplete, kBroken, kMissing };
  State state = State::kMissing;
  std::string problem;            ///< for people; empty if complete
  std::int64_t line = 0;          ///< one-based line of the problem; 0 if none
  bool chain_broken = false;      ///< the problem is a chain value that does not follow
  std::optional<RecordHeader> header;
  std::int64_t last_step = -1;    ///< last step line read, -1 if not even step 0
  std::optional<RecordEnd> end;
  std::optional<Digest> head;     ///< chain of the end line
};

/// Reads a whole steps.jsonl: every line parsed, every chain value checked.
RecordSummary summarize_record(const std::filesystem::path& steps_file);

}  // namespace twinrun::protocol
