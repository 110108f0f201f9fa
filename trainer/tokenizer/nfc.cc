#include <algorithm>
#include <unordered_map>
#include <unordered_set>

#include "trainer/tokenizer/unicode.h"
#include "trainer/tokenizer/unicode_tables.h"
#include "trainer/tokenizer/utf8.h"

namespace twinrun::trainer::unicode {
namespace {

// Hangul syllables, composed by rule: Unicode Standard, section 3.12.
constexpr char32_t kSyllables = 0xAC00, kLead = 0x1100, kVowel = 0x1161, kTail = 0x11A7;
constexpr char32_t kVowels = 21, kTails = 28, kSyllableCount = 19 * kVowels * kTails;

bool is_syllable(char32_t code) { return code >= kSyllables && code < kSyllables + kSyllableCount; }

// The syllable of a consonant and a vowel, or of these together and a second consonant; 0: none.
char32_t syllable_of(char32_t first, char32_t second) {
  if (first >= kLead && first < kLead + 19 && second >= kVowel && second < kVowel + kVowels) {
    return kSyllables + ((first - kLead) * kVowels + (second - kVowel)) * kTails;
  }
  if (is_syllable(first) && (first - kSyllables) % kTails == 0 && second > kTail &&
      second < kTail + kTails) {
    return first + (second - kTail);
  }
  return 0;
}

class Tables {
 public:
  Tables() {
    for (const CombiningClass& range : kCombiningClasses) {
      for (char32_t code = range.first; code <= range.last; ++code) classes_[code] = range.value;
    }
    for (const Decomposition& d : kComposed) {
      parts_[d.whole] = {d.first, d.second};
      whole_[key(d.first, d.second)] = d.whole;
      seconds_.insert(d.second);
    }
    for (const Decomposition& d : kDecomposedOnly) parts_[d.whole] = {d.first, d.second};
  }

  int combining_class(char32_t code) const {
    const auto found = classes_.find(code);
    return found == classes_.end() ? 0 : found->second;
  }

  // Appends the full canonical decomposition.
  void decompose(char32_t code, std::u32string& out) const {
    if (is_syllable(code)) {
      const char32_t index = code - kSyllables;
      out += kLead + index / (kVowels * kTails);
      out += kVowel + index % (kVowels * kTails) / kTails;
      if (index % kTails != 0) out += kTail + index % kTails;
    } else if (const auto found = parts_.find(code); found != parts_.end()) {
      decompose(found->second.first, out);
      if (found->second.second != 0) decompose(found->second.second, out);
    } else {
      out += code;
    }
  }

  // What the two compose to; 0: nothing.
  char32_t compose(char32_t first, char32_t second) const {
    if (const char32_t syllable = syllable_of(first, second)) return syllable;
    const auto found = whole_.find(key(first, second));
    return found == whole_.end() ? 0 : found->second;
  }

  // Whether what comes before may change together with a character that decomposes to `first`...
  bool joins(char32_t first) const {
    return combining_class(first) != 0 || seconds_.contains(first) ||
           (first >= kVowel && first < kTail + kTails);
  }

 private:
  struct Parts {
    char32_t first, second;
  };
  static std::uint64_t key(char32_t first, char32_t second) {
    return std::uint64_t{first} << 32 | second;
  }
  std::unordered_map<char32_t, unsigned char> classes_;
  std::unordered_map<char32_t, Parts> parts_;
  std::unordered_map<std::uint64_t, char32_t> whole_;
  std::unordered_set<char32_t> seconds_;
};

const Tables& tables() {
  static const Tables tables;
  return tables;
}

void order_marks(std::u32string& text) {
  const auto class_of = [](char32_t code) { return tables().combining_class(code); };
  for (auto begin = text.begin(); begin != text.end();) {
    if (class_of(*begin) == 0) {
      ++begin;
      continue;
    }
    const auto end = std::find_if(begin, text.end(), [&](char32_t c) { return class_of(c) == 0; });
    std::ranges::stable_sort(begin, end, {}, class_of);
    begin = end;
  }
}

std::u32string compose_all(const std::u32string& decomposed) {
  constexpr std::size_t kNone = ~std::size_t{0};
  std::u32string out;
  std::size_t starter = kNone;
  for (const char32_t code : decomposed) {
    const int combining_class = tables().combining_class(code);
    // A mark of the same class, or of a higher one, in between keeps the two apart.
    const bool reaches =
        starter != kNone &&
        (starter + 1 == out.size() || tables().combining_class(out.back()) < combining_class);
    if (const char32_t whole = reaches ? tables().compose(out[starter], code) : 0) {
      out[starter] = whole;
      continue;
    }
    if (combining_class == 0) starter = out.size();
    out += code;
  }
  return out;
}

// Begins after the characters that change together from `begin` on; `decomposed` takes these.
std::size_t block_end(std::string_view text, std::size_t begin, std::u32string& decomposed) {
  std::size_t position = begin;
  while (position < text.size()) {
    const auto [code, length] = utf8_char_at(text, position);
    const std::size_t before = decomposed.size();
    tables().decompose(code, decomposed);
    if (position > begin && !tables().joins(decomposed[before])) {
      decomposed.resize(before);
      break;
    }
    position += length;
  }
  return position;
}

}  // namespace

Nfc to_nfc(std::string_view text) {
  Nfc result;
  // Below U+0300, whose first byte is 0xCC, nothing changes.
  const auto may_change = [](char byte) { return static_cast<unsigned char>(byte) >= 0xCC; };
  if (std::ranges::none_of(text, may_change)) {
    result.text = text;
    return result;
  }
  bool changed = false;
  std::u32string decomposed;
  for (std::size_t begin = 0; begin < text.size();) {
    decomposed.clear();
    const std::size_t end = block_end(text, begin, decomposed);
    order_marks(decomposed);
    std::string block;
    for (const char32_t code : compose_all(decomposed)) append_utf8(block, code);
    const bool same = block == text.substr(begin, end - begin);
    for (std::size_t i = 0; i < block.size(); ++i) {
      result.begin.push_back(same ? begin + i : begin);
      result.end.push_back(same ? begin + i + 1 : end);
    }
    changed = changed || !same;
    result.text += block;
    begin = end;
  }
  if (!changed) {
    result.begin.clear();
    result.end.clear();
  }
  return result;
}

}  // namespace twinrun::trainer::unicode
