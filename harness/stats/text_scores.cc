#include "harness/stats/text_scores.h"

#include <algorithm>
#include <iterator>
#include <stdexcept>
#include <unordered_map>

namespace twinrun::harness {
namespace {

// Not those of <cctype>, which follow the locale.
bool is_punctuation(char c) {
  return (c >= '!' && c <= '/') || (c >= ':' && c <= '@') || (c >= '[' && c <= '`') ||
         (c >= '{' && c <= '~');
}

/// What Python's str.split() takes for white space: with the four separators of ASCII.
bool is_space(char c) {
  return c == ' ' || (c >= '\t' && c <= '\r') || (c >= '\x1c' && c <= '\x1f');
}

/// What an article may not touch: letters, digits, anything beyond ASCII. No control character.
bool is_in_word(char c) {
  return (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || static_cast<unsigned char>(c) > 127;
}

char lowered(char c) { return c >= 'A' && c <= 'Z' ? static_cast<char>(c - 'A' + 'a') : c; }

/// `text` with a space in place of each a, an, the that touches no other character of a word.
std::string without_articles(std::string_view text) {
  std::string kept;
  for (std::size_t i = 0; i < text.size();) {
    if (!is_in_word(text[i])) {
      kept += text[i++];
      continue;
    }
    const std::size_t start = i;
    while (i < text.size() && is_in_word(text[i])) ++i;
    const std::string_view word = text.substr(start, i - start);
    const bool article = word == "a" || word == "an" || word == "the";
    kept += article ? std::string_view(" ") : word;
  }
  return kept;
}

std::vector<std::string_view> words_of(std::string_view text) {
  std::vector<std::string_view> words;
  for (std::size_t i = 0; i < text.size();) {
    if (is_space(text[i])) {
      ++i;
      continue;
    }
    const std::size_t start = i;
    while (i < text.size() && !is_space(text[i])) ++i;
    words.push_back(text.substr(start, i - start));
  }
  return words;
}

void require_same_size(std::span<const std::string> answers,
                       std::span<const std::string> references) {
  if (answers.size() != references.size()) {
    throw std::invalid_argument(std::to_string(answers.size()) + " answers, but " +
                                std::to_string(references.size()) + " references");
  }
}

}  // namespace

std::string squad_normalized(std::string_view text) {
  std::string plain;
  for (const char c : text) {
    if (!is_punctuation(c)) plain += lowered(c);
  }
  plain = without_articles(plain);
  std::string joined;
  for (const std::string_view word : words_of(plain)) {
    if (!joined.empty()) joined += ' ';
    joined += word;
  }
  return joined;
}

bool exact_match(std::string_view answer, std::string_view reference) {
  return squad_normalized(answer) == squad_normalized(reference);
}

double token_f1(std::string_view answer, std::string_view reference) {
  const std::string answer_text = squad_normalized(answer);
  const std::string reference_text = squad_normalized(reference);
  std::vector<std::string_view> answer_words = words_of(answer_text);
  std::vector<std::string_view> reference_words = words_of(reference_text);
  std::sort(answer_words.begin(), answer_words.end());
  std::sort(reference_words.begin(), reference_words.end());
  std::vector<std::string_view> both;
  std::set_intersection(answer_words.begin(), answer_words.end(), reference_words.begin(),
                        reference_words.end(), std::back_inserter(both));
  if (both.empty()) return 0;
  const auto same = static_cast<double>(both.size());
  const double precision = same / static_cast<double>(answer_words.size());
  const double recall = same / static_cast<double>(reference_words.size());
  return 2 * precision * recall / (precision + recall);
}

LabelIndices label_indices(std::span<const std::string> answers,
                           std::span<const std::string> references) {
  require_same_size(answers, references);
  LabelIndices items;
  std::unordered_map<std::string, std::int32_t> numbers;
  for (const std::string& reference : references) {
    const auto [place, is_new] = numbers.try_emplace(squad_normalized(reference), items.labels);
    items.references.push_back(place->second);
    if (is_new) ++items.labels;
  }
  for (const std::string& answer : answers) {
    const auto place = numbers.find(squad_normalized(answer));
    items.answers.push_back(place == numbers.end() ? -1 : place->second);
  }
  return items;
}

double macro_f1(const LabelIndices& items, std::span<const std::int64_t> weights) {
  if (weights.size() != items.references.size()) {
    throw std::invalid_argument(std::to_string(weights.size()) + " weights, but " +
                                std::to_string(items.references.size()) + " items");
  }
  struct Counts {
    std::int64_t hits = 0, answers = 0, references = 0;
  };
  std::vector<Counts> counts(static_cast<std::size_t>(items.labels));
  for (std::size_t i = 0; i < weights.size(); ++i) {
    if (weights[i] < 0) {
      throw std::invalid_argument("the weight of item " + std::to_string(i) + " is negative");
    }
    const std::int32_t reference = items.references[i], answer = items.answers[i];
    counts[static_cast<std::size_t>(reference)].references += weights[i];
    if (answer < 0) continue;
    counts[static_cast<std::size_t>(answer)].answers += weights[i];
    if (answer == reference) counts[static_cast<std::size_t>(answer)].hits += weights[i];
  }
  double sum = 0;
  std::int64_t present = 0;
  for (const Counts& label : counts) {
    if (label.references == 0) continue;
    ++present;
    sum +=
        2 * static_cast<double>(label.hits) / static_cast<double>(label.answers + label.references);
  }
  if (present == 0) throw std::invalid_argument("no item counts");
  return sum / static_cast<double>(present);
}

LabelScores label_scores(std::span<const std::string> answers,
                         std::span<const std::string> references) {
  const LabelIndices items = label_indices(answers, references);
  if (answers.empty()) throw std::invalid_argument("no answers");
  std::int64_t right = 0;
  for (std::size_t i = 0; i < items.answers.size(); ++i) {
    right += items.answers[i] == items.references[i] ? 1 : 0;
  }
  return {.accuracy = static_cast<double>(right) / static_cast<double>(answers.size()),
          .macro_f1 = macro_f1(items, std::vector<std::int64_t>(answers.size(), 1))};
}

}  // namespace twinrun::harness
