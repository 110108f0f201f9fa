#pragma once

#include <cstddef>
#include <string>
#include <string_view>
#include <vector>

namespace twinrun::harness {

/// `text` fit for one line of a terminal or a CI log: printable, line feeds and tabs as spaces, so
/// that nothing a trainer wrote can start a line or an escape sequence of ours.
std::string one_line(std::string_view text);

/// Columns that `text` takes: its UTF-8 code points.
std::size_t columns(std::string_view text);

/// `text` cut to `width` columns, with "..." at the end where something is missing.
std::string ellipsize(std::string_view text, std::size_t width);

/// The first byte at which two texts part, at the start of a code point; the end of one that is
/// the beginning of the other.
std::size_t parting(std::string_view a, std::string_view b);

/// `text` from a little before byte `at` on, with "..." before it where something is missing.
std::string excerpt(std::string_view text, std::size_t at);

/// `text` broken at spaces into lines of at most `width` columns; a longer word is cut.
std::vector<std::string> wrap(std::string_view text, std::size_t width);

/// `word` as a POSIX shell reads it back: unchanged if it holds nothing special, else quoted.
std::string shell_quote(std::string_view word);

/// `word, word and word`.
std::string list_words(const std::vector<std::string>& words);

/// `value` as printf writes it by `format`, which takes one double; at most 63 bytes of it.
std::string number_text(const char* format, double value);

/// `1 step`, `2 steps`.
std::string count_of(long long count, std::string_view noun);

}  // namespace twinrun::harness
