#include <algorithm>
#include <numeric>

#include "harness/config/case.h"

namespace twinrun::harness {
namespace {

/// Levenshtein's distance in bytes, one row at a time.
std::size_t edit_distance(const std::string& a, const std::string& b) {
  std::vector<std::size_t> row(b.size() + 1);
  std::iota(row.begin(), row.end(), std::size_t{0});
  for (std::size_t i = 0; i < a.size(); ++i) {
    std::size_t diagonal = row[0];
    row[0] = i + 1;
    for (std::size_t j = 0; j < b.size(); ++j) {
      const std::size_t substituted = diagonal + (a[i] == b[j] ? 0 : 1);
      diagonal = row[j + 1];
      row[j + 1] = std::min({substituted, row[j + 1] + 1, row[j] + 1});
    }
  }
  return row.back();
}

}  // namespace

std::string nearest_word(const std::string& word, const std::vector<std::string>& known) {
  constexpr std::size_t kWordCharsMax = 64;  // longer than any key; bounds the work on garbage
  if (word.size() > kWordCharsMax) return "";
  std::string nearest;
  // Near: at most a third of the word differs, but a slip of two letters always counts.
  std::size_t distance_max = std::max<std::size_t>(2, word.size() / 3);
  for (const std::string& candidate : known) {
    const std::size_t distance = edit_distance(word, candidate);
    if (distance > distance_max || distance >= candidate.size()) continue;
    if (!nearest.empty() && distance == distance_max) continue;
    nearest = candidate;
    distance_max = distance;
  }
  return nearest;
}

}  // namespace twinrun::harness
