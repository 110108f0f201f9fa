#include <gmock/gmock.h>

#include "harness/protocol/sha256.h"
#include "tests/harness/config/case_fixture.h"

namespace twinrun::harness {
namespace {

using nlohmann::json;
using ::testing::AllOf;
using ::testing::HasSubstr;
using ::testing::StartsWith;

class EvaluationSection : public CaseFixture {
 protected:
  EvaluationSection() { write("heldout.jsonl", kRows); }
  static std::string with(const std::string& evaluation) {
    return valid() + "evaluation: " + evaluation + "\n";
  }
  static constexpr const char* kRows = "{\"prompt\":\"a\",\"response\":\"b\"}\n";
};

TEST_F(EvaluationSection, PathGoesToLaunchAndDigestToJudgement) {
  const auto config = resolve(with("{path: heldout.jsonl}"), {"train.eval_every=5"}).config;
  EXPECT_EQ(config.launch.at("eval_every"), 5);
  EXPECT_EQ(config.launch.at("evaluation"), json({{"path", (folder_ / "heldout.jsonl").string()},
                                                  {"max_new_tokens", 32},
                                                  {"batch_size", 8},
                                                  {"max_length", 128}}));
  EXPECT_EQ(config.judgement.at("evaluation"),
            json({{"sha256", protocol::to_hex(protocol::sha256(kRows))},
                  {"every", 5},
                  {"max_new_tokens", 32},
                  {"batch_size", 8},
                  {"max_length", 128}}));
}

TEST_F(EvaluationSection, IsNoPartOfTheIdentity) {
  const auto before = resolve(valid()).config;
  const auto with_all =
      resolve(with("{path: heldout.jsonl, max_new_tokens: 0, batch_size: 3, max_length: 99}"))
          .config;
  EXPECT_EQ(with_all.identity_digest(), before.identity_digest());
  EXPECT_EQ(with_all.launch.at("evaluation").at("max_length"), 99);
  EXPECT_FALSE(before.launch.contains("evaluation"));
  EXPECT_FALSE(before.judgement.contains("evaluation"));
}

TEST_F(EvaluationSection, EveryNeedsAFile) {
  EXPECT_THAT(error_of(valid(), {"train.eval_every=5"}),
              AllOf(StartsWith("--set train.eval_every=5: train.eval_every: "),
                    HasSubstr("no `evaluation:`")));
  EXPECT_EQ(error_of(valid(), {"train.eval_every=0"}), "no error");
}

TEST_F(EvaluationSection, WhatIsWrongIsNamed) {
  write("empty.jsonl", " \n\n");
  const std::pair<const char*, const char*> cases[] = {
      {"{max_new_tokens: 5}", "the key 'path' is missing"},
      {"{path: none.jsonl}", "no such file"},
      {"{path: empty.jsonl}", "has no rows"},
      {"{path: model}", "not a regular file"},
      {"{path: heldout.jsonl, max_new_tokens: -1}", "evaluation.max_new_tokens"},
      {"{path: heldout.jsonl, max_new_tokens: 1000001}", "evaluation.max_new_tokens"},
      {"{path: heldout.jsonl, batch_size: 0}", "evaluation.batch_size"},
      {"{path: heldout.jsonl, max_length: 1}", "evaluation.max_length"},
      {"{path: heldout.jsonl, batchsize: 3}", "did you mean 'batch_size'?"}};
  for (const auto& [section, says] : cases) {
    EXPECT_THAT(error_of(with(section)), AllOf(StartsWith("case.yaml:12:"), HasSubstr(says)))
        << section;
  }
}

// Of 200 rows in 50 clusters no more can be shown than of 50 rows.
TEST_F(EvaluationSection, AMarginIsHeldAgainstTheClustersOfTheRows) {
  std::string rows;
  for (int i = 0; i < 200; ++i) {
    rows += R"({"prompt":"a","response":"b","cluster":"t)" + std::to_string(i / 4) + "\"}\n";
  }
  write("clusters.jsonl", rows);
  const auto error = [&](const std::string& margin) {
    return error_of(valid() + "evaluation: {path: clusters.jsonl}\n" +
                        "statistics: {equivalence: {margins: {token_f1_points: " + margin + "}}}\n",
                    {"numerics=fast"});
  };
  EXPECT_THAT(error("5"), HasSubstr("200 held-out rows in 50 clusters, all of them alike, show "
                                    "5.13"));
  EXPECT_THAT(error("5"), HasSubstr("; it takes 52 clusters like these"));
  EXPECT_EQ(error("5.2"), "no error");
  write("clusters.jsonl", rows + "{\"prompt\":\"a\"}\n[]\nno JSON\n");  // a row each
  EXPECT_THAT(error("1"), HasSubstr("203 held-out rows in 53 clusters"));
}

TEST_F(EvaluationSection, SyntheticDataHaveNoText) {
  const std::string synthetic =
      valid_with("{path: data.jsonl, template: chatml, max_length: 128}",
                 "{synthetic: {samples: 9, length: 8, vocab_size: 7, seed: 1}}");
  EXPECT_THAT(error_of(synthetic + "evaluation: {path: heldout.jsonl}\n"), HasSubstr("needs text"));
}

// It may have data of its own, but what length it allows nobody knows.
TEST_F(EvaluationSection, AForeignTrainerMayHaveOne) {
  const std::string foreign =
      "schema: 1\nname: other\ntrain: {steps: 3}\nseed: 42\nnumerics: fast\n"
      "trainer: {command: [/bin/true]}\n";
  const std::string path = "evaluation: {path: heldout.jsonl";
  EXPECT_THAT(error_of(foreign + path + "}\n"), HasSubstr("the key 'max_length' is missing"));
  const auto config = resolve(foreign + path + ", max_length: 64}\n").config;
  EXPECT_EQ(config.judgement.at("evaluation").at("max_length"), 64);
}

}  // namespace
}  // namespace twinrun::harness
