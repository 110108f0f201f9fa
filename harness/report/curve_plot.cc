#include "harness/report/curve_plot.h"

#include <sys/ioctl.h>

#include <algorithm>
#include <bit>
#include <cmath>
#include <cstdio>
#include <cstdlib>
#include <map>

#include "harness/report/text.h"

namespace twinrun::harness {
namespace {

constexpr std::size_t kColumnsMin = 40;
constexpr std::size_t kScaleColumns = 11;  // `  0.123456 |`
constexpr char kBoth = '=';
constexpr const char* kGreen = "\x1b[32m";
constexpr const char* kYellow = "\x1b[33m";
constexpr const char* kRed = "\x1b[31m";
constexpr const char* kReset = "\x1b[0m";

struct Range {
  std::int64_t first = 0, last = 0;
  double low = 0, high = 0;
  bool empty = true;
};

void widen(Range& range, const PlotCurve& curve) {
  for (std::size_t i = 0; i < curve.steps.size(); ++i) {
    if (!std::isfinite(curve.values[i])) continue;
    const double value = curve.values[i];
    range.first = range.empty ? curve.steps[i] : std::min(range.first, curve.steps[i]);
    range.last = range.empty ? curve.steps[i] : std::max(range.last, curve.steps[i]);
    range.low = range.empty ? value : std::min(range.low, value);
    range.high = range.empty ? value : std::max(range.high, value);
    range.empty = false;
  }
}

std::string scale(double value) {
  const std::string padded = std::string(kScaleColumns, ' ') + number_text("%.4g", value);
  return padded.substr(padded.size() - (kScaleColumns - 2)) + " ";
}

/// The field of the plot: characters by row and column.
class Field {
 public:
  Field(std::size_t rows, std::size_t columns, const Range& range)
      : range_(range), rows_(rows, std::string(columns, ' ')) {}

  std::size_t column(std::int64_t step) const {
    return place(static_cast<double>(step), static_cast<double>(range_.first),
                 static_cast<double>(range_.last), rows_.front().size());
  }
  void draw(const PlotCurve& curve) {
    for (std::size_t i = 0; i < curve.steps.size(); ++i) {
      if (!std::isfinite(curve.values[i])) continue;
      const std::size_t up = place(curve.values[i], range_.low, range_.high, rows_.size());
      char& cell = rows_[rows_.size() - 1 - up][column(curve.steps[i])];
      cell = cell == ' ' || cell == curve.mark ? curve.mark : kBoth;
    }
  }
  const std::vector<std::string>& rows() const { return rows_; }

 private:
  /// The cell of `value`. Steps without a finite loss at either end lie outside of the range, and
  /// get the cell at the edge.
  static std::size_t place(double value, double low, double high, std::size_t cells) {
    if (!(high > low)) return 0;
    const double share = std::clamp((value - low) / (high - low), 0.0, 1.0);
    return static_cast<std::size_t>(std::lround(share * static_cast<double>(cells - 1)));
  }
  Range range_;
  std::vector<std::string> rows_;
};

/// `^` in the columns of steps whose losses have other bits, or that only one curve has.
std::string difference_row(const PlotCurve& before, const PlotCurve& after, const Field& field,
                           std::size_t columns) {
  std::map<std::int64_t, std::uint32_t> bits;
  for (std::size_t i = 0; i < before.steps.size(); ++i) {
    bits[before.steps[i]] = std::bit_cast<std::uint32_t>(before.values[i]);
  }
  std::string row(columns, ' ');
  for (std::size_t i = 0; i < after.steps.size(); ++i) {
    const auto found = bits.find(after.steps[i]);
    const bool same =
        found != bits.end() && found->second == std::bit_cast<std::uint32_t>(after.values[i]);
    if (!same) row[field.column(after.steps[i])] = '^';
  }
  return row;
}

std::string colored(const std::string& row, const PlotCurve& before, const PlotCurve& after,
                    bool color) {
  if (!color) return row;
  std::string text;
  for (const char c : row) {
    const char* start = c == after.mark    ? kYellow
                        : c == before.mark ? kGreen
                        : c == '^'         ? kRed
                                           : nullptr;
    text += start == nullptr ? std::string(1, c) : start + std::string(1, c) + kReset;
  }
  return text;
}

std::string trimmed(std::string row) {
  row.erase(row.find_last_not_of(' ') + 1);
  return row;
}

std::string axis(const Range& range, std::size_t columns, bool unicode) {
  std::string line = std::string(kScaleColumns - 1, ' ') + (unicode ? "└" : "+");
  for (std::size_t i = 0; i < columns; ++i) line += unicode ? "─" : "-";
  const std::string first = "step " + std::to_string(range.first);
  const std::string last = std::to_string(range.last);
  const std::size_t used = std::min(columns, first.size() + last.size());
  return line + "\n" + std::string(kScaleColumns, ' ') + first +
         std::string(std::max<std::size_t>(columns - used, 1), ' ') + last + "\n";
}

}  // namespace

std::string plot_curves(const PlotCurve& before, const PlotCurve& after,
                        const PlotOptions& options) {
  Range range;
  widen(range, before);
  widen(range, after);
  if (range.empty) return "  no loss that could be drawn: none is finite\n";
  const std::size_t columns = std::max(options.columns, kColumnsMin) - kScaleColumns;
  Field field(std::max<std::size_t>(options.rows, 2), columns, range);
  field.draw(before);
  field.draw(after);
  std::string text;
  const auto& rows = field.rows();
  for (std::size_t i = 0; i < rows.size(); ++i) {
    const std::string blank(kScaleColumns - 1, ' ');
    text += i == 0 ? scale(range.high) : i + 1 == rows.size() ? scale(range.low) : blank;
    text += options.unicode ? "│" : "|";
    text += colored(trimmed(rows[i]), before, after, options.color) + "\n";
  }
  text += axis(range, columns, options.unicode);
  if (before.steps.empty()) return text;
  const std::string differs = trimmed(difference_row(before, after, field, columns));
  if (differs.empty()) return text;
  return text + "    differ " + colored(differs, before, after, options.color) + "\n";
}

std::size_t terminal_columns(int fd) {
  const char* given = std::getenv("COLUMNS");
  const long columns = given == nullptr ? 0 : std::strtol(given, nullptr, 10);
  if (columns > 0) return static_cast<std::size_t>(columns);
  winsize size{};
  if (ioctl(fd, TIOCGWINSZ, &size) == 0 && size.ws_col > 0) return size.ws_col;
  return 80;
}

}  // namespace twinrun::harness
