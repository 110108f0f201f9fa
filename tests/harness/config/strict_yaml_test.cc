#include <gmock/gmock.h>

#include "tests/harness/config/case_fixture.h"

namespace twinrun::harness {
namespace {

using ::testing::AllOf;
using ::testing::HasSubstr;
using ::testing::StartsWith;

class StrictYaml : public CaseFixture {
 protected:
  /// valid() with `from` replaced is refused at `place` with `what`.
  void expect_refused(const std::string& from, const std::string& to, const std::string& place,
                      const std::string& what) const {
    EXPECT_THAT(error_of(valid_with(from, to)),
                AllOf(StartsWith("case.yaml:" + place + ": "), HasSubstr(what)))
        << to;
  }
};

TEST_F(StrictYaml, UnknownKeyGetsTheNearestKnownOne) {
  expect_refused("rank: 8", "rnak: 8", "5:8", "unknown key 'lora.rnak'; did you mean 'rank'?");
  expect_refused("seed: 42", "seeed: 42", "10:1", "did you mean 'seed'?");
  expect_refused("rank: 8", "rank: 8, zzz: 1", "5:17",
                 "known here: rank, alpha, dropout, target_modules");
}

TEST_F(StrictYaml, DuplicateKeyIsRefusedWithBothPlaces) {
  expect_refused("seed: 42\n", "seed: 42\nseed: 43\n", "11:1", "duplicate key 'seed'");
  expect_refused("rank: 8", "rank: 8, rank: 8", "5:17", "first given at");
}

TEST_F(StrictYaml, IntegersAreDecimalAndPlain) {
  expect_refused("seed: 42", "seed: 017", "10:7", "octal");
  expect_refused("seed: 42", "seed: 0x2a", "10:7", "decimal");
  expect_refused("seed: 42", "seed: 0o52", "10:7", "decimal");
  expect_refused("seed: 42", "seed: 1_000", "10:7", "underscores");
  expect_refused("seed: 42", "seed: +42", "10:7", "drop the '+'");
  expect_refused("seed: 42", "seed: 42.0", "10:7", "expected an integer");
  expect_refused("seed: 42", "seed: 1e3", "10:7", "expected an integer");
  expect_refused("seed: 42", "seed: \"42\"", "10:7", "without quotes");
  expect_refused("seed: 42", "seed: yes", "10:7", "expected an integer");
  expect_refused("seed: 42", "seed: -1", "10:7", "out of range");
  expect_refused("seed: 42", "seed: 9007199254740992", "10:7", "out of range");
  expect_refused("seed: 42", "seed: 99999999999999999999", "10:7", "out of range");
  expect_refused("seed: 42", "seed: " + std::string(100000, '9'), "10:7", "expected an integer");
  expect_refused("seed: 42", "seed:", "10:1", "found nothing");
  expect_refused("seed: 42", "seed: [42]", "10:7", "found a list");
  expect_refused("seed: 42", "seed: {a: 42}", "10:7", "found a mapping");
  EXPECT_EQ(error_of(valid_with("seed: 42", "seed: 9007199254740991")), "no error");
  EXPECT_EQ(error_of(valid_with("seed: 42", "seed: 0")), "no error");
}

TEST_F(StrictYaml, NumbersAreFiniteAndInRange) {
  expect_refused("2.0e-4", ".nan", "9:19", "finite");
  expect_refused("2.0e-4", "-.inf", "9:19", "finite");
  expect_refused("2.0e-4", "1e999", "9:19", "does not fit into a double");
  expect_refused("2.0e-4", "1e-999", "9:19", "does not fit into a double");
  expect_refused("2.0e-4", "-1", "9:19", "out of range: at least 0");
  expect_refused("2.0e-4", "02.5", "9:19", "leading zero");
  expect_refused("2.0e-4", "1,5", "9:21", "unknown key");
  expect_refused("alpha: 16", "alpha: 0", "5:24", "above 0");
  expect_refused("alpha: 16", "alpha: 16, dropout: 1", "5:37", "below 1");
  for (const char* number : {"1", ".5", "5.", "1E-3", "0.1e+2", "-0.0"}) {
    EXPECT_EQ(error_of(valid_with("2.0e-4", number)), "no error") << number;
  }
}

TEST_F(StrictYaml, BooleansAreTrueAndFalse) {
  for (const char* word : {"yes", "no", "on", "off", "True", "1", "\"true\"", "~"}) {
    EXPECT_THAT(error_of(valid() + "verify: {controls: " + word + "}\n"),
                AllOf(StartsWith("case.yaml:12:"), HasSubstr("expected true or false")))
        << word;
  }
}

TEST_F(StrictYaml, TextThatReadsAsSomethingElseWantsQuotes) {
  for (const char* word : {"12", "1.5", "017", "1_000", "true", "no", "Off", ".inf"}) {
    expect_refused("name: small", std::string("name: ") + word, "2:7", "put it in quotes");
    EXPECT_EQ(resolve(valid_with("name: small", "name: '" + std::string(word) + "'")).name, word);
  }
  expect_refused("name: small", "name: ''", "2:7", "not empty");
}

TEST_F(StrictYaml, AnchorsAliasesAndTagsAreRefused) {
  expect_refused("rank: 8", "rank: &r 8", "5:14", "anchors");
  expect_refused("seed: 42", "seed: &s 42\nthreads: *s", "10:7", "anchors");
  expect_refused("seed: 42", "seed: *s", "10:7", "anchor is not defined");
  expect_refused("{rank: 8", "&l {rank: 8", "5:7", "anchors");
  expect_refused("all-linear", "&m [q_proj]", "5:44", "anchors");
  expect_refused("seed: 42", "seed: &s", "10:7", "anchors");
  expect_refused("seed: 42", "seed: !!int 42", "10:7", "tag");
  expect_refused("{rank: 8", "!lora {rank: 8", "5:7", "tag");
}

TEST_F(StrictYaml, AliasCycleIsRefused) {
  expect_refused("lora: {rank: 8", "lora: &l {rank: *l", "5:7", "anchors");
}

TEST_F(StrictYaml, OneDocumentWithAMappingIsWanted) {
  EXPECT_THAT(error_of(""), HasSubstr("is empty"));
  EXPECT_THAT(error_of("# nothing\n"), HasSubstr("is empty"));
  EXPECT_THAT(error_of("just text\n"), HasSubstr("expected a mapping"));
  EXPECT_THAT(error_of("[1, 2]\n"), HasSubstr("expected a mapping"));
  EXPECT_THAT(error_of(valid() + "---\n" + valid()), HasSubstr("a second document"));
  EXPECT_EQ(error_of("---\n" + valid() + "...\n"), "no error");
}

TEST_F(StrictYaml, BrokenYamlIsRefusedWithItsPlace) {
  expect_refused("{rank: 8", "{rank: [8", "5:55", "not YAML");
  EXPECT_THAT(error_of(valid() + "\tx: 1\n"), StartsWith("case.yaml:1"));
  EXPECT_THAT(error_of(valid() + "? [a]\n: 1\n"), HasSubstr("a key has to be a word"));
}

TEST_F(StrictYaml, WhatIsNoTextIsRefused) {
  EXPECT_THAT(error_of(valid() + std::string(1, '\0')), HasSubstr("NUL"));
  EXPECT_THAT(error_of(valid() + "# \xff\n"), HasSubstr("UTF-8"));
  EXPECT_THAT(error_of(valid() + "#" + std::string(300000, 'x')), HasSubstr("256 KiB"));
  expect_refused("name: small", "name: \"a\\0b\"", "2:7", "NUL");
}

TEST_F(StrictYaml, DeepNestingIsRefusedQuickly) {
  for (const char* open : {"[", "{a: ", "- ", "? ", "[{a: "}) {
    std::string deep = "name: ";
    if (open[1] == ' ') deep = "";
    for (int i = 0; i < 20000; ++i) deep += open;
    EXPECT_NE(error_of(deep), "no error") << open;
  }
  EXPECT_THAT(error_of("a: " + std::string(20, '[') + std::string(20, ']')),
              HasSubstr("nested deeper than 16"));
}

TEST_F(StrictYaml, ErrorsCarryNoTerminalControls) {
  const std::string message =
      error_of(valid_with("numerics: deterministic", "numerics: \"\\e[31m\""));
  EXPECT_EQ(message.find('\x1b'), std::string::npos);
  EXPECT_THAT(message, HasSubstr("\\x1b[31m"));
}

}  // namespace
}  // namespace twinrun::harness
