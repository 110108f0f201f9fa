// samples_tool MODEL_DIR TEMPLATE DATA.jsonl [prompts]
//
// Writes what training takes from the lines of DATA.jsonl, or asks in answer to them, a JSON object
// each: {"ids":[...],"labels":[...]} or {"ids":[...],"text":"..."}. For
// tests/parity/templates_parity.py.
#include <cstdio>
#include <exception>
#include <iostream>
#include <nlohmann/json.hpp>
#include <string>

#include "trainer/data/dataset.h"
#include "trainer/data/prompts.h"
#include "trainer/model/model_config.h"

int main(int argc, char** argv) {
  using namespace twinrun::trainer;
  if (argc < 4) {
    std::fputs("usage: samples_tool MODEL_DIR TEMPLATE DATA.jsonl [prompts]\n", stderr);
    return 2;
  }
  try {
    const std::filesystem::path folder = argv[1];
    const auto model = read_model_config(folder / "config.json");
    const auto tokenizer = load_tokenizer(folder);
    const TemplateOptions rendering{argv[2], model.eos_token_id, folder};
    if (argc > 4) {
      for (const auto& prompt :
           load_prompts({argv[3], rendering, model.vocab_size}, tokenizer.get())) {
        std::cout << nlohmann::json{{"ids", prompt.ids}, {"text", *prompt.text}}.dump() << '\n';
      }
      return std::cout.flush() ? 0 : 2;
    }
    const DataOptions options{argv[3], rendering, 1 << 20, "response"};
    for (const auto& sample : load_jsonl(options, *tokenizer).samples) {
      std::cout << nlohmann::json{{"ids", sample.input_ids}, {"labels", sample.labels}}.dump()
                << '\n';
    }
  } catch (const std::exception& error) {
    std::fprintf(stderr, "samples_tool: %s\n", error.what());
    return 2;
  }
  return std::cout.flush() ? 0 : 2;
}
