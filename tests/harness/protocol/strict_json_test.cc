#include "harness/protocol/strict_json.h"

#include <gtest/gtest.h>

namespace twinrun::protocol {
namespace {

std::string problem_of(std::string_view text) {
  std::string problem;
  return parse_strict_json(text, problem) ? "" : problem;
}

TEST(StrictJsonTest, GivesTheValue) {
  std::string problem;
  EXPECT_EQ(parse_strict_json("{\"a\":[1,{\"a\":2}]}", problem),
            nlohmann::json({{"a", {1, {{"a", 2}}}}}));
}

TEST(StrictJsonTest, NamesAKeyThatOccursTwice) {
  EXPECT_EQ(problem_of("{\"a\":{\"b\":1,\"b\":1}}"), "key 'b' occurs twice");
  EXPECT_EQ(problem_of("[{\"a\":1},{\"a\":1}]"), "");
}

TEST(StrictJsonTest, RefusesWhatIsNoJson) {
  for (const char* bad : {"", "{", "{\"a\":1}x", "{'a':1}", "NaN", "1e999", "\"\xff\"", "[1,]"}) {
    EXPECT_NE(problem_of(bad), "") << bad;
  }
}

TEST(StrictJsonTest, RefusesBottomlessNesting) {
  EXPECT_EQ(problem_of(std::string(1000000, '[')), "nested too deeply");
}

}  // namespace
}  // namespace twinrun::protocol
