#include "trainer/tokenizer/bpe.h"

#include <algorithm>
#include <array>
#include <limits>
#include <queue>
#include <tuple>
#include <unordered_map>
#include <utility>

#include "trainer/tokenizer/byte_level.h"
#include "trainer/tokenizer/pretokenizer.h"
#include "trainer/tokenizer/tokenizer_file.h"

namespace twinrun::trainer {
namespace {

struct Merge {
  std::int32_t rank, id;
};

std::uint64_t pair_key(std::int64_t left, std::int64_t right) {
  return (static_cast<std::uint64_t>(left) << 32) | static_cast<std::uint64_t>(right);
}

// Added tokens, found leftmost first and longest first.
class AddedTokenFinder {
 public:
  void add(const AddedToken& token) {
    std::vector<AddedToken>& tokens = by_first_byte_[static_cast<unsigned char>(token.content[0])];
    tokens.push_back(token);
    std::ranges::sort(tokens, std::greater{}, [](const AddedToken& t) { return t.content.size(); });
  }

  // The token that begins at `position`, or nullptr.
  const AddedToken* at(std::string_view text, std::size_t position) const {
    for (const AddedToken& token : by_first_byte_[static_cast<unsigned char>(text[position])]) {
      if (text.substr(position).starts_with(token.content)) return &token;
    }
    return nullptr;
  }

  // Calls `on_token` for the tokens in text[begin, end) and `on_text` for what lies between them.
  template <typename OnToken, typename OnText>
  void walk(std::string_view text, std::size_t begin, std::size_t end, OnToken on_token,
            OnText on_text) const {
    const std::string_view head = text.substr(0, end);
    std::size_t pending = begin;
    for (std::size_t position = begin; position < end;) {
      const AddedToken* token = at(head, position);
      if (!token) {
        ++position;
        continue;
      }
      if (pending < position) on_text(pending, position);
      on_token(EncodedToken{token->id, position, position + token->content.size()});
      position = pending = position + token->content.size();
    }
    if (pending < end) on_text(pending, end);
  }

 private:
  std::array<std::vector<AddedToken>, 256> by_first_byte_;
};

}  // namespace

struct BpeTokenizer::Impl {
  explicit Impl(const TokenizerFile& file);

  void encode_piece(std::string_view text, std::size_t begin, std::size_t end,
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

  Pretokenizer pretokenizer;
  AddedTokenFinder added, added_normalized;
  std::unordered_map<std::uint64_t, Merge> merges;
  std::array<std::int64_t, 256> byte_ids;                  // -1 where the vocabulary lacks the byte
  std::unordered_map<std::int64_t, std::string> bytes_of;  // of every id
  std::unordered_map<std::string, std::int64_t> id_of;     // as the file writes the token
};

BpeTokenizer::Impl::Impl(const TokenizerFile& file)
    : pretokenizer(file.digits_alone), id_of(file.vocabulary) {
  for (const auto& [token, id] : file.vocabulary) {
    // As the ByteLevel decoder does, what is not in its alphabet stands for itself.
    bytes_of[id] = bytes_of_token(token).value_or(token);
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
    (token.normalized ? added_normalized : added).add(token);
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

void BpeTokenizer::Impl::encode_piece(std::string_view text, std::size_t begin, std::size_t end,
                                      std::vector<EncodedToken>& out) const {
  pretokenizer.split(text.substr(begin, end - begin), [&](std::string_view piece) {
    std::vector<EncodedToken> symbols;
    const auto offset = static_cast<std::size_t>(piece.data() - text.data());
    for (std::size_t i = 0; i < piece.size(); ++i) {
      const std::int64_t id = byte_ids[static_cast<unsigned char>(piece[i])];
      if (id >= 0) symbols.push_back({id, offset + i, offset + i + 1});
    }
    merge_all(symbols);
    out.insert(out.end(), symbols.begin(), symbols.end());
  });
}

BpeTokenizer::BpeTokenizer(std::unique_ptr<Impl> impl) : impl_(std::move(impl)) {}
BpeTokenizer::~BpeTokenizer() = default;
BpeTokenizer::BpeTokenizer(BpeTokenizer&&) noexcept = default;
BpeTokenizer& BpeTokenizer::operator=(BpeTokenizer&&) noexcept = default;

BpeTokenizer BpeTokenizer::load(const std::filesystem::path& tokenizer_json) {
  return BpeTokenizer(std::make_unique<Impl>(read_tokenizer_file(tokenizer_json)));
}

std::vector<EncodedToken> BpeTokenizer::encode_with_offsets(std::string_view text) const {
  impl_->pretokenizer.require_utf8(text);
  std::vector<EncodedToken> tokens;
  const auto keep = [&](const EncodedToken& token) { tokens.push_back(token); };
  impl_->added.walk(text, 0, text.size(), keep, [&](std::size_t begin, std::size_t end) {
    impl_->added_normalized.walk(text, begin, end, keep, [&](std::size_t from, std::size_t to) {
      impl_->encode_piece(text, from, to, tokens);
    });
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
