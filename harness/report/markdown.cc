#include <algorithm>
#include <variant>

#include "harness/report/document.h"
#include "harness/report/escape.h"
#include "harness/report/printable.h"
#include "harness/report/text.h"

namespace twinrun::harness {
namespace {

// GitHub shows no job summary above 1 MiB. A verdict of many runs comes nowhere near; one that was
// made to be long ends here.
constexpr std::size_t kBytesMax = 900'000;
constexpr std::size_t kCodeLinesMax = 400;

std::string cell_text(const Cell& cell) {
  return (cell.set_in ? "&emsp;" : "") +
         (cell.code ? markdown_code(cell.text) : markdown_text(cell.text));
}

std::string row_text(const std::vector<std::string>& cells) {
  std::string line = "|";
  for (const std::string& cell : cells) line += " " + cell + " |";
  return line + "\n";
}

std::string table_text(const std::vector<std::string>& header,
                       const std::vector<std::vector<std::string>>& rows) {
  std::string text = row_text(header) + "|";
  for (std::size_t i = 0; i < header.size(); ++i) text += "---|";
  text += "\n";
  for (const auto& row : rows) text += row_text(row);
  return text;
}

std::string block_text(const Paragraph& paragraph) { return markdown_text(paragraph.text) + "\n"; }

std::string block_text(const Facts& facts) {
  std::vector<std::vector<std::string>> rows;
  for (const auto& [name, cell] : facts.rows)
    rows.push_back({markdown_text(name), cell_text(cell)});
  return table_text({"", ""}, rows);
}

std::string block_text(const Table& table) {
  std::vector<std::string> header;
  for (const std::string& name : table.header) header.push_back(markdown_text(name));
  std::vector<std::vector<std::string>> rows;
  for (const auto& row : table.rows) {
    std::vector<std::string> cells;
    for (const Cell& cell : row) cells.push_back(cell_text(cell));
    rows.push_back(cells);
  }
  const std::string text = table_text(header, rows);
  return table.fold.empty() ? text : markdown_text(table.fold) + ":\n\n" + text;
}

/// Not drawn: the table behind it has the digits.
std::string block_text(const Figure& figure) { return markdown_text(figure.caption) + "\n"; }

std::string block_text(const Bullets& bullets) {
  std::string text;
  for (const Cell& item : bullets.items) text += "- " + cell_text(item) + "\n";
  return text;
}

/// Indented, so that no fence within can end it.
std::string block_text(const CodeBlock& block) {
  std::string text, rest = printable(block.text);
  std::size_t lines = 0;
  while (!rest.empty() && lines++ < kCodeLinesMax) {
    const std::size_t end = std::min(rest.find('\n'), rest.size());
    text += "    " + shown(rest.substr(0, end)) + "\n";
    rest.erase(0, end + 1);
  }
  return text + (rest.empty() ? "" : "    ...\n");
}

std::string block_text(const Chart& chart) {
  const LossCurves& curves = chart.curves;
  std::string text = markdown_text(curves_sentence(curves)) + "\n\n";
  std::vector<std::vector<std::string>> rows;
  for (const LossSample& sample : curves.samples) {
    const std::string ulps = sample.ulps ? std::to_string(*sample.ulps) : "not finite";
    rows.push_back({std::to_string(sample.step), loss_text(sample.a), loss_text(sample.b),
                    sample.same_bits ? "same bits" : ulps});
  }
  return text + table_text({"step", markdown_text("run " + curves.a),
                            markdown_text("run " + curves.b), "apart, in ULPs"},
                           rows);
}

std::string sign_of(Verdict verdict) {
  const bool red = verdict == Verdict::kNotReproduced || verdict == Verdict::kSlowdownExceeded;
  return verdict == Verdict::kReproduced ? "\xe2\x9c\x85"
         : red                           ? "\xe2\x9d\x8c"
                                         : "\xe2\x9a\xa0\xef\xb8\x8f";
}

}  // namespace

std::string to_markdown(const Document& document) {
  std::string text = "## " + sign_of(document.verdict) + " " + to_string(document.verdict) + ": " +
                     markdown_text(document.title) + "\n\n" + markdown_text(document.sentence) +
                     "\n\n" + markdown_text(document.meaning) + "\n";
  for (const std::string& alarm : document.alarms) {
    text +=
        "\n> **The evidence beside this verdict does not hold.** " + markdown_text(alarm) + "\n";
  }
  const std::string cut = "\n*Cut here; verdict.json has the rest.*\n";
  for (const ReportSection& section : document.sections) {
    std::string part = "\n### " + markdown_text(section.title) + "\n";
    for (const Block& block : section.blocks) {
      part += "\n" + std::visit([](const auto& value) { return block_text(value); }, block);
    }
    if (text.size() + part.size() + cut.size() > kBytesMax) return text + cut;
    text += part;
  }
  return text;
}

}  // namespace twinrun::harness
