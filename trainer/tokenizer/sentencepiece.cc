#include "trainer/tokenizer/sentencepiece.h"

#include <sentencepiece_processor.h>

#include <algorithm>
#include <limits>
#include <utility>

#include "trainer/data/input_file.h"
#include "trainer/tokenizer/added_tokens.h"
#include "trainer/tokenizer/sentencepiece_config.h"
#include "trainer/tokenizer/sentencepiece_spec.h"

namespace twinrun::trainer {
namespace {

using sentencepiece::SentencePieceProcessor;

// What stands for a space in a piece.
constexpr std::string_view kSpaceSymbol = "\u2581";

void load_model(SentencePieceProcessor& processor, const std::string& file,
                const std::string& bytes) {
  const auto status = processor.LoadFromSerializedProto(bytes);
  if (!status.ok()) throw TokenizerError(file + ": " + status.error_message());
}

// <0xHH>
char byte_of_piece(const std::string& piece) {
  return static_cast<char>(std::stoi(piece.substr(1, piece.size() - 2), nullptr, 16));
}

std::string bytes_of_piece(std::string piece) {
  for (std::size_t at = 0; (at = piece.find(kSpaceSymbol, at)) != std::string::npos; ++at) {
    piece.replace(at, kSpaceSymbol.size(), " ");
  }
  return piece;
}

}  // namespace

struct SentencePieceTokenizer::Impl {
  void encode_segment(std::string_view text, std::size_t begin, std::size_t end,
                      std::vector<EncodedToken>& out) const;
  void add(const AddedToken& token);
  bool is_known(std::int64_t id) const {
    return id >= 0 && (id < pieces() || bytes_beyond.contains(id));
  }
  std::string bytes_of(std::int64_t id) const;
  std::int64_t pieces() const { return with_space.GetPieceSize(); }

  SentencePieceProcessor with_space, without_space;
  PrefixSpace prefix = PrefixSpace::kNone;
  AddedTokenFinder added;
  std::unordered_map<std::string, std::int64_t> added_ids;
  std::unordered_map<std::int64_t, std::string> bytes_beyond;  // of added tokens beyond the pieces
};

void SentencePieceTokenizer::Impl::add(const AddedToken& token) {
  added.add(token);
  added_ids[token.content] = token.id;
  if (token.id >= pieces()) bytes_beyond[token.id] = token.content;
}

std::string SentencePieceTokenizer::Impl::bytes_of(std::int64_t id) const {
  if (id >= pieces()) return bytes_beyond.at(id);
  const std::string& piece = with_space.IdToPiece(static_cast<int>(id));
  return with_space.IsByte(static_cast<int>(id)) ? std::string(1, byte_of_piece(piece))
                                                 : bytes_of_piece(piece);
}

void SentencePieceTokenizer::Impl::encode_segment(std::string_view text, std::size_t begin,
                                                  std::size_t end,
                                                  std::vector<EncodedToken>& out) const {
  const std::string_view part = text.substr(begin, end - begin);
  const bool has_space = part.starts_with(' ') || part.starts_with(kSpaceSymbol);
  const bool space = prefix == PrefixSpace::kAlways ||
                     (!has_space && (prefix == PrefixSpace::kEach ||
                                     (prefix == PrefixSpace::kFirst && begin == 0)));
  const SentencePieceProcessor& processor = space ? with_space : without_space;
  sentencepiece::ImmutableSentencePieceText encoded;
  const auto status = processor.Encode(part, encoded.mutable_proto());
  if (!status.ok()) throw TokenizerError(std::string("text: ") + status.error_message());
  const std::vector<sentencepiece::ImmutableSentencePieceText_ImmutableSentencePiece> pieces =
      encoded.pieces();
  // The library gives the character to the last of its bytes.
  std::size_t character_end = end;
  const std::size_t first = out.size();
  for (auto piece = pieces.rbegin(); piece != pieces.rend(); ++piece) {
    EncodedToken token{piece->id(), begin + piece->begin(), begin + piece->end()};
    if (processor.IsByte(static_cast<int>(piece->id()))) {
      if (token.begin < token.end) character_end = token.end;
      token.end = character_end;
    }
    out.push_back(token);
  }
  std::reverse(out.begin() + static_cast<std::ptrdiff_t>(first), out.end());
}

SentencePieceTokenizer::SentencePieceTokenizer(std::unique_ptr<Impl> impl)
    : impl_(std::move(impl)) {}
SentencePieceTokenizer::~SentencePieceTokenizer() = default;

std::unique_ptr<const Tokenizer> SentencePieceTokenizer::load(const std::filesystem::path& folder) {
  const std::string file = (folder / "tokenizer.model").string();
  std::string bytes;
  try {
    bytes = read_input_file(file);
  } catch (const std::runtime_error& error) {
    throw TokenizerError(error.what());
  }
  const SentencePieceSpec spec = read_sentencepiece_spec(file, bytes);
  require_built(file, spec);
  auto impl = std::make_unique<Impl>();
  load_model(impl->with_space, file, bytes);
  load_model(impl->without_space, file, without_prefix(file, bytes));

  std::vector<std::string> pieces;
  std::vector<AddedToken> special;
  for (int id = 0; id < impl->with_space.GetPieceSize(); ++id) {
    pieces.push_back(impl->with_space.IdToPiece(id));
    if (impl->with_space.IsControl(id) || impl->with_space.IsUnknown(id) ||
        spec.user_defined.contains(pieces.back())) {
      special.push_back({.id = id, .content = pieces.back()});
    }
  }
  const SentencePieceConfig config = read_sentencepiece_config(folder, pieces, special);
  impl->prefix = config.prefix;
  for (const AddedToken& token : config.added_tokens) impl->add(token);
  return std::unique_ptr<const Tokenizer>(new SentencePieceTokenizer(std::move(impl)));
}

std::vector<EncodedToken> SentencePieceTokenizer::encode_with_offsets(std::string_view text) const {
  // The library counts bytes in 32 bits, and what stands for a space takes three.
  if (text.size() > std::numeric_limits<std::int32_t>::max() / 4) {
    throw TokenizerError("text of " + std::to_string(text.size()) + " bytes is too long");
  }
  require_utf8(text);
  std::vector<EncodedToken> tokens;
  impl_->added.walk(
      text, [&](const EncodedToken& token) { tokens.push_back(token); },
      [&](std::size_t begin, std::size_t end) { impl_->encode_segment(text, begin, end, tokens); });
  return tokens;
}

std::string SentencePieceTokenizer::decode(std::span<const std::int64_t> ids) const {
  for (const std::int64_t id : ids) {
    if (!impl_->is_known(id)) throw TokenizerError("no token has the id " + std::to_string(id));
  }
  return decode_known(ids);
}

std::string SentencePieceTokenizer::decode_known(std::span<const std::int64_t> ids) const {
  std::string bytes;
  for (const std::int64_t id : ids) {
    if (impl_->is_known(id)) bytes += impl_->bytes_of(id);
  }
  if (impl_->prefix != PrefixSpace::kNone && bytes.starts_with(' ')) bytes.erase(0, 1);
  return bytes;
}

std::optional<std::int64_t> SentencePieceTokenizer::token_id(std::string_view token) const {
  const auto found = impl_->added_ids.find(std::string(token));
  if (found != impl_->added_ids.end()) return found->second;
  const int id = impl_->with_space.PieceToId(token);
  // The library has the unknown token for what it does not know.
  if (impl_->with_space.IdToPiece(id) != token) return std::nullopt;
  return id;
}

std::int64_t SentencePieceTokenizer::vocab_size() const {
  std::int64_t size = impl_->pieces();
  for (const auto& [id, bytes] : impl_->bytes_beyond) size = std::max(size, id + 1);
  return size;
}

}  // namespace twinrun::trainer
