#include <algorithm>
#include <variant>

#include "harness/protocol/sha256.h"
#include "harness/report/document.h"
#include "harness/report/escape.h"
#include "harness/report/statistics_svg.h"
#include "harness/report/svg.h"
#include "harness/report/text.h"
#include "report_style_text.h"

namespace twinrun::harness {
namespace {

// A report of two runs takes some 70 kB; a verdict that was made to be long ends here.
constexpr std::size_t kBytesMax = 1'900'000;
constexpr std::size_t kCodeBytesMax = 200'000;

std::string base64(const protocol::Digest& digest) {
  constexpr std::string_view kAlphabet =
      "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
  std::string text;
  for (std::size_t i = 0; i < digest.size(); i += 3) {
    const std::size_t left = std::min<std::size_t>(3, digest.size() - i);
    unsigned bits = 0;
    for (std::size_t j = 0; j < 3; ++j) bits = bits << 8 | (j < left ? digest[i + j] : 0u);
    for (std::size_t j = 0; j < 4; ++j) {
      text += j <= left ? kAlphabet[bits >> (18 - 6 * j) & 63] : '=';
    }
  }
  return text;
}

std::string words(const std::string& text) { return xml_escape(shown(text)); }

std::string cell_text(const Cell& cell) {
  return cell.code && !cell.text.empty() ? "<code>" + words(cell.text) + "</code>"
                                         : words(cell.text);
}

std::string block_text(const Paragraph& paragraph) {
  return "<p>" + words(paragraph.text) + "</p>\n";
}

std::string block_text(const Facts& facts) {
  std::string text = "<table class=\"facts\"><tbody>\n";
  for (const auto& [name, cell] : facts.rows) {
    text += "<tr><th scope=\"row\">" + words(name) + "</th><td>" + cell_text(cell) + "</td></tr>\n";
  }
  return text + "</tbody></table>\n";
}

std::string block_text(const Table& table) {
  std::string text = "<table class=\"list\"><thead><tr>";
  for (const std::string& name : table.header) text += "<th scope=\"col\">" + words(name) + "</th>";
  text += "</tr></thead><tbody>\n";
  for (const auto& row : table.rows) {
    text += "<tr>";
    for (std::size_t i = 0; i < row.size(); ++i) {
      const std::string label = i < table.header.size() ? table.header[i] : "";
      text += std::string("<td") + (row[i].set_in ? " class=\"set-in\"" : "") + " data-label=\"" +
              words(label) + "\">" + cell_text(row[i]) + "</td>";
    }
    text += "</tr>\n";
  }
  text += "</tbody></table>\n";
  if (table.fold.empty()) return text;
  return "<details><summary>" + words(table.fold) + "</summary>\n" + text + "</details>\n";
}

std::string block_text(const Bullets& bullets) {
  std::string text = "<ul>\n";
  for (const Cell& item : bullets.items) text += "<li>" + cell_text(item) + "</li>\n";
  return text + "</ul>\n";
}

std::string block_text(const CodeBlock& block) {
  std::string text = block.text;
  if (text.size() > kCodeBytesMax) text = text.substr(0, kCodeBytesMax) + "\n...";
  return "<pre tabindex=\"0\">" + xml_escape(text) + "</pre>\n";
}

std::string block_text(const Chart& chart) {
  const LossCurves& curves = chart.curves;
  std::string text = "<p>" + words(curves_sentence(curves)) + "</p>\n";
  if (curves.steps == 0) return text;
  text += "<figure><figcaption>Loss of run " + words(curves.a) + " (broad line) and run " +
          words(curves.b) + " (thin line)";
  if (curves.steps > kCurveBuckets) {
    text += "; of each " + std::to_string(kCurveBuckets) +
            "th part of the steps the lowest and the highest value";
  }
  text += "</figcaption>\n" + loss_svg(chart) + "</figure>\n";
  text +=
      "<figure><figcaption>How far apart the two losses are, in units in the last place of a "
      "float32 (logarithmic; no bar: the same bits)</figcaption>\n" +
      difference_svg(chart) + "</figure>\n";
  Table table{{"step", "run " + curves.a, "run " + curves.b, "apart, in units in the last place"},
              {}};
  for (const LossSample& sample : curves.samples) {
    const std::string ulps = sample.ulps ? std::to_string(*sample.ulps) : "not finite";
    table.rows.push_back({{std::to_string(sample.step), false},
                          {loss_text(sample.a), true},
                          {loss_text(sample.b), true},
                          {sample.same_bits ? "same bits" : ulps, false}});
  }
  return text + block_text(table);
}

std::string drawing(const EnvelopeChart& chart) {
  std::string text = "<div class=\"panels\">\n";
  for (const EnvelopePanel& panel : chart.panels) {
    text += "<figure><figcaption>" + words(panel.title) + "</figcaption>\n" + envelope_svg(panel) +
            "</figure>\n";
  }
  return text + "</div>\n";
}

std::string drawing(const ScoreChart& chart) { return scores_svg(chart); }

std::string drawing(const IntervalChart& chart) { return intervals_svg(chart); }

std::string block_text(const Figure& figure) {
  return "<figure><figcaption>" + words(figure.caption) + "</figcaption>\n" +
         std::visit([](const auto& chart) { return drawing(chart); }, figure.chart) + "</figure>\n";
}

std::string color_of(Verdict verdict) {
  const bool red = verdict == Verdict::kNotReproduced || verdict == Verdict::kSlowdownExceeded ||
                   verdict == Verdict::kEvidenceInvalid;
  return verdict == Verdict::kReproduced ? "green" : red ? "red" : "amber";
}

std::string head_text(const Document& document) {
  const std::string style = kReportStyleText;
  return "<!DOCTYPE html>\n<html lang=\"en\">\n<head>\n<meta charset=\"utf-8\">\n"
         "<meta http-equiv=\"Content-Security-Policy\" content=\"default-src 'none'; style-src "
         "'sha256-" +
         base64(protocol::sha256(style)) +
         "'; base-uri 'none'; form-action 'none'\">\n"
         "<meta name=\"viewport\" content=\"width=device-width, initial-scale=1\">\n"
         "<meta name=\"referrer\" content=\"no-referrer\">\n<title>" +
         words(to_string(document.verdict) + ": " + document.title) + "</title>\n<style>" + style +
         "</style>\n</head>\n";
}

std::string top_text(const Document& document) {
  std::string text =
      "<header class=\"" + (document.alarms.empty() ? color_of(document.verdict) : "red") +
      "\">\n<p class=\"word\">" + words(to_string(document.verdict)) + "</p>\n<h1>" +
      words(document.title) + "</h1>\n<p class=\"sentence\">" + words(document.sentence) +
      "</p>\n<p>" + words(document.meaning) + "</p>\n</header>\n";
  for (const std::string& alarm : document.alarms) {
    text += "<p class=\"alarm\"><strong>The evidence beside this verdict does not hold.</strong> " +
            words(alarm) + "</p>\n";
  }
  text += "<nav aria-label=\"Sections\">";
  for (const ReportSection& section : document.sections) {
    text += "<a href=\"#" + section.id + "\">" + words(section.title) + "</a> ";
  }
  return text + "</nav>\n";
}

}  // namespace

std::string to_html(const Document& document) {
  std::string text = head_text(document) + "<body>\n<main>\n" + top_text(document);
  for (const ReportSection& section : document.sections) {
    std::string part =
        "<section id=\"" + section.id + "\">\n<h2>" + words(section.title) + "</h2>\n";
    for (const Block& block : section.blocks) {
      part += std::visit([](const auto& value) { return block_text(value); }, block);
    }
    part += "</section>\n";
    if (text.size() + part.size() > kBytesMax) {
      text += "<p class=\"alarm\">Cut here; verdict.json has the rest.</p>\n";
      break;
    }
    text += part;
  }
  return text + "</main>\n</body>\n</html>\n";
}

}  // namespace twinrun::harness
