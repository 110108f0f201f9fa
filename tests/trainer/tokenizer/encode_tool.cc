// Reads JSON strings, one a line; writes their ids as JSON lists, one a line. For
// tests/parity/tokenizer_parity.py.
//
//   encode_tool TOKENIZER.json < strings.jsonl > ids.jsonl
#include <cstdio>
#include <exception>
#include <iostream>
#include <nlohmann/json.hpp>
#include <string>

#include "trainer/tokenizer/bpe.h"

int main(int argc, char** argv) {
  if (argc != 2) {
    std::fputs("usage: encode_tool TOKENIZER.json < strings.jsonl > ids.jsonl\n", stderr);
    return 2;
  }
  try {
    const auto tokenizer = twinrun::trainer::BpeTokenizer::load(argv[1]);
    std::string line;
    while (std::getline(std::cin, line)) {
      const auto text = nlohmann::json::parse(line).get<std::string>();
      std::cout << nlohmann::json(tokenizer.encode(text)).dump() << '\n';
    }
  } catch (const std::exception& error) {
    std::fprintf(stderr, "encode_tool: %s\n", error.what());
    return 2;
  }
  return std::cout.flush() ? 0 : 2;
}
