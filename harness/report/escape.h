#pragma once

#include <cstddef>
#include <string>
#include <string_view>

namespace twinrun::harness {

// Text that a trainer, a case or another machine wrote, made safe for the place where it is shown.
// Each takes any bytes; what printable() replaces shows as `\xNN`.

/// Longest text of one cell or sentence, in columns; what is longer ends in "...".
inline constexpr std::size_t kShownColumns = 600;

/// `text` on one line and at most kShownColumns long.
std::string shown(std::string_view text);

/// For HTML and XML 1.0, text and quoted attributes alike. Line feeds and tabs stay.
std::string xml_escape(std::string_view text);

/// For GitHub-flavoured Markdown, one line: shows as it stands, in a table too. Text that GitHub
/// would link (`@name`, `#1`, an address) comes as code, where nothing is linked.
std::string markdown_text(std::string_view text);
/// The same as a code span.
std::string markdown_code(std::string_view text);

/// The message of a GitHub workflow command (`::error::MESSAGE`), one line.
std::string workflow_message(std::string_view text);
/// A property of one (`::error file=PROPERTY::`), one line.
std::string workflow_property(std::string_view text);

}  // namespace twinrun::harness
