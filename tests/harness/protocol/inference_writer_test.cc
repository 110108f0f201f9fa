#include <gtest/gtest.h>

#include <bit>
#include <limits>
#include <stdexcept>

#include "harness/protocol/inference.h"

namespace twinrun::protocol {
namespace {

float from_bits(std::uint32_t bits) { return std::bit_cast<float>(bits); }

InferenceHeader some_header() {
  InferenceHeader header;
  header.program = "twinrun-train";
  header.versions = {{"torch", "2.11.0"}, {"cuda", nullptr}};
  header.promise = Promise::kBitwise;
  header.numerics = "deterministic";
  header.arithmetic = "libtorch-float32/2";
  header.platform = {{"device.type", "cpu"}, {"cpu.threads", 2}};
  header.dtype = "float32";
  header.model = {{"files", {{"config.json", "ab"}}}};
  header.tokenizer = nlohmann::json::object();
  header.adapter = "cd";
  header.prompts = 1;
  header.max_new_tokens = 32;
  header.batch_size = 8;
  header.top = 2;
  return header;
}

PromptOutput some_output() {
  PromptOutput output;
  output.id = "greeting/3";
  output.text = "Hi \"you\"\n";
  output.ids = {1, 4093};
  output.tokens = {9906, 2};
  output.completion = "Hello";
  output.finish = Finish::kStop;
  output.logprobs = {from_bits(0xbe0a3d71), -0.5F};
  output.top = {{{9906, from_bits(0xbe0a3d71)}, {812, -2.8F}}, {{2, -0.5F}, {3, -0.5F}}};
  return output;
}

TEST(FormatInferenceHeaderTest, HasTheFieldsInOrder) {
  EXPECT_EQ(format_inference_header(some_header()),
            R"({"schema":1,"format":"twinrun-inference","made_by":{"program":"twinrun-train",)"
            R"("versions":{"cuda":null,"torch":"2.11.0"}},"promise":"bitwise",)"
            R"("numerics":"deterministic","arithmetic":"libtorch-float32/2",)"
            R"("platform":{"cpu.threads":2,"device.type":"cpu"},"dtype":"float32",)"
            R"("model":{"files":{"config.json":"ab"}},"tokenizer":{},"adapter":"cd",)"
            R"("prompts":1,"max_new_tokens":32,"batch_size":8,"top":2,"reference":null})");
}

TEST(FormatInferenceHeaderTest, NamesTheReferenceAndThatNothingIsPromised) {
  auto header = some_header();
  header.promise = Promise::kNone;
  header.reference = "ef";
  const auto line = format_inference_header(header);
  EXPECT_NE(line.find(R"("promise":"none")"), std::string::npos);
  EXPECT_TRUE(line.ends_with(R"("reference":"ef"})"));
}

TEST(FormatInferencePromptTest, HasTheFieldsInOrder) {
  EXPECT_EQ(
      format_inference_prompt(some_output()),
      R"({"prompt":0,"id":"greeting/3","text":"Hi \"you\"\n","ids":[1,4093],"tokens":[9906,2],)"
      R"("completion":"Hello","finish":"stop","logprobs":[{"bits":"be0a3d71","value":-0.135000005},)"
      R"({"bits":"bf000000","value":-0.5}],"top":[[[9906,"be0a3d71"],[812,"c0333333"]],)"
      R"([[2,"bf000000"],[3,"bf000000"]]],"forced":null})");
}

TEST(FormatInferencePromptTest, WithoutTextButWithForcedTokens) {
  PromptOutput output;
  output.prompt = 3;
  output.id = std::int64_t{3};
  output.ids = {5};
  output.tokens = {7};
  output.logprobs = {0.0F};
  output.top = {{{7, 0.0F}}};
  output.forced = ForcedTokens{{-1.0F}, {{6, -0.5F}}, {{-1.0F, -2.0F}}};
  EXPECT_EQ(
      format_inference_prompt(output),
      R"({"prompt":3,"id":3,"text":null,"ids":[5],"tokens":[7],"completion":null,)"
      R"("finish":"length","logprobs":[{"bits":"00000000","value":0}],"top":[[[7,"00000000"]]],)"
      R"("forced":{"logprobs":[{"bits":"bf800000","value":-1}],"best":[[6,"bf000000"]],)"
      R"("top":[["bf800000","c0000000"]]}})");
}

// The reader refuses it; the writer must not turn it into a number.
TEST(FormatInferencePromptTest, KeepsTheBitsOfWhatIsNotFinite) {
  auto output = some_output();
  output.logprobs = {std::numeric_limits<float>::quiet_NaN()};
  EXPECT_NE(format_inference_prompt(output).find(R"({"bits":"7fc00000","value":null})"),
            std::string::npos);
}

TEST(FormatInferencePromptTest, RefusesTextThatIsNotUtf8) {
  auto output = some_output();
  output.completion = "\xff";
  EXPECT_THROW(format_inference_prompt(output), std::invalid_argument);
}

TEST(FormatInferenceTest, EndsWithTheDigestOfAllThatStandsBefore) {
  const auto text = format_inference(some_header(), {some_output()});
  const auto before =
      format_inference_header(some_header()) + "\n" + format_inference_prompt(some_output()) + "\n";
  EXPECT_EQ(text,
            before + R"({"end":true,"prompts":1,"sha256":")" + to_hex(sha256(before)) + "\"}\n");
}

}  // namespace
}  // namespace twinrun::protocol
