#include "trainer/tokenizer/unicode.h"

#include <algorithm>
#include <array>
#include <span>

#include "trainer/tokenizer/unicode_tables.h"

namespace twinrun::trainer::unicode {
namespace {

constexpr std::size_t kBlock = 128, kBlocks = 0x110000 / kBlock;
constexpr std::uint8_t kDigitBit = 4, kKindBits = 3;

// Kind and digit bit of every code point, in blocks; most of these are all alike, and the first of
// its kind then stands for all.
class Classes {
 public:
  Classes() {
    std::vector<std::uint8_t> all(0x110000, 0);
    mark(all, kLetters, static_cast<std::uint8_t>(Kind::kLetter));
    mark(all, kNumbers, static_cast<std::uint8_t>(Kind::kNumber));
    mark(all, kSpaces, static_cast<std::uint8_t>(Kind::kSpace));
    mark(all, kDigits, kDigitBit);
    for (std::size_t block = 0; block < kBlocks; ++block) {
      const std::span<const std::uint8_t> part(all.data() + block * kBlock, kBlock);
      index_[block] = place_of(part);
    }
  }

  std::uint8_t operator[](char32_t code) const {
    return values_[index_[code / kBlock] + code % kBlock];
  }

 private:
  static void mark(std::vector<std::uint8_t>& all, std::span<const Range> ranges,
                   std::uint8_t bits) {
    for (const Range& range : ranges) {
      for (char32_t code = range.first; code <= range.last; ++code) all[code] |= bits;
    }
  }

  std::uint32_t place_of(std::span<const std::uint8_t> part) {
    for (std::size_t place = 0; place < values_.size(); place += kBlock) {
      if (std::equal(part.begin(), part.end(),
                     values_.begin() + static_cast<std::ptrdiff_t>(place)))
        return static_cast<std::uint32_t>(place);
    }
    values_.insert(values_.end(), part.begin(), part.end());
    return static_cast<std::uint32_t>(values_.size() - kBlock);
  }

  std::array<std::uint32_t, kBlocks> index_{};
  std::vector<std::uint8_t> values_;
};

std::uint8_t classes_of(char32_t code) {
  static const Classes classes;
  return classes[code];
}

}  // namespace

Kind kind_of(char32_t code) { return static_cast<Kind>(classes_of(code) & kKindBits); }
bool is_digit(char32_t code) { return (classes_of(code) & kDigitBit) != 0; }

}  // namespace twinrun::trainer::unicode
