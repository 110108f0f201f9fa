#pragma once

#include <string>
#include <string_view>

namespace twinrun::harness {

/// `text` made safe to print on a terminal and in a log: control characters other than line feed
/// and tab, C1 controls, characters that change the direction or the line of what follows, and
/// bytes that are not UTF-8 become `\xNN`, one for each byte.
std::string printable(std::string_view text);

}  // namespace twinrun::harness
