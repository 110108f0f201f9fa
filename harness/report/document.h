#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <utility>
#include <variant>
#include <vector>

#include "harness/compare/verdict.h"
#include "harness/report/curves.h"
#include "harness/report/statistics_charts.h"

namespace twinrun::harness {

// A report before it has a format: what is said, not how it looks. No text in it is escaped, and
// any of it may come from a trainer; each renderer escapes all.

/// A piece of text, in words or (digests, paths, bits, names of tensors) as code.
struct Cell {
  std::string text;
  bool code = false;
  bool set_in = false;  ///< part of the row above
};

struct Paragraph {
  std::string text;
};
/// Rows of a name and what it is.
struct Facts {
  std::vector<std::pair<std::string, Cell>> rows;
};
struct Table {
  std::vector<std::string> header;
  std::vector<std::vector<Cell>> rows;
  /// What it is, for one that repeats a drawing in digits: a page shows it when asked to.
  std::string fold = {};
};
struct Bullets {
  std::vector<Cell> items;
};
/// Lines to be copied: commands, a configuration.
struct CodeBlock {
  std::string text;
};
/// Both loss curves and their difference; drawn where that can be done, else a table of samples.
struct Chart {
  LossCurves curves;
  std::optional<std::int64_t> first_step;  ///< where any field first differs
};
/// A drawing and what it shows; the digits stand in a table behind it, and are all that there is
/// where nothing can be drawn.
struct Figure {
  std::string caption;
  std::variant<EnvelopeChart, ScoreChart, IntervalChart> chart;
};
using Block = std::variant<Paragraph, Facts, Table, Bullets, CodeBlock, Chart, Figure>;

struct ReportSection {
  std::string id;  ///< [a-z-]+, of ours
  std::string title;
  std::vector<Block> blocks;
};

struct Document {
  std::string title;  ///< name of the case
  Verdict verdict = Verdict::kInconclusive;
  std::string sentence;             ///< behind the verdict
  std::string meaning;              ///< of the verdict, for one who never saw twinrun
  std::vector<std::string> alarms;  ///< evidence that does not hold; stands before all else
  std::vector<ReportSection> sections;
};

/// One self-contained HTML file: no script, nothing loaded, a content security policy that forbids
/// both; light and dark, printable.
std::string to_html(const Document& document);

/// GitHub-flavoured Markdown, below 900 kB whatever the verdict holds (GitHub's limit for a job
/// summary is 1 MiB).
std::string to_markdown(const Document& document);

}  // namespace twinrun::harness
