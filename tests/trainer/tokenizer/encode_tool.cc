// Reads JSON strings, one a line; writes one JSON value a line for each. For
// tests/parity/tokenizer_parity.py.
//
//   encode_tool ids FOLDER < strings.jsonl      [[id, ...], [begin, end, ...]] of load_tokenizer
//   encode_tool pieces FOLDER < strings.jsonl   the pieces of its tokenizer.json's pre-tokenizer
//   encode_tool nfc < strings.jsonl             the string in normalization form C
#include <cstdio>
#include <exception>
#include <functional>
#include <iostream>
#include <memory>
#include <nlohmann/json.hpp>
#include <stdexcept>
#include <string>

#include "trainer/tokenizer/tokenizer.h"
#include "trainer/tokenizer/tokenizer_file.h"
#include "trainer/tokenizer/unicode.h"

namespace {

using namespace twinrun::trainer;
using nlohmann::json;

json encode(const Tokenizer& tokenizer, const std::string& text) {
  json ids = json::array(), offsets = json::array();
  for (const EncodedToken& token : tokenizer.encode_with_offsets(text)) {
    ids.push_back(token.id);
    offsets.push_back(token.begin);
    offsets.push_back(token.end);
  }
  return {ids, offsets};
}

json pieces_of(Pretokenizer pretokenizer, const std::string& text) {
  json pieces = json::array();
  split(pretokenizer, text, [&](std::string_view piece) { pieces.push_back(piece); });
  return pieces;
}

std::function<json(const std::string&)> answer_of(const std::string& what,
                                                  const std::string& folder) {
  if (what == "nfc")
    return [](const std::string& text) { return json(unicode::to_nfc(text).text); };
  if (what == "pieces") {
    return [how = read_tokenizer_file(folder + "/tokenizer.json").pretokenizer](
               const std::string& text) { return pieces_of(how, text); };
  }
  if (what != "ids") throw std::runtime_error("ids, pieces or nfc, not " + what);
  return [tokenizer = std::shared_ptr<const Tokenizer>(load_tokenizer(folder))](
             const std::string& text) { return encode(*tokenizer, text); };
}

}  // namespace

int main(int argc, char** argv) {
  if (argc != 2 && argc != 3) {
    std::fputs("usage: encode_tool ids|pieces|nfc [FOLDER] < strings.jsonl\n", stderr);
    return 2;
  }
  try {
    const auto answer = answer_of(argv[1], argc == 3 ? argv[2] : "");
    std::string line;
    while (std::getline(std::cin, line)) {
      std::cout << answer(json::parse(line).get<std::string>()).dump() << '\n';
    }
  } catch (const std::exception& error) {
    std::fprintf(stderr, "encode_tool: %s\n", error.what());
    return 2;
  }
  return std::cout.flush() ? 0 : 2;
}
