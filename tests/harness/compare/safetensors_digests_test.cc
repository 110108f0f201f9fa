#include "harness/compare/safetensors_digests.h"

#include <gtest/gtest.h>

#include <limits>

#include "tests/temp_folder.h"

namespace twinrun::harness {
namespace {

std::string file_text(const std::string& header, const std::string& data) {
  std::string text;
  for (int i = 0; i < 8; ++i) text += static_cast<char>(header.size() >> (8 * i) & 255);
  return text + header + data;
}

std::vector<protocol::NamedDigest> digests_of(const std::string& text) {
  const test::TempFolder folder;
  test::write_file(folder.path() / "file.safetensors", text);
  return safetensors_digests(folder.path() / "file.safetensors");
}

std::string problem_of(const std::string& text) {
  try {
    digests_of(text);
    return "";
  } catch (const std::runtime_error& error) {
    EXPECT_NE(std::string(error.what()).find("file.safetensors"), std::string::npos);
    return error.what();
  }
}

constexpr char kTwo[] =
    R"({"__metadata__":{"format":"pt"},"b":{"dtype":"F32","shape":[2],"data_offsets":[0,8]},)"
    R"("a":{"dtype":"BF16","shape":[1,2],"data_offsets":[8,12]}})";

TEST(SafetensorsDigestsTest, AreThoseOfTheTensors) {
  const std::string data = "abcdefghijkl";
  const auto found = digests_of(file_text(kTwo, data));
  const auto bytes = std::as_bytes(std::span(data));
  const std::int64_t two[] = {2}, one_two[] = {1, 2};
  const std::vector<protocol::NamedDigest> expected = {
      {"b", protocol::tensor_digest("float32", two, bytes.first(8))},
      {"a", protocol::tensor_digest("bfloat16", one_two, bytes.last(4))}};
  EXPECT_EQ(found, expected);
}

TEST(SafetensorsDigestsTest, SaysWhatIsWrongWithAFile) {
  const auto one = [](const std::string& entry, const std::string& data) {
    return problem_of(file_text("{\"t\":" + entry + "}", data));
  };
  EXPECT_EQ(one(R"({"dtype":"U8","shape":[2],"data_offsets":[0,2]})", "ab"), "");
  EXPECT_NE(problem_of("abc").find("8 bytes"), std::string::npos);
  EXPECT_NE(problem_of(file_text("{", "")).find("not JSON"), std::string::npos);
  EXPECT_NE(problem_of(file_text("[]", "")).find("object"), std::string::npos);
  EXPECT_NE(problem_of(std::string(8, '\xff')).find("claims"), std::string::npos);
  EXPECT_NE(problem_of(std::string("\x20\0\0\0\0\0\0\0{}", 10)).find("claims"), std::string::npos);
  EXPECT_NE(one(R"({"dtype":"X8","shape":[2],"data_offsets":[0,2]})", "ab").find("'t'"),
            std::string::npos);
  EXPECT_NE(one(R"({"dtype":"U8","shape":[3],"data_offsets":[0,2]})", "ab").find("match"),
            std::string::npos);
  EXPECT_NE(one(R"({"dtype":"U8","shape":[2],"data_offsets":[1,3]})", "abc").find("hole"),
            std::string::npos);
  EXPECT_NE(one(R"({"dtype":"U8","shape":[2],"data_offsets":[0,2]})", "abc").find("fill"),
            std::string::npos);
  EXPECT_NE(one(R"({"dtype":"U8","shape":[2],"data_offsets":[0,2]})", "a").find("fill"),
            std::string::npos);
  EXPECT_NE(one(R"({"dtype":"U8","shape":[-1],"data_offsets":[0,2]})", "ab"), "");
  EXPECT_NE(one(R"({"dtype":"U8","shape":[2],"data_offsets":[2,0]})", "ab"), "");
  EXPECT_NE(one(R"({"dtype":"F64","shape":[4503599627370496,4096],"data_offsets":[0,0]})", "")
                .find("overflow"),
            std::string::npos);
  EXPECT_NE(problem_of(file_text(R"({"a":{"dtype":"U8","shape":[2],"data_offsets":[0,2]},)"
                                 R"("b":{"dtype":"U8","shape":[2],"data_offsets":[1,3]}})",
                                 "abc"))
                .find("overlap"),
            std::string::npos);
  EXPECT_NE(problem_of(file_text(R"({"a":{"dtype":"U8","shape":[1],"data_offsets":[0,1]},)"
                                 R"("a":{"dtype":"U8","shape":[1],"data_offsets":[1,2]}})",
                                 "ab"))
                .find("twice"),
            std::string::npos);
  EXPECT_THROW(safetensors_digests("/nowhere/x"), std::runtime_error);
}

}  // namespace
}  // namespace twinrun::harness
