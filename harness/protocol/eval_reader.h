#pragma once

#include <filesystem>
#include <span>
#include <string_view>
#include <variant>
#include <vector>

#include "harness/protocol/eval.h"
#include "harness/protocol/record_reader.h"

namespace twinrun::protocol {

/// Strict parsers of whole lines (without line feed), as those of record_reader.h. What one line
/// says by itself is checked in full: types and ranges; that bits and value agree; that there is an
/// answer just where the header asks for one. A `nll` that is NaN or infinite is read: it is the
/// file that does not hold then (`non_finite`).
Parsed<EvalHeader> parse_eval_header(std::string_view line);
Parsed<EvalItem> parse_eval_item(std::string_view line, const EvalHeader& header);

/// A file of docs/protocol.md section 13 that holds: every line is good, every evaluation that the
/// header announces has every row, in order and always the same, and the end line has the digest of
/// the rest.
struct EvalFile {
  Digest sha256{};  ///< of all bytes
  EvalHeader header;
  std::vector<EvalItem> items;  ///< by step, then by row

  /// The rows of one evaluation, in order; empty unless header.is_evaluated(step).
  std::span<const EvalItem> at(std::int64_t step) const;
};

/// Why it does not hold: the reasons of FileProblem, `malformed` for any line that was written
/// wrong, and, though the digest holds,
///
///  missing_item, repeated_item, extra_line
///                  rows and evaluations left out, twice, or beyond what the header announces
///  repeated_id     two rows have one id
///  changed_item    a row that another evaluation has otherwise: id, category, cluster, tokens,
///  reference non_finite      a loss that is NaN or infinite
using EvalProblem = FileProblem;

std::variant<EvalFile, EvalProblem> read_eval(const std::filesystem::path& file);

}  // namespace twinrun::protocol
