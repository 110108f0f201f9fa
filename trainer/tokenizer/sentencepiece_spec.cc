#include "trainer/tokenizer/sentencepiece_spec.h"

#include <cstdint>

#include "trainer/tokenizer/tokenizer.h"

namespace twinrun::trainer {
namespace {

/// A field as the wire has it: a number, or bytes.
struct Field {
  std::uint64_t number = 0;
  std::uint64_t value = 0;
  std::string_view bytes;
};

class Reader {
 public:
  Reader(const std::string& file, std::string_view bytes) : file_(file), rest_(bytes) {}

  bool done() const { return rest_.empty(); }
  std::string_view rest() const { return rest_; }

  Field next() {
    const std::uint64_t tag = varint();
    Field field{.number = tag >> 3, .value = 0, .bytes = {}};
    switch (tag & 7) {
      case 0:
        field.value = varint();
        break;
      case 1:
        field.bytes = take(8);
        break;
      case 2:
        field.bytes = take(varint());
        break;
      case 5:
        field.bytes = take(4);
        break;
      default:
        fail();
    }
    return field;
  }

 private:
  [[noreturn]] void fail() const {
    throw TokenizerError(file_ + ": is damaged, or no SentencePiece model");
  }

  std::string_view take(std::uint64_t size) {
    if (size > rest_.size()) fail();
    const std::string_view bytes = rest_.substr(0, size);
    rest_.remove_prefix(size);
    return bytes;
  }

  std::uint64_t varint() {
    std::uint64_t value = 0;
    for (int shift = 0; shift < 64; shift += 7) {
      const auto byte = static_cast<unsigned char>(take(1)[0]);
      value |= std::uint64_t{byte & 0x7Fu} << shift;
      if (byte < 0x80) return value;
    }
    fail();
  }

  const std::string& file_;
  std::string_view rest_;
};

void read_piece(Reader reader, SentencePieceSpec& spec) {
  std::string_view piece;
  std::uint64_t type = 1;
  while (!reader.done()) {
    const Field field = reader.next();
    if (field.number == 1) piece = field.bytes;
    if (field.number == 3) type = field.value;
  }
  constexpr std::uint64_t kUserDefined = 4;
  if (type == kUserDefined) spec.user_defined.emplace(piece);
}

void read_trainer_spec(Reader reader, SentencePieceSpec& spec) {
  while (!reader.done()) {
    const Field field = reader.next();
    if (field.number == 3) spec.model_type = static_cast<int>(field.value);
    if (field.number == 24) spec.treat_whitespace_as_suffix = field.value != 0;
    if (field.number == 35) spec.byte_fallback = field.value != 0;
  }
}

void read_normalizer_spec(Reader reader, SentencePieceSpec& spec) {
  while (!reader.done()) {
    const Field field = reader.next();
    if (field.number == 2) spec.precompiled_charsmap = field.bytes;
    if (field.number == 3) spec.add_dummy_prefix = field.value != 0;
    if (field.number == 4) spec.remove_extra_whitespaces = field.value != 0;
    if (field.number == 5) spec.escape_whitespaces = field.value != 0;
  }
}

}  // namespace

SentencePieceSpec read_sentencepiece_spec(const std::string& file, std::string_view bytes) {
  SentencePieceSpec spec;
  Reader reader(file, bytes);
  while (!reader.done()) {
    const Field field = reader.next();
    if (field.number == 1) read_piece(Reader(file, field.bytes), spec);
    if (field.number == 2) read_trainer_spec(Reader(file, field.bytes), spec);
    if (field.number == 3) read_normalizer_spec(Reader(file, field.bytes), spec);
  }
  return spec;
}

std::string without_prefix(const std::string& file, std::string_view bytes) {
  std::string model;
  for (Reader reader(file, bytes); !reader.done();) {
    const std::string_view before = reader.rest();
    constexpr std::uint64_t kSelfTestData = 4;
    if (reader.next().number == kSelfTestData) continue;
    model += before.substr(0, before.size() - reader.rest().size());
  }
  // Of a message that is there twice, the fields of the later one count: normalizer_spec (3, of two
  // bytes) with add_dummy_prefix (3) false.
  return model + std::string("\x1A\x02\x18\x00", 4);
}

void require_built(const std::string& file, const SentencePieceSpec& spec) {
  const auto refuse_if = [&](bool wrong, const char* field, const std::string& what) {
    if (wrong) throw TokenizerError(file + ": '" + field + "' " + what + ", which is not built");
  };
  refuse_if(spec.model_type != 2, "trainer_spec.model_type",
            "is " + std::to_string(spec.model_type) + ", not 2 (BPE)");
  refuse_if(spec.treat_whitespace_as_suffix, "trainer_spec.treat_whitespace_as_suffix", "is true");
  // transformers' LlamaTokenizer drops what is unknown to such a model.
  refuse_if(!spec.byte_fallback, "trainer_spec.byte_fallback", "is false");
  refuse_if(!spec.precompiled_charsmap.empty(), "normalizer_spec.precompiled_charsmap",
            "changes the text");
  refuse_if(!spec.add_dummy_prefix, "normalizer_spec.add_dummy_prefix", "is false");
  refuse_if(spec.remove_extra_whitespaces, "normalizer_spec.remove_extra_whitespaces", "is true");
  refuse_if(!spec.escape_whitespaces, "normalizer_spec.escape_whitespaces", "is false");
}

}  // namespace twinrun::trainer
