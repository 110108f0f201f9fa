#include "harness/report/escape.h"

#include <algorithm>

#include "harness/report/printable.h"
#include "harness/report/text.h"

namespace twinrun::harness {
namespace {

void replace_all(std::string& text, std::string_view from, std::string_view to) {
  for (std::size_t at = 0; (at = text.find(from, at)) != std::string::npos; at += to.size()) {
    text.replace(at, from.size(), to);
  }
}

/// Whether GitHub would make a mention, a reference or a link of a part of `text`.
bool is_linked(std::string_view text) {
  for (const std::string_view sign : {"@", "#", "://", "www.", "GH-", "mailto:", "xmpp:"}) {
    if (text.find(sign) != std::string_view::npos) return true;
  }
  return false;
}

std::string code_span(const std::string& text) {
  // A fence longer than any run of backticks within, and spaces so that one may stand at the edge.
  std::size_t run = 0, longest = 0;
  for (const char c : text) {
    run = c == '`' ? run + 1 : 0;
    longest = std::max(longest, run);
  }
  const std::string fence(longest + 1, '`');
  const bool edge = text.front() == '`' || text.back() == '`' || text.front() == ' ';
  std::string span = fence + (edge ? " " : "") + text + (edge ? " " : "") + fence;
  replace_all(span, "|", "\\|");  // tables are cut into cells before code is read
  return span;
}

}  // namespace

std::string shown(std::string_view text) { return ellipsize(one_line(text), kShownColumns); }

std::string xml_escape(std::string_view text) {
  std::string safe;
  for (const char c : printable(text)) {
    switch (c) {
      case '&':
        safe += "&amp;";
        break;
      case '<':
        safe += "&lt;";
        break;
      case '>':
        safe += "&gt;";
        break;
      case '"':
        safe += "&quot;";
        break;
      case '\'':
        safe += "&#39;";
        break;
      default:
        safe += c;
    }
  }
  // U+FFFE and U+FFFF are characters of UTF-8, but none of XML 1.0 (section 2.2).
  replace_all(safe, "\xef\xbf\xbe", "\\xef\\xbf\\xbe");
  replace_all(safe, "\xef\xbf\xbf", "\\xef\\xbf\\xbf");
  return safe;
}

std::string markdown_text(std::string_view text) {
  const std::string line = shown(text);
  if (is_linked(line)) return code_span(line);
  constexpr std::string_view kSpecial = "\\`*_[]<>|~&$";
  constexpr std::string_view kAtTheStart = "-+=";  // where they would begin a list or underline
  std::string safe;
  for (std::size_t i = 0; i < line.size(); ++i) {
    const char c = line[i];
    const bool begins = i == 0 && kAtTheStart.find(c) != std::string_view::npos;
    const bool number = (c == '.' || c == ')') && i > 0 &&
                        line.find_first_not_of("0123456789") == i;  // "1." would begin a list
    const bool emoji = c == ':' && i + 1 < line.size() && line[i + 1] != ' ';  // ":name:"
    if (begins || number || emoji || kSpecial.find(c) != std::string_view::npos) safe += '\\';
    safe += c;
  }
  return safe;
}

std::string markdown_code(std::string_view text) {
  const std::string line = shown(text);
  return line.empty() ? "" : code_span(line);
}

std::string workflow_message(std::string_view text) {
  std::string safe = shown(text);  // no line feed, no carriage return
  replace_all(safe, "%", "%25");
  return safe;
}

std::string workflow_property(std::string_view text) {
  std::string safe = workflow_message(text);
  replace_all(safe, ":", "%3A");
  replace_all(safe, ",", "%2C");
  return safe;
}

}  // namespace twinrun::harness
