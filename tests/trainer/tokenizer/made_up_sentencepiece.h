#pragma once

#include <cstdint>
#include <cstring>
#include <string>
#include <string_view>
#include <vector>

namespace twinrun::trainer {

/// A SentencePiece model in the bytes of its file, piece by piece.
class MadeUpSentencePiece {
 public:
  // SentencePiece.Type of sentencepiece_model.proto.
  enum Type { kNormal = 1, kUnknown = 2, kControl = 3, kUserDefined = 4, kByte = 6 };

  void add(std::string_view piece, Type type = kNormal, float score = 0) {
    std::uint32_t bits;
    std::memcpy(&bits, &score, sizeof(bits));
    std::string message = text_field(1, piece) + tag(2, 5);
    for (int shift = 0; shift < 32; shift += 8) message += static_cast<char>(bits >> shift);
    pieces_ += text_field(1, message + number_field(3, type));
  }

  std::string bytes() const {
    return pieces_ + text_field(2, trainer_spec) + text_field(3, normalizer_spec) +
           (self_test_data_.empty() ? "" : text_field(4, self_test_data_));
  }

  static std::string number_field(int field, std::uint64_t value) {
    return tag(field, 0) + varint(value);
  }
  static std::string text_field(int field, std::string_view value) {
    return tag(field, 2) + varint(value.size()) + std::string(value);
  }

  /// BPE with bytes for what is unknown.
  std::string trainer_spec = number_field(3, 2) + number_field(35, 1);
  /// A space before the text, all spaces kept.
  std::string normalizer_spec = number_field(3, 1) + number_field(4, 0) + number_field(5, 1);
  /// What the library encodes when it loads the model, and the pieces that have to come of it.
  void add_self_test(std::string_view input, std::string_view pieces) {
    self_test_data_ += text_field(1, text_field(1, input) + text_field(2, pieces));
  }

 private:
  static std::string varint(std::uint64_t value) {
    std::string bytes;
    for (; value >= 0x80; value >>= 7) bytes += static_cast<char>(value | 0x80);
    return bytes + static_cast<char>(value);
  }
  static std::string tag(int field, int type) {
    return varint(static_cast<std::uint64_t>(field) << 3 | static_cast<std::uint64_t>(type));
  }

  std::string pieces_, self_test_data_;
};

/// Like Mistral's: <unk>, <s>, </s>, [INST], [/INST] (0 to 4), the bytes (5 to 260), some merges,
/// single characters.
inline MadeUpSentencePiece made_up_mistral() {
  MadeUpSentencePiece model;
  model.add("<unk>", MadeUpSentencePiece::kUnknown);
  for (const char* control : {"<s>", "</s>", "[INST]", "[/INST]"}) {
    model.add(control, MadeUpSentencePiece::kControl);
  }
  for (int byte = 0; byte < 256; ++byte) {
    constexpr std::string_view kHex = "0123456789ABCDEF";
    const auto digit = [&](int value) { return kHex[static_cast<std::size_t>(value)]; };
    model.add(std::string("<0x") + digit(byte / 16) + digit(byte % 16) + ">",
              MadeUpSentencePiece::kByte);
  }
  float score = 0;
  for (const char* piece : {"\u2581h", "el", "lo", "\u2581hel", "\u2581hello", "\u2581\u2581",
                            "\u2581", "h", "e", "l", "o", "w", "r", "d", ".", "\u00e9"}) {
    model.add(piece, MadeUpSentencePiece::kNormal, score--);
  }
  return model;
}

}  // namespace twinrun::trainer
