#pragma once

#include <functional>
#include <memory>
#include <string_view>

namespace twinrun::trainer {

/// Cuts text into the pieces that byte pairs are merged within: GPT-2's pattern, as ByteLevel in a
/// tokenizer.json has it, on its own or after Digits(individual_digits).
class Pretokenizer {
 public:
  explicit Pretokenizer(bool digits_alone);
  ~Pretokenizer();
  Pretokenizer(Pretokenizer&&) noexcept;
  Pretokenizer& operator=(Pretokenizer&&) noexcept;

  /// Throws TokenizerError (byte) unless `text` is UTF-8.
  void require_utf8(std::string_view text) const;
  /// Calls `piece` with each piece in order; together they are `text`. REQUIRES: `text` is UTF-8.
  void split(std::string_view text, const std::function<void(std::string_view)>& piece) const;

 private:
  struct Code;
  std::unique_ptr<Code> code_;
};

}  // namespace twinrun::trainer
