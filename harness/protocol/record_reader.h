#pragma once

#include <cstdint>
#include <filesystem>
#include <optional>
#include <string>
#include <string_view>
#include <variant>
#include <vector>

#include "harness/protocol/record.h"

namespace twinrun::protocol {

/// Why a line is not what it should be.
struct LineProblem {
  std::string what;  ///< for people: which field, what was found
};

template <typename T>
using Parsed = std::variant<T, LineProblem>;

/// Strict parsers of whole lines (without line feed): exactly the known fields, each of its type,
/// bits of the right width and `value` agreeing with the bits. Order and white space are free, but
/// the chain stands last, as with_chain writes it. It comes back by split_chain.
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

/// Reads `line` if it has the exact layout that format_step and with_chain write, and its sample
/// ids need no escapes; nullopt otherwise (then parse_step says more). What it reads, parse_step
/// accepts.
std::optional<StepScan> scan_step(std::string_view line);

/// Lines of a file in order, read in windows, so that a record of any length takes little memory.
class LineReader {
 public:
  /// Starts at byte `begin`, which has to be the start of a line. Throws std::runtime_error (path
  /// and errno text) if the file cannot be read.
  explicit LineReader(const std::filesystem::path& path, std::uint64_t begin = 0);
  ~LineReader();
  LineReader(const LineReader&) = delete;
  LineReader& operator=(const LineReader&) = delete;

  /// The next line without its line feed, valid until the next call; nullopt at the end. A last
  /// line without line feed comes back too, and torn() is true from then on. Throws
  /// std::runtime_error on a read error and for a line longer than 64 MiB.
  std::optional<std::string_view> next();
  bool torn() const { return torn_; }
  /// Byte of the file where the line that next() gives begins.
  std::uint64_t offset() const { return window_offset_ + position_; }

 private:
  bool refill();
  std::filesystem::path path_;
  int fd_ = -1;
  std::vector<char> window_;
  std::uint64_t window_offset_ = 0;  ///< byte of the file at the start of the window
  std::size_t filled_ = 0, position_ = 0;
  bool torn_ = false;
};

/// How a record ends, as far as the file alone can tell, and what the judge needs of it.
struct RecordSummary {
  enum class State { kComplete, kIncomplete, kBroken, kMissing };
  State state = State::kMissing;
  /// complete, missing, incomplete (no end line, torn line), chain_broken, malformed, missing_step,
  /// extra_line.
  std::string reason = "missing";
  std::string problem;        ///< for people; empty if complete
  std::int64_t line = 0;      ///< one-based line of the problem; 0 if none
  bool chain_broken = false;  ///< the problem is a chain value that does not follow
  std::optional<RecordHeader> header;
  std::optional<StepZero> zero;
  std::int64_t last_step = -1;                  ///< last good step line, -1 if not even step 0
  std::optional<Digest> last_adapter;           ///< of the last good step line
  std::optional<std::int64_t> non_finite_step;  ///< first with a non-finite loss, norm or rate
  std::optional<RecordEnd> end;
  std::optional<Digest> head;  ///< chain of the end line
  std::uint64_t bytes = 0;     ///< of the lines that are good
};

/// Reads a whole steps.jsonl: every line parsed, every chain value checked, on `threads` threads
/// (each line names the chain value before it, so parts can be checked apart). Throws
/// std::runtime_error if a file that exists cannot be read.
RecordSummary summarize_record(const std::filesystem::path& steps_file, int threads = 2);

/// The same for a record whose first `shared` bytes equal those of a complete record with the
/// summary `like`: what they share is not checked a second time.
RecordSummary summarize_record_like(const std::filesystem::path& steps_file,
                                    const RecordSummary& like, std::uint64_t shared,
                                    int threads = 2);

}  // namespace twinrun::protocol
