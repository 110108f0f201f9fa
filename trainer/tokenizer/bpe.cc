#include "trainer/tokenizer/bpe.h"

#include <algorithm>
#include <array>
#include <functional>
#include <limits>
#include <queue>
#include <string>
#include <tuple>
#include <unordered_map>
#include <utility>

#include "trainer/tokenizer/byte_level.h"
#include "trainer/tokenizer/tokenizer_file.h"
#include "trainer/tokenizer/unicode.h"

namespace twinrun::trainer {
namespace {

struct Merge {
  std::int32_t rank, id;
};

std::uint64_t pair_key(std::int64_t left, std::int64_t right) {
  return (static_cast<std::uint64_t>(left) << 32) | static_cast<std::uint64_t>(right);
}

// Looks up views without a copy.
struct TextHash {
  using is_transparent = void;
  std::size_t operator()(std::string_view text) const {
    return std::hash<std::string_view>{}(text);
  }
};
using IdOfText = std::unordered_map<std::string, std::int64_t, TextHash, std::equal_to<>>;

}  // namespace

struct BpeTokenizer::Impl {
  explicit Impl(const TokenizerFile& file);

  void encode_segment(std::string_view segment, std::vector<EncodedToken>& out) const;
  void encode_pieces(std::string_view text, std::size_t begin, std::size_t end,
                     std::vector<EncodedToken>& out) const;
  void merge_all(std::vector<EncodedToken>& symbols) const;
  /// The bytes of the tokens among `ids`; calls `unknown` with each of the others.
  template <typename Unknown>
  std::string decode(std::span<const std::int64_t> ids, Unknown unknown) const {
    std::string bytes;
    for (const std::int64_t id : ids) {
      if (const auto found = bytes_of.find(id); found != bytes_of.end()) {
        bytes += found->second;
      } else {
        unknown(id);
      }
    }
    return bytes;
  }
  const Merge* find_merge(std::int64_t left, std::int64_t right) const {
    const auto found = merges.find(pair_key(left, right));
    return found == merges.end() ? nullptr : &found->second;
  }

  bool nfc;
  Pretokenizer pretokenizer;
  AddedTokenFinder added, added_normalized;
  std::unordered_map<std::uint64_t, Merge> merges;
  std::array<std::int64_t, 256> byte_ids;                  // -1 where the vocabulary lacks the byte
  std::unordered_map<std::int64_t, std::string> bytes_of;  // of every id
  std::unordered_map<std::string, std::int64_t> id_of;     // as the file writes the token
  IdOfText whole;  // by its bytes, each token that a piece becomes without a merge
};

BpeTokenizer::Impl::Impl(const TokenizerFile& file)
    : nfc(file.nfc), pretokenizer(file.pretokenizer), id_of(file.vocabulary) {
  for (const auto& [token, id] : file.vocabulary) {
    const std::optional<std::string> bytes = bytes_of_token(token);
    // As the ByteLevel decoder does, what is not in its alphabet stands for itself.
    bytes_of[id] = bytes.value_or(token);
    if (file.ignore_merges && bytes) whole[*bytes] = id;
  }
  for (int byte = 0; byte < 256; ++byte) {
    const auto found = id_of.find(character_of_byte(static_cast<unsigned char>(byte)));
    byte_ids[static_cast<std::size_t>(byte)] = found == id_of.end() ? -1 : found->second;
  }
  for (std::size_t rank = 0; rank < file.merges.size(); ++rank) {
    const auto& [left, right] = file.merges[rank];
    merges[pair_key(id_of.at(left), id_of.at(right))] = {
        static_cast<std::int32_t>(rank), static_cast<std::int32_t>(id_of.at(left + right))};
  }
  for (const AddedToken& token : file.added_tokens) {
    AddedToken looked_for = token;
    if (nfc && token.normalized) looked_for.content = unicode::to_nfc(token.content).text;
    (token.normalized ? added_normalized : added).add(looked_for);
    id_of[token.content] = token.id;
    bytes_of[token.id] = token.content;
  }
}

// Merges, again and again, the leftmost of the adjacent pairs of the lowest rank.
void BpeTokenizer::Impl::merge_all(std::vector<EncodedToken>& symbols) const {
  constexpr std::size_t kNone = std::numeric_limits<std::size_t>::max();
  const std::size_t count = symbols.size();
  std::vector<std::size_t> next(count), previous(count);
  std::vector<bool> gone(count, false);
  for (std::size_t i = 0; i < count; ++i) {
    next[i] = i + 1 < count ? i + 1 : kNone;
    previous[i] = i > 0 ? i - 1 : kNone;
  }
  using Candidate = std::tuple<std::int32_t, std::size_t>;  // rank, left symbol
  std::priority_queue<Candidate, std::vector<Candidate>, std::greater<>> candidates;
  const auto offer = [&](std::size_t left) {
    if (left == kNone || next[left] == kNone) return;
    const Merge* merge = find_merge(symbols[left].id, symbols[next[left]].id);
    if (merge) candidates.emplace(merge->rank, left);
  };
  for (std::size_t i = 0; i < count; ++i) offer(i);
  while (!candidates.empty()) {
    const auto [rank, left] = candidates.top();
    candidates.pop();
    if (gone[left] || next[left] == kNone) continue;
    const std::size_t right = next[left];
    const Merge* merge = find_merge(symbols[left].id, symbols[right].id);
    // The pair that was offered may have been merged away by another.
    if (!merge || merge->rank != rank) continue;
    symbols[left].id = merge->id;
    symbols[left].end = symbols[right].end;
    gone[right] = true;
    next[left] = next[right];
    if (next[left] != kNone) previous[next[left]] = left;
    offer(previous[left]);
    offer(left);
  }
  std::size_t kept = 0;
  for (std::size_t i = 0; i < count; ++i) {
    if (!gone[i]) symbols[kept++] = symbols[i];
  }
  symbols.resize(kept);
}

void BpeTokenizer::Impl::encode_pieces(std::string_view text, std::size_t begin, std::size_t end,
                                       std::vector<EncodedToken>& out) const {
  std::vector<EncodedToken> symbols;
  split(pretokenizer, text.substr(begin, end - begin), [&](std::string_view piece) {
    const auto offset = static_cast<std::size_t>(piece.data() - text.data());
    if (const auto found = whole.find(piece); found != whole.end()) {
      out.push_back({found->second, offset, offset + piece.size()});
      return;
    }
    symbols.clear();
    for (std::size_t i = 0; i < piece.size(); ++i) {
      const std::int64_t id = byte_ids[static_cast<unsigned char>(piece[i])];
      if (id >= 0) symbols.push_back({id, offset + i, offset + i + 1});
    }
    merge_all(symbols);
    out.insert(out.end(), symbols.begin(), symbols.end());
  });
}

// `segment` lies between added tokens that are not normalized. Offsets are within it.
void BpeTokenizer::Impl::encode_segment(std::string_view segment,
                                        std::vector<EncodedToken>& out) const {
  const auto encode = [&](std::string_view text) {
    added_normalized.walk(
        text, [&](const EncodedToken& token) { out.push_back(token); },
        [&](std::size_t begin, std::size_t end) { encode_pieces(text, begin, end, out); });
  };
  if (!nfc) return encode(segment);
  const unicode::Nfc normalized = unicode::to_nfc(segment);
  const std::size_t first = out.size();
  encode(normalized.text);
  if (normalized.begin.empty()) return;
  for (EncodedToken& token : std::span(out).subspan(first)) {
    token.begin = normalized.begin[token.begin];
    token.end = normalized.end[token.end - 1];
  }
}

BpeTokenizer::BpeTokenizer(std::unique_ptr<Impl> impl) : impl_(std::move(impl)) {}
BpeTokenizer::~BpeTokenizer() = default;
BpeTokenizer::BpeTokenizer(BpeTokenizer&&) noexcept = default;
BpeTokenizer& BpeTokenizer::operator=(BpeTokenizer&&) noexcept = default;

BpeTokenizer BpeTokenizer::load(const std::filesystem::path& tokenizer_json) {
  return BpeTokenizer(std::make_unique<Impl>(read_tokenizer_file(tokenizer_json)));
}

std::vector<EncodedToken> BpeTokenizer::encode_with_offsets(std::string_view text) const {
  require_utf8(text);
  std::vector<EncodedToken> tokens;
  impl_->added.walk(
      text, [&](const EncodedToken& token) { tokens.push_back(token); },
      [&](std::size_t begin, std::size_t end) {
        const std::size_t first = tokens.size();
        impl_->encode_segment(text.substr(begin, end - begin), tokens);
        for (EncodedToken& token : std::span(tokens).subspan(first)) {
          token.begin += begin;
          token.end += begin;
        }
      });
  return tokens;
}

std::string BpeTokenizer::decode(std::span<const std::int64_t> ids) const {
  return impl_->decode(ids, [](std::int64_t id) {
    throw TokenizerError("no token has the id " + std::to_string(id));
  });
}

std::string BpeTokenizer::decode_known(std::span<const std::int64_t> ids) const {
  return impl_->decode(ids, [](std::int64_t) {});
}

std::optional<std::int64_t> BpeTokenizer::token_id(std::string_view token) const {
  const auto found = impl_->id_of.find(std::string(token));
  return found == impl_->id_of.end() ? std::nullopt : std::optional(found->second);
}

std::int64_t BpeTokenizer::vocab_size() const {
  std::int64_t size = 0;
  for (const auto& [id, bytes] : impl_->bytes_of) size = std::max(size, id + 1);
  return size;
}

}  // namespace twinrun::trainer
