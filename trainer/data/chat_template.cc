#include "trainer/data/chat_template.h"

#include <algorithm>

namespace twinrun::trainer {

RenderedSample render_chatml(std::span<const Turn> turns) {
  RenderedSample sample;
  for (const Turn& turn : turns) {
    sample.text += kTurnStart + turn.role + "\n";
    const std::size_t begin = sample.text.size();
    sample.text += turn.content + kTurnEnd;
    if (turn.role == "assistant") sample.labelled.push_back({begin, sample.text.size()});
    sample.text += "\n";
  }
  return sample;
}

std::string render_chatml_prompt(std::span<const Turn> turns) {
  return render_chatml(turns).text + kTurnStart + "assistant\n";
}

RenderedSample render_text(std::string_view prompt, std::string_view response,
                           std::int64_t end_token_id) {
  RenderedSample sample;
  sample.text = std::string(prompt) + std::string(response);
  sample.labelled.push_back({prompt.size(), sample.text.size()});
  sample.end_token_id = end_token_id;
  return sample;
}

TokenizedSample tokenize(const RenderedSample& sample, const Tokenizer& tokenizer) {
  TokenizedSample result;
  for (const EncodedToken& token : tokenizer.encode_with_offsets(sample.text)) {
    result.ids.push_back(token.id);
    result.labelled.push_back(std::ranges::any_of(sample.labelled, [&](const auto& range) {
      return token.begin < range.end && range.begin < token.end;
    }));
  }
  if (sample.end_token_id) {
    result.ids.push_back(*sample.end_token_id);
    result.labelled.push_back(true);
  }
  return result;
}

}  // namespace twinrun::trainer
