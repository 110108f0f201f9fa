#pragma once

#include <set>
#include <string>
#include <string_view>

namespace twinrun::trainer {

/// What of a SentencePiece model file decides how text becomes pieces and cannot be asked of the
/// library. Names and defaults are those of sentencepiece_model.proto.
struct SentencePieceSpec {
  int model_type = 1;  ///< 1 unigram, 2 bpe, 3 word, 4 char
  bool treat_whitespace_as_suffix = false;
  bool byte_fallback = false;
  std::string precompiled_charsmap;
  bool add_dummy_prefix = true;
  bool remove_extra_whitespaces = true;
  bool escape_whitespaces = true;
  std::set<std::string> user_defined;  ///< pieces of type USER_DEFINED
};

/// Reads the fields from the bytes of a model (protocol buffers: tag, then value). Throws
/// TokenizerError, `file` in its message, where they are cut short or not that.
SentencePieceSpec read_sentencepiece_spec(const std::string& file, std::string_view bytes);

/// The model in `bytes`, but it puts no space before the text. Its self-test data, what the library
/// encodes when it loads a model, are left out: they were made with that space. Throws as above.
std::string without_prefix(const std::string& file, std::string_view bytes);

/// Throws TokenizerError (file, field) for what is not built: everything but BPE of text as it is,
/// with a space put before it, spaces kept and bytes for what is unknown, as in Llama 2 and Mistral
/// 7B.
void require_built(const std::string& file, const SentencePieceSpec& spec);

}  // namespace twinrun::trainer
