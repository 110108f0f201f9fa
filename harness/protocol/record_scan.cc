#include <bit>
#include <charconv>
#include <cmath>
#include <cstring>

#include "harness/protocol/record_reader.h"

namespace twinrun::protocol {
namespace {

constexpr std::size_t kHexDigits = 2 * std::tuple_size_v<Digest>;

// Without branches, so that the compiler can check many digits at once.
bool all_hex(const char* text, std::size_t size) {
  unsigned bad = 0;
  for (std::size_t i = 0; i < size; ++i) {
    const auto c = static_cast<unsigned char>(text[i]);
    const unsigned digit = static_cast<unsigned char>(c - '0') < 10;
    const unsigned letter = static_cast<unsigned char>(c - 'a') < 6;
    bad |= (digit | letter) ^ 1u;
  }
  return bad == 0;
}

// Each member reads one piece of the line and moves past it, or says false.
class Scanner {
 public:
  explicit Scanner(std::string_view line) : at_(line.data()), end_(line.data() + line.size()) {}

  bool literal(std::string_view text) {
    if (left() < text.size() || std::memcmp(at_, text.data(), text.size()) != 0) return false;
    at_ += text.size();
    return true;
  }

  bool digest() {
    if (left() < kHexDigits || !all_hex(at_, kHexDigits)) return false;
    at_ += kHexDigits;
    return true;
  }

  template <typename Integer>
  bool integer(Integer& value) {
    const auto [stop, error] = std::from_chars(at_, end_, value);
    const bool negative = at_ < end_ && *at_ == '-';
    const char* first_digit = at_ + (negative ? 1 : 0);
    if (error != std::errc() || (*first_digit == '0' && (negative || stop - first_digit > 1))) {
      return false;
    }
    at_ = stop;
    return true;
  }

  template <typename Float, typename Bits>
  bool number(Bits& bits) {
    if (!literal("{\"bits\":\"") || left() < 2 * sizeof bits || !all_hex(at_, 2 * sizeof bits)) {
      return false;
    }
    std::from_chars(at_, at_ + 2 * sizeof bits, bits, 16);
    at_ += 2 * sizeof bits;
    if (!literal("\",\"value\":")) return false;
    const Float value = std::bit_cast<Float>(bits);
    if (!std::isfinite(value)) return literal("null}");
    char text[40];
    const auto written = std::to_chars(text, text + sizeof text, value, std::chars_format::general,
                                       sizeof value == 4 ? 9 : 17);
    return literal({text, static_cast<std::size_t>(written.ptr - text)}) && literal("}");
  }

  bool samples() {
    if (!literal("[")) return false;
    if (literal("]")) return true;
    do {
      std::int64_t id = 0;
      if (literal("\"") ? !plain_string() : !integer(id)) return false;
    } while (literal(","));
    return literal("]");
  }

  bool at_end() const { return at_ == end_; }

 private:
  std::size_t left() const { return static_cast<std::size_t>(end_ - at_); }

  bool plain_string() {
    while (at_ < end_ && *at_ >= ' ' && *at_ <= '~' && *at_ != '"' && *at_ != '\\') ++at_;
    return literal("\"");
  }

  const char* at_;
  const char* end_;
};

}  // namespace

std::optional<ChainSplit> split_chain(std::string_view line) {
  constexpr std::string_view kBefore = ",\"chain\":\"", kAfter = "\"}";
  constexpr std::size_t kTail = kBefore.size() + kHexDigits + kAfter.size();
  if (line.size() < kTail) return std::nullopt;
  const std::string_view tail = line.substr(line.size() - kTail);
  if (!tail.starts_with(kBefore) || !tail.ends_with(kAfter)) return std::nullopt;
  const auto chain = digest_from_hex(tail.substr(kBefore.size(), kHexDigits));
  if (!chain) return std::nullopt;
  return ChainSplit{line.substr(0, line.size() - kTail), *chain};
}

std::optional<StepScan> scan_step(std::string_view line) {
  Scanner scanner(line);
  StepScan scan;
  std::int64_t tokens = 0, loss_tokens = 0;
  const bool good =
      scanner.literal("{\"step\":") && scanner.integer(scan.step) &&
      scanner.literal(",\"loss\":") && scanner.number<float>(scan.loss_bits) &&
      scanner.literal(",\"grad_norm\":") && scanner.number<float>(scan.grad_norm_bits) &&
      scanner.literal(",\"lr\":") && scanner.number<double>(scan.lr_bits) &&
      scanner.literal(",\"tokens\":") && scanner.integer(tokens) &&
      scanner.literal(",\"loss_tokens\":") && scanner.integer(loss_tokens) &&
      scanner.literal(",\"samples\":") && scanner.samples() && scanner.literal(",\"batch\":\"") &&
      scanner.digest() && scanner.literal("\",\"grad\":\"") && scanner.digest() &&
      scanner.literal("\",\"adapter\":\"") && scanner.digest() &&
      scanner.literal("\",\"optimizer\":\"") && scanner.digest() &&
      scanner.literal("\",\"rng\":\"") && scanner.digest() && scanner.literal("\",\"chain\":\"") &&
      scanner.digest() && scanner.literal("\"}") && scanner.at_end();
  if (!good || scan.step < 1 || tokens < 0 || loss_tokens < 0) return std::nullopt;
  return scan;
}

}  // namespace twinrun::protocol
