#include "harness/protocol/record.h"

#include <gtest/gtest.h>

#include <bit>
#include <cstdio>
#include <limits>

namespace twinrun::protocol {
namespace {

Digest filled(std::uint8_t value) {
  Digest digest;
  digest.fill(value);
  return digest;
}

std::string repeated(const std::string& two) {
  std::string text;
  for (int i = 0; i < 32; ++i) text += two;
  return text;
}

StepRecord some_step() {
  StepRecord step;
  step.step = 1;
  step.loss = std::bit_cast<float>(0x40a8a3eau);
  step.grad_norm = 0.5f;
  step.lr = 2.0e-4;
  step.tokens = 512;
  step.loss_tokens = 301;
  step.samples = {std::int64_t{7}, std::string("a\"\u00e4\n")};
  step.batch = filled(1);
  step.grad = filled(2);
  step.adapter = filled(3);
  step.optimizer = filled(4);
  step.rng = filled(0xab);
  return step;
}

TEST(FormatHeaderTest, HasTheFieldsInOrder) {
  EXPECT_EQ(format_header({1, repeated("0f"), "libtorch-float32/1", Promise::kBitwise, 10}),
            "{\"schema\":1,\"identity\":\"" + repeated("0f") +
                "\",\"arithmetic\":\"libtorch-float32/1\",\"promise\":\"bitwise\",\"steps\":10}");
  EXPECT_NE(format_header({1, "", "a", Promise::kNone, 1}).find("\"promise\":\"none\""),
            std::string::npos);
}

TEST(FormatStepZeroTest, HasTheFieldsInOrderAndIsOpen) {
  EXPECT_EQ(format_step_zero({filled(1), filled(2), filled(3), filled(4)}),
            "{\"step\":0,\"adapter\":\"" + repeated("01") + "\",\"optimizer\":\"" + repeated("02") +
                "\",\"rng\":\"" + repeated("03") + "\",\"base\":\"" + repeated("04") + "\"");
}

TEST(FormatStepTest, HasTheFieldsInOrderAndIsOpen) {
  EXPECT_EQ(format_step(some_step()),
            "{\"step\":1,\"loss\":{\"bits\":\"40a8a3ea\",\"value\":5.27000904},"
            "\"grad_norm\":{\"bits\":\"3f000000\",\"value\":0.5},"
            "\"lr\":{\"bits\":\"3f2a36e2eb1c432d\",\"value\":0.00020000000000000001},"
            "\"tokens\":512,\"loss_tokens\":301,\"samples\":[7,\"a\\\"\u00e4\\n\"],\"batch\":\"" +
                repeated("01") + "\",\"grad\":\"" + repeated("02") + "\",\"adapter\":\"" +
                repeated("03") + "\",\"optimizer\":\"" + repeated("04") + "\",\"rng\":\"" +
                repeated("ab") + "\"");
}

TEST(FormatStepTest, NonFiniteIsNullAndKeepsItsBits) {
  StepRecord step = some_step();
  step.loss = std::bit_cast<float>(0xffc00001u);
  step.grad_norm = std::numeric_limits<float>::infinity();
  step.lr = -std::numeric_limits<double>::infinity();
  const std::string line = format_step(step);
  EXPECT_NE(line.find("\"loss\":{\"bits\":\"ffc00001\",\"value\":null}"), std::string::npos);
  EXPECT_NE(line.find("\"grad_norm\":{\"bits\":\"7f800000\",\"value\":null}"), std::string::npos);
  EXPECT_NE(line.find("\"lr\":{\"bits\":\"fff0000000000000\",\"value\":null}"), std::string::npos);
}

TEST(FormatStepTest, ZerosDifferInTheirBits) {
  StepRecord step = some_step();
  step.loss = -0.0f;
  EXPECT_NE(format_step(step).find("\"loss\":{\"bits\":\"80000000\",\"value\":-0}"),
            std::string::npos);
}

TEST(FormatStepTest, SmallAndLargeValuesReadAsPrintfWritesThem) {
  for (const float value : {1e-45f, 1.17549435e-38f, 9.99999975e-05f, 123456792.0f, 3.40282347e38f,
                            0.1f, 1e9f, 1e10f, -2.5f}) {
    StepRecord step = some_step();
    step.loss = value;
    char text[64];
    std::snprintf(text, sizeof text, "\"value\":%.9g}", static_cast<double>(value));
    EXPECT_NE(format_step(step).find(text), std::string::npos) << text;
  }
}

TEST(FormatStepTest, ASampleIdThatIsNotUtf8IsRefused) {
  StepRecord step = some_step();
  step.samples = {std::string("\xff")};
  EXPECT_THROW(format_step(step), std::invalid_argument);
}

TEST(FormatEndTest, HasTheFieldsInOrderAndIsOpen) {
  EXPECT_EQ(format_end({10, filled(4)}),
            "{\"end\":true,\"steps\":10,\"base\":\"" + repeated("04") + "\"");
}

TEST(ChainTest, IsTheHashOfTheRawValueBeforeAndTheLine) {
  const Digest previous = filled(9);
  EXPECT_EQ(chain_next(previous, "{\"step\":0"), sha256(std::string(32, '\x09') + "{\"step\":0"));
  EXPECT_EQ(with_chain("{\"step\":0", filled(0xab)),
            "{\"step\":0,\"chain\":\"" + repeated("ab") + "\"}");
}

}  // namespace
}  // namespace twinrun::protocol
