#include <algorithm>
#include <bit>
#include <cmath>
#include <thread>

#include "harness/protocol/record_reader.h"

namespace twinrun::protocol {
namespace {

using State = RecordSummary::State;

bool any_non_finite(const StepScan& scan) {
  return !std::isfinite(std::bit_cast<float>(scan.loss_bits)) ||
         !std::isfinite(std::bit_cast<float>(scan.grad_norm_bits)) ||
         !std::isfinite(std::bit_cast<double>(scan.lr_bits));
}

Parsed<StepScan> read_step(std::string_view line) {
  if (const auto scan = scan_step(line)) return *scan;
  const auto parsed = parse_step(line);
  if (const auto* problem = std::get_if<LineProblem>(&parsed)) return *problem;
  const auto& step = std::get<StepRecord>(parsed);
  return StepScan{step.step, std::bit_cast<std::uint32_t>(step.loss),
                  std::bit_cast<std::uint32_t>(step.grad_norm),
                  std::bit_cast<std::uint64_t>(step.lr)};
}

// Takes the lines of a record in order, up to the first that is wrong. Of each line the chain is
// looked at first: a line that was changed or taken away afterwards is damage, not a trainer's
// fault.
class Walker {
 public:
  Walker() = default;

  // Goes on behind the step line `line`, as if all before it had been taken and found good.
  static std::optional<Walker> behind(std::string_view line, const RecordHeader& header) {
    const auto split = split_chain(line);
    const auto step = read_step(line);
    if (!split || std::holds_alternative<LineProblem>(step)) return std::nullopt;
    Walker walker;
    walker.summary_.header = header;
    walker.summary_.last_step = std::get<StepScan>(step).step;
    walker.summary_.line = walker.summary_.last_step + 2;
    walker.chain_ = split->chain;
    walker.last_step_line_ = line;
    return walker;
  }

  // False once a line was wrong; then nothing more is taken.
  bool take(std::string_view line, bool torn) {
    ++summary_.line;
    if (torn) return fail(State::kIncomplete, "incomplete", "the last line is torn");
    if (summary_.line == 1) {
      take_header(line);
    } else if (!follow_chain(line) || !take_line(line)) {
      return false;
    }
    summary_.bytes += line.size() + 1;
    return true;
  }

  std::int64_t last_step() const { return summary_.last_step; }

  RecordSummary finish() {
    if (summary_.reason == "missing") {
      if (!header_problem_.empty()) {
        summary_.line = 1;
        fail(State::kBroken, "malformed", header_problem_);
      } else if (!summary_.end) {
        fail(State::kIncomplete, "incomplete", "there is no end line");
        summary_.line = 0;
      } else {
        summary_.state = State::kComplete;
        summary_.reason = "complete";
        summary_.line = 0;
      }
    }
    if (!last_step_line_.empty()) {
      const auto last = parse_step(last_step_line_);
      if (const auto* step = std::get_if<StepRecord>(&last)) summary_.last_adapter = step->adapter;
    }
    return summary_;
  }

 private:
  bool fail(State state, const std::string& reason, const std::string& what) {
    summary_.state = state;
    summary_.reason = reason;
    summary_.chain_broken = reason == "chain_broken";
    summary_.problem = what;
    return false;
  }

  // A header that cannot be read is reported after line 2, whose chain tells whether it was so from
  // the start or was damaged.
  void take_header(std::string_view line) {
    chain_ = sha256(line);
    const auto parsed = parse_header(line);
    if (const auto* problem = std::get_if<LineProblem>(&parsed)) {
      header_problem_ = "header: " + problem->what;
    } else {
      summary_.header = std::get<RecordHeader>(parsed);
    }
  }

  bool follow_chain(std::string_view line) {
    const auto split = split_chain(line);
    if (!split) {
      return fail(State::kBroken, "chain_broken", "the line does not end in a chain value");
    }
    if (chain_next(chain_, split->hashed) != split->chain) {
      return fail(State::kBroken, "chain_broken",
                  "the chain value does not follow from the lines before: a line was changed, "
                  "removed, added or moved");
    }
    chain_ = split->chain;
    return true;
  }

  bool take_line(std::string_view line) {
    if (!header_problem_.empty()) {
      summary_.line = 1;
      return fail(State::kBroken, "malformed", header_problem_);
    }
    if (summary_.end) return fail(State::kBroken, "extra_line", "a line follows the end line");
    if (line.starts_with("{\"end\"")) return take_end(line);
    return summary_.last_step < 0 ? take_zero(line) : take_step(line);
  }

  bool take_zero(std::string_view line) {
    const auto parsed = parse_step_zero(line);
    if (const auto* problem = std::get_if<LineProblem>(&parsed)) {
      const bool later = std::holds_alternative<StepRecord>(parse_step(line));
      return later ? fail(State::kBroken, "missing_step", "step 0 is missing")
                   : fail(State::kBroken, "malformed", "step 0: " + problem->what);
    }
    summary_.zero = std::get<StepZero>(parsed);
    summary_.last_step = 0;
    return true;
  }

  bool take_step(std::string_view line) {
    const std::int64_t expected = summary_.last_step + 1;
    const auto parsed = read_step(line);
    if (const auto* problem = std::get_if<LineProblem>(&parsed)) {
      return fail(State::kBroken, "malformed",
                  "where step " + std::to_string(expected) + " should stand: " + problem->what);
    }
    const auto& scan = std::get<StepScan>(parsed);
    if (scan.step != expected) {
      return fail(State::kBroken, scan.step > expected ? "missing_step" : "extra_line",
                  "step " + std::to_string(scan.step) + " follows step " +
                      std::to_string(summary_.last_step));
    }
    if (scan.step > summary_.header->steps) {
      return fail(State::kBroken, "extra_line",
                  "step " + std::to_string(scan.step) + " in a record of " +
                      std::to_string(summary_.header->steps) + " steps");
    }
    summary_.last_step = scan.step;
    if (!summary_.non_finite_step && any_non_finite(scan)) summary_.non_finite_step = scan.step;
    last_step_line_ = line;
    return true;
  }

  bool take_end(std::string_view line) {
    const auto parsed = parse_end(line);
    if (const auto* problem = std::get_if<LineProblem>(&parsed)) {
      return fail(State::kBroken, "malformed", "end line: " + problem->what);
    }
    const auto& end = std::get<RecordEnd>(parsed);
    if (!summary_.zero && summary_.last_step < 0) {
      return fail(State::kBroken, "missing_step", "the end line comes before step 0");
    }
    if (end.steps != summary_.last_step) {
      return fail(State::kBroken, "missing_step",
                  "the end line names " + std::to_string(end.steps) +
                      " steps, the last one there is step " + std::to_string(summary_.last_step));
    }
    summary_.end = end;
    summary_.head = chain_;
    return true;
  }

  RecordSummary summary_;
  Digest chain_{};
  std::string header_problem_;
  std::string last_step_line_;
};

RecordSummary walk(const std::filesystem::path& path, Walker walker, std::uint64_t begin,
                   std::uint64_t end) {
  LineReader reader(path, begin);
  while (reader.offset() < end) {
    const auto line = reader.next();
    if (!line || !walker.take(*line, reader.torn())) break;
  }
  return walker.finish();
}

// A stretch of a record that is walked by itself: from behind `start` of the walker on.
struct Part {
  Walker walker;
  std::uint64_t begin = 0;
  std::uint64_t end = 0;
  RecordSummary summary;
};

// The part that begins behind the first whole step line at or after `from`; none if there is none.
std::optional<Part> part_after(const std::filesystem::path& path, std::uint64_t from,
                               const RecordHeader& header, std::uint64_t size) {
  LineReader reader(path, from);
  if (!reader.next()) return std::nullopt;  // from here to the next line feed
  const auto line = reader.next();
  if (!line || reader.torn()) return std::nullopt;
  auto walker = Walker::behind(*line, header);
  if (!walker) return std::nullopt;
  return Part{std::move(*walker), reader.offset(), size, {}};
}

// What the parts say of the whole: all up to the last, or to the first with a problem.
RecordSummary join(RecordSummary first, RecordSummary second) {
  second.header = first.header;
  second.zero = first.zero;
  second.bytes += first.bytes;
  if (first.non_finite_step) second.non_finite_step = first.non_finite_step;
  return second;
}

RecordSummary walk_parts(const std::filesystem::path& path, std::vector<Part> parts) {
  {
    std::vector<std::jthread> workers;
    std::vector<std::exception_ptr> errors(parts.size());
    for (std::size_t i = 1; i < parts.size(); ++i) {
      workers.emplace_back([&, i] {
        try {
          parts[i].summary = walk(path, parts[i].walker, parts[i].begin, parts[i].end);
        } catch (...) {
          errors[i] = std::current_exception();
        }
      });
    }
    parts[0].summary = walk(path, parts[0].walker, parts[0].begin, parts[0].end);
    workers.clear();
    for (const auto& error : errors) {
      if (error) std::rethrow_exception(error);
    }
  }
  RecordSummary whole = parts[0].summary;
  for (std::size_t i = 1; i < parts.size(); ++i) {
    // A part that ends before the file does has to be whole, and to end at the very line that the
    // next one takes for granted.
    if (whole.state != State::kIncomplete || whole.line != 0 || whole.end) break;
    whole = join(std::move(whole), parts[i].summary);
  }
  return whole;
}

// Splits what `first` has before it into parts of about the same size.
RecordSummary walk_split(const std::filesystem::path& path, Part first, const RecordHeader& header,
                         int threads) {
  constexpr std::uint64_t kPartBytesMin = 1 << 20;
  const std::uint64_t begin = first.begin, size = first.end;
  const std::uint64_t count =
      std::clamp<std::uint64_t>((size - begin) / kPartBytesMin, 1, std::max(threads, 1));
  std::vector<Part> parts{std::move(first)};
  for (std::uint64_t i = 1; i < count; ++i) {
    auto part = part_after(path, begin + (size - begin) / count * i, header, size);
    if (!part || part->begin <= parts.back().begin) continue;
    parts.back().end = part->begin;
    parts.push_back(std::move(*part));
  }
  return walk_parts(path, std::move(parts));
}

}  // namespace

RecordSummary summarize_record(const std::filesystem::path& steps_file, int threads) {
  RecordSummary missing;
  missing.problem = "there is no " + steps_file.string();
  std::error_code error;
  if (!std::filesystem::exists(steps_file, error)) return missing;
  const std::uint64_t size = std::filesystem::file_size(steps_file);
  LineReader reader(steps_file);
  const auto first = reader.next();
  const auto header = first ? parse_header(*first) : Parsed<RecordHeader>(LineProblem{});
  if (const auto* good = std::get_if<RecordHeader>(&header)) {
    return walk_split(steps_file, Part{Walker(), 0, size, {}}, *good, threads);
  }
  return walk(steps_file, Walker(), 0, size);
}

RecordSummary summarize_record_like(const std::filesystem::path& steps_file,
                                    const RecordSummary& like, std::uint64_t shared, int threads) {
  const std::uint64_t size = std::filesystem::file_size(steps_file);
  if (like.state != State::kComplete) return summarize_record(steps_file, threads);
  if (shared == size && shared == like.bytes) return like;
  // The last whole line within the shared bytes, looked for from near their end.
  constexpr std::uint64_t kBack = 1 << 16;
  std::optional<Part> rest;
  LineReader reader(steps_file, shared > kBack ? shared - kBack : 0);
  reader.next();
  while (const auto line = reader.next()) {
    if (reader.offset() > shared || reader.torn()) break;
    if (auto walker = Walker::behind(*line, *like.header)) {
      rest = Part{std::move(*walker), reader.offset(), size, {}};
    }
  }
  if (!rest) return summarize_record(steps_file, threads);
  RecordSummary before = like;
  before.bytes = rest->begin;
  const std::int64_t last_shared = rest->walker.last_step();
  if (before.non_finite_step > last_shared) before.non_finite_step.reset();
  return join(std::move(before), walk_split(steps_file, std::move(*rest), *like.header, threads));
}

}  // namespace twinrun::protocol
