#include "harness/report/evidence.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "tests/harness/report/judged_folder.h"

namespace twinrun::harness {
namespace {

using State = RunEvidence::State;
using test::JudgedFolder;
using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;

std::string replaced(std::string text, const std::string& from, const std::string& to) {
  return text.replace(text.find(from), from.size(), to);
}

TEST(ReadEvidence, RecordsOfTheVerdictHold) {
  JudgedFolder out;
  out.write();
  const Evidence evidence = out.evidence();
  ASSERT_EQ(evidence.runs.size(), 3u);
  for (const RunEvidence& run : evidence.runs) EXPECT_EQ(run.state, State::kHolds) << run.problem;
  EXPECT_THAT(evidence.broken(), IsEmpty());
  EXPECT_TRUE(evidence.runs[2].control);
}

TEST(ReadEvidence, AMissingRecordIsNeitherGoodNorBroken) {
  JudgedFolder out;
  out.write();
  std::filesystem::remove_all(out.path("b"));
  const Evidence evidence = out.evidence();
  EXPECT_EQ(evidence.runs[1].state, State::kMissing);
  EXPECT_THAT(evidence.runs[1].problem, HasSubstr("no record lies in 'b'"));
  EXPECT_THAT(evidence.broken(), IsEmpty());
}

TEST(ReadEvidence, AnyOtherRecordInItsPlaceIsBroken) {
  JudgedFolder out;
  out.write();
  test::SyntheticRun other(10, "run-b");
  other.record.steps[4].loss *= 2;
  other.write(out.path("b"));
  EXPECT_THAT(out.evidence().broken(), ElementsAre(HasSubstr("run b: the verdict names the head")));
}

TEST(ReadEvidence, AChangedByteIsBroken) {
  JudgedFolder out;
  out.write();
  test::change_file(out.path("a/steps.jsonl"), [](const std::string& text) {
    return replaced(text, "\"tokens\":512", "\"tokens\":513");
  });
  EXPECT_EQ(out.evidence().runs[0].state, State::kBroken);
}

TEST(ReadEvidence, ACopyOfTheOtherRunIsBroken) {
  JudgedFolder out;
  out.write();
  std::filesystem::remove_all(out.path("b"));
  std::filesystem::copy(out.path("a"), out.path("b"));
  EXPECT_THAT(out.evidence().broken(), ElementsAre(HasSubstr("given for the run run-b")));
}

TEST(ReadEvidence, ARecordThatLostItsManifestIsBroken) {
  JudgedFolder out;
  out.write();
  std::filesystem::remove(out.path("b/manifest.json"));
  EXPECT_THAT(out.evidence().broken(), ElementsAre(HasSubstr("now it is not")));
}

TEST(ReadEvidence, ARunThatWasIncompleteThenIsUnfitNotBroken) {
  JudgedFolder out;
  out.b.manifest["status"] = "failed";
  out.b.manifest["message"] = "no memory";
  EXPECT_EQ(out.write()["verdict"], "INVALID");
  const Evidence evidence = out.evidence();
  EXPECT_EQ(evidence.runs[1].state, State::kUnfit);
  EXPECT_THAT(evidence.runs[1].problem, HasSubstr("no memory"));
  EXPECT_THAT(evidence.broken(), IsEmpty());
}

TEST(ReadEvidence, WhatBenchLeftIsReadWhereItIsOne) {
  JudgedFolder out;
  out.write();
  EXPECT_TRUE(out.evidence().bench.is_null());
  std::filesystem::create_directories(out.path("bench"));
  test::write_file(out.path("bench/bench.json"), "{\"schema\":1,\"verdict\":\"WITHIN_BUDGET\"}");
  EXPECT_EQ(out.evidence().bench["verdict"], "WITHIN_BUDGET");
  EXPECT_EQ(out.evidence().bench_problem, "");
  for (const char* text : {"", "{", "[]", "{\"schema\":2,\"verdict\":\"WITHIN_BUDGET\"}"}) {
    test::write_file(out.path("bench/bench.json"), text);
    EXPECT_TRUE(out.evidence().bench.is_null()) << text;
    EXPECT_NE(out.evidence().bench_problem, "") << text;
  }
}

}  // namespace
}  // namespace twinrun::harness
