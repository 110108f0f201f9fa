#include "harness/launch/stderr_tail.h"

#include <algorithm>
#include <fstream>
#include <sstream>
#include <string_view>
#include <vector>

#include "harness/report/printable.h"

namespace twinrun::harness {
namespace {

constexpr std::streamoff kBytesMax = 4096;
constexpr std::size_t kLinesMax = 20;

/// The commands of GitHub's first kind and of Azure work anywhere in a line; those that begin with
/// `::` only at its start, where the bar stands.
std::string defuse(std::string line) {
  for (const std::string_view command : {"##[", "##vso["}) {
    for (std::size_t at = 0; (at = line.find(command, at)) != std::string::npos; at += 3) {
      line.insert(at + 2, "\\");
    }
  }
  return line;
}

}  // namespace

std::string stderr_tail(const std::filesystem::path& file) {
  std::ifstream stream(file, std::ios::binary | std::ios::ate);
  const std::streamoff bytes = stream ? static_cast<std::streamoff>(stream.tellg()) : 0;
  if (bytes <= 0) return "";
  const std::streamoff start = std::max<std::streamoff>(0, bytes - kBytesMax);
  stream.seekg(start);
  std::string text(static_cast<std::size_t>(bytes - start), '\0');
  stream.read(text.data(), static_cast<std::streamsize>(text.size()));
  text.resize(static_cast<std::size_t>(stream.gcount()));
  if (start > 0) {
    // The first line is cut off, unless it is the only one.
    const std::size_t line_end = text.find('\n');
    if (line_end != std::string::npos && line_end + 1 < text.size()) text.erase(0, line_end + 1);
  }
  std::vector<std::string> lines;
  std::istringstream split(text);
  for (std::string line; std::getline(split, line);) {
    if (!line.empty() && line.back() == '\r') line.pop_back();
    lines.push_back("| " + defuse(printable(line)));
  }
  const std::size_t first = lines.size() - std::min(lines.size(), kLinesMax);
  std::string tail;
  for (std::size_t i = first; i < lines.size(); ++i) tail += lines[i] + "\n";
  return tail;
}

}  // namespace twinrun::harness
