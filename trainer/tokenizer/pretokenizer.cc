#define PCRE2_CODE_UNIT_WIDTH 8
#include "trainer/tokenizer/pretokenizer.h"

#include <pcre2.h>

#include <stdexcept>
#include <string>

#include "trainer/tokenizer/tokenizer.h"

namespace twinrun::trainer {
namespace {

// Unicode's White_Space, which is what \s means to the `tokenizers` package. PCRE2's own \s also
// has U+180E.
#define TWINRUN_SPACE                                                                         \
  "\\x{9}-\\x{d}\\x{20}\\x{85}\\x{a0}\\x{1680}\\x{2000}-\\x{200a}\\x{2028}\\x{2029}\\x{202f}" \
  "\\x{205f}\\x{3000}"

constexpr const char* kGpt2 =
    "'s|'t|'re|'ve|'m|'ll|'d"
    "| ?\\p{L}+| ?\\p{N}+| ?[^" TWINRUN_SPACE
    "\\p{L}\\p{N}]+"
    "|[" TWINRUN_SPACE "]+(?![^" TWINRUN_SPACE "])|[" TWINRUN_SPACE "]+";

// The same where every digit has been cut out before: it stands alone, and for the white space
// before it the text ends there.
constexpr const char* kGpt2BetweenDigits =
    "'s|'t|'re|'ve|'m|'ll|'d"
    "| ?\\p{L}+|\\p{N}| ?[^" TWINRUN_SPACE
    "\\p{L}\\p{N}]+"
    "|[" TWINRUN_SPACE "]+(?![^" TWINRUN_SPACE "\\p{N}])|[" TWINRUN_SPACE "]+";

#undef TWINRUN_SPACE

std::string message_of_error(int error) {
  PCRE2_UCHAR text[160];
  pcre2_get_error_message(error, text, sizeof(text));
  return reinterpret_cast<const char*>(text);
}

struct MatchData {
  explicit MatchData(const pcre2_code* code)
      : data(pcre2_match_data_create_from_pattern(code, nullptr)) {
    if (!data) throw std::bad_alloc();
  }
  ~MatchData() { pcre2_match_data_free(data); }
  MatchData(const MatchData&) = delete;
  MatchData& operator=(const MatchData&) = delete;
  pcre2_match_data* data;
};

PCRE2_SPTR units(std::string_view text) { return reinterpret_cast<PCRE2_SPTR>(text.data()); }

}  // namespace

struct Pretokenizer::Code {
  explicit Code(const char* pattern) {
    int error = 0;
    PCRE2_SIZE offset = 0;
    code = pcre2_compile(reinterpret_cast<PCRE2_SPTR>(pattern), PCRE2_ZERO_TERMINATED,
                         PCRE2_UTF | PCRE2_ANCHORED, &error, &offset, nullptr);
    if (!code) throw std::runtime_error("pre-tokenizer pattern: " + message_of_error(error));
    // Where this fails, for want of executable memory, the interpreter does the same more slowly.
    pcre2_jit_compile(code, PCRE2_JIT_COMPLETE);
  }
  ~Code() { pcre2_code_free(code); }
  Code(const Code&) = delete;
  Code& operator=(const Code&) = delete;
  pcre2_code* code;
};

Pretokenizer::Pretokenizer(bool digits_alone)
    : code_(std::make_unique<Code>(digits_alone ? kGpt2BetweenDigits : kGpt2)) {}
Pretokenizer::~Pretokenizer() = default;
Pretokenizer::Pretokenizer(Pretokenizer&&) noexcept = default;
Pretokenizer& Pretokenizer::operator=(Pretokenizer&&) noexcept = default;

void Pretokenizer::require_utf8(std::string_view text) const {
  if (text.empty()) return;
  // A match checks all of its subject first.
  const MatchData match(code_->code);
  const int count = pcre2_match(code_->code, units(text), text.size(), 0, 0, match.data, nullptr);
  if (count > PCRE2_ERROR_UTF8_ERR1 || count < PCRE2_ERROR_UTF8_ERR21) return;
  throw TokenizerError("text is not UTF-8 at byte " +
                       std::to_string(pcre2_get_startchar(match.data)) + ": " +
                       message_of_error(count));
}

void Pretokenizer::split(std::string_view text,
                         const std::function<void(std::string_view)>& piece) const {
  const MatchData match(code_->code);
  const PCRE2_SIZE* bounds = pcre2_get_ovector_pointer(match.data);
  for (std::size_t position = 0; position < text.size(); position = bounds[1]) {
    const int count = pcre2_match(code_->code, units(text), text.size(), position,
                                  PCRE2_NO_UTF_CHECK, match.data, nullptr);
    // Every character begins a match, so anything else is a limit of the library.
    if (count < 1) throw std::runtime_error("pre-tokenizer: " + message_of_error(count));
    piece(text.substr(bounds[0], bounds[1] - bounds[0]));
  }
}

}  // namespace twinrun::trainer
