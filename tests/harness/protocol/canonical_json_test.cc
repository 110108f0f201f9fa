#include "harness/protocol/canonical_json.h"

#include <gtest/gtest.h>

#include <bit>
#include <cmath>
#include <limits>

namespace twinrun::protocol {
namespace {

using nlohmann::json;

std::string of_bits(std::uint64_t bits) { return canonical_json(std::bit_cast<double>(bits)); }

// RFC 8785, appendix B.
TEST(CanonicalJsonTest, NumbersAsTheRfcLists) {
  EXPECT_EQ(of_bits(0x0000000000000000), "0");
  EXPECT_EQ(of_bits(0x8000000000000000), "0");
  EXPECT_EQ(of_bits(0x0000000000000001), "5e-324");
  EXPECT_EQ(of_bits(0x8000000000000001), "-5e-324");
  EXPECT_EQ(of_bits(0x7fefffffffffffff), "1.7976931348623157e+308");
  EXPECT_EQ(of_bits(0x4340000000000000), "9007199254740992");
  EXPECT_EQ(of_bits(0x4430000000000000), "295147905179352830000");
  EXPECT_EQ(of_bits(0x44b52d02c7e14af5), "9.999999999999997e+22");
  EXPECT_EQ(of_bits(0x44b52d02c7e14af6), "1e+23");
  EXPECT_EQ(of_bits(0x44b52d02c7e14af7), "1.0000000000000001e+23");
  EXPECT_EQ(of_bits(0x444b1ae4d6e2ef4e), "999999999999999700000");
  EXPECT_EQ(of_bits(0x444b1ae4d6e2ef4f), "999999999999999900000");
  EXPECT_EQ(of_bits(0x444b1ae4d6e2ef50), "1e+21");
  EXPECT_EQ(of_bits(0x3eb0c6f7a0b5ed8c), "9.999999999999997e-7");
  EXPECT_EQ(of_bits(0x3eb0c6f7a0b5ed8d), "0.000001");
  EXPECT_EQ(of_bits(0x41b3de4355555553), "333333333.3333332");
  EXPECT_EQ(of_bits(0x41b3de4355555557), "333333333.33333343");
  EXPECT_EQ(of_bits(0xbecbf647612f3696), "-0.0000033333333333333333");
  EXPECT_EQ(of_bits(0x43143ff3c1cb0959), "1424953923781206.2");
}

TEST(CanonicalJsonTest, AFloatWithoutFractionReadsAsAnInteger) {
  EXPECT_EQ(canonical_json(json(1.0)), "1");
  EXPECT_EQ(canonical_json(json(2.0e-4)), "0.0002");
}

TEST(CanonicalJsonTest, KeysAreSortedByUtf16Units) {
  const json object = {{"\u20ac", 1},     {"\r", 2},     {"\ufb33", 3}, {"1", 4},
                       {"\U0001f600", 5}, {"\u0080", 6}, {"\u00f6", 7}};
  EXPECT_EQ(canonical_json(object),
            "{\"\\r\":2,\"1\":4,\"\u0080\":6,\"\u00f6\":7,\"\u20ac\":1,\"\U0001f600\":5,"
            "\"\ufb33\":3}");
}

TEST(CanonicalJsonTest, StringsAreEscapedAsLittleAsPossible) {
  EXPECT_EQ(canonical_json(json("\u20ac$\x0f\nA'B\"\\\"/\x7f")),
            "\"\u20ac$\\u000f\\nA'B\\\"\\\\\\\"/\x7f\"");
  EXPECT_EQ(canonical_json(json("\b\t\n\f\r\x1f")), "\"\\b\\t\\n\\f\\r\\u001f\"");
}

TEST(CanonicalJsonTest, ContainersHaveNoWhiteSpace) {
  EXPECT_EQ(canonical_json(json::parse("{ \"b\" : [ 1, null, true, { } , [ ] ], \"a\":\"\" }")),
            "{\"a\":\"\",\"b\":[1,null,true,{},[]]}");
}

TEST(CanonicalJsonTest, RefusesNumbersThatTheFormCannotHold) {
  EXPECT_THROW(canonical_json(json(std::nan(""))), std::invalid_argument);
  EXPECT_THROW(canonical_json(json(std::numeric_limits<double>::infinity())),
               std::invalid_argument);
  EXPECT_EQ(canonical_json(json(9007199254740991)), "9007199254740991");
  EXPECT_EQ(canonical_json(json(-9007199254740991)), "-9007199254740991");
  EXPECT_THROW(canonical_json(json(9007199254740992)), std::invalid_argument);
  EXPECT_THROW(canonical_json(json(-9007199254740992)), std::invalid_argument);
  EXPECT_THROW(canonical_json(json(std::numeric_limits<std::uint64_t>::max())),
               std::invalid_argument);
}

TEST(CanonicalJsonTest, RefusesStringsThatAreNotUtf8) {
  for (const char* bad : {"\x80", "\xc0\x80", "\xc3", "\xed\xa0\x80", "\xf4\x90\x80\x80", "\xff",
                          "\xe0\x80\x80", "\xf0\x80\x80\x80"}) {
    EXPECT_THROW(canonical_json(json(bad)), std::invalid_argument);
    EXPECT_THROW(canonical_json(json{{bad, 1}}), std::invalid_argument);
  }
}

TEST(CanonicalJsonTest, RefusesBottomlessNesting) {
  json deep = 1;
  for (int i = 0; i < 1000; ++i) deep = json::array({deep});
  EXPECT_THROW(canonical_json(deep), std::invalid_argument);
}

TEST(CanonicalDigestTest, IsTheSha256OfTheForm) {
  EXPECT_EQ(canonical_digest({{"b", 1}, {"a", 2}}), sha256(std::string_view("{\"a\":2,\"b\":1}")));
}

}  // namespace
}  // namespace twinrun::protocol
