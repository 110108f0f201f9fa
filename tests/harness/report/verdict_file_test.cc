#include "harness/report/verdict_file.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/stat.h>

#include <functional>

#include "harness/exit_code.h"
#include "tests/harness/report/evaluated_report.h"
#include "tests/harness/report/judged_folder.h"
#include "tests/harness/report/noisy_folder.h"

namespace twinrun::harness {
namespace {

using nlohmann::json;
using test::JudgedFolder;
using testing::HasSubstr;

std::string usage_error(const std::filesystem::path& path) {
  return test::message_of<UsageError>([&] { read_verdict(path); });
}

std::string usage_error_of(const std::string& text) {
  return test::message_of<UsageError>([&] { parse_verdict("v.json", text); });
}

/// What is said of the sample verdict once `change` has altered it.
std::string evidence_error(const std::function<void(json&)>& change) {
  json value = to_json(reproduced_report());
  change(value);
  return test::message_of<EvidenceError>([&] { parse_verdict("v.json", value.dump()); });
}

TEST(ReadVerdict, TakesWhatTheJudgeWrites) {
  JudgedFolder out;
  EXPECT_EQ(out.write()["verdict"], "REPRODUCED");
  EXPECT_EQ(out.verdict().verdict, Verdict::kReproduced);
  EXPECT_EQ(out.verdict().sha256.size(), 64u);
  for (const VerdictReport& report : {reproduced_report(), diverged_report(), drifted_report()}) {
    EXPECT_EQ(parse_verdict("v.json", to_json(report).dump()).verdict, report.verdict);
  }
}

TEST(ReadVerdict, StatisticsAreOfTheSchemaAndComplete) {
  test::NoisyFolder out;
  const json good = out.write();
  EXPECT_EQ(out.verdict().verdict, Verdict::kReproduced);
  for (const char* object : {"", "/candidates/0", "/equivalences/0", "/windows/0", "/settings",
                             "/settings/equivalence"}) {
    const json::json_pointer place(std::string("/statistics") + object);
    for (const auto& item : good.at(place).items()) {
      json bad = good;
      bad.at(place).erase(item.key());
      EXPECT_THAT(usage_error_of(bad.dump()), HasSubstr("is no verdict")) << place << item.key();
      bad.at(place)[item.key()] = true;
      EXPECT_THAT(usage_error_of(bad.dump()), HasSubstr("is no verdict")) << place << item.key();
    }
  }
}

TEST(ReadVerdict, GreenStatisticsThatTheirNumbersDenyContradictThemselves) {
  test::NoisyFolder out;
  const json good = out.write();
  const std::vector<std::pair<std::string, json>> changes = {
      {"/candidates/1/p", 0.1},
      {"/candidates", json::array()},
      {"/settings/alpha", 0.99},
      {"/equivalences", json::array()},
      {"/equivalences/0/outcome", "undecided"},
      {"/equivalences/0/high", 0.001},
      {"/equivalences/0/low", -0.002},
      {"/equivalences/0/low", nullptr}};
  for (const auto& [pointer, to] : changes) {
    json bad = good;
    bad["statistics"][json::json_pointer(pointer)] = to;
    EXPECT_THAT(test::message_of<EvidenceError>([&] { parse_verdict("v.json", bad.dump()); }),
                HasSubstr("contradicts itself"))
        << pointer;
  }
}

TEST(ReadVerdict, ASliceDecidesNothing) {
  test::NoisyFolder out;
  json value = out.write();
  json slice = value["statistics"]["equivalences"][0];
  slice.update({{"slice", "capitals"}, {"outcome", "different"}, {"low", 1.0}, {"high", 2.0}});
  value["statistics"]["equivalences"].push_back(slice);
  EXPECT_EQ(parse_verdict("v.json", value.dump()).verdict, Verdict::kReproduced);
  value["statistics"]["equivalences"].erase(0);
  EXPECT_THAT(test::message_of<EvidenceError>([&] { parse_verdict("v.json", value.dump()); }),
              HasSubstr("nothing was tested"));
}

TEST(ReadVerdict, GreenHeldOutRowsThatTheirNumbersDenyContradictThemselves) {
  const json good = to_json(evaluated_report());
  EXPECT_EQ(parse_verdict("v.json", good.dump()).verdict, Verdict::kReproduced);
  const json first = to_json(answered_otherwise("answer", "x", "y"))["evaluation"]["first"];
  const std::vector<std::tuple<std::string, json, std::string>> changes = {
      {"", nullptr, "nothing was compared"},
      {"/first", first, "a row differs"},
      {"/rows", 0, "nothing was compared"},
      {"/evaluations", 0, "nothing was compared"},
      {"/comparisons", 0, "nothing was compared"},
      {"/runs", json::array(), "there are less than two runs"},
      {"/runs/1/sha256", nullptr, "run b has no eval.jsonl"},
      {"/runs/1/scores", json::array(), "run b has no score"},
      {"/runs/0/scores/1/perplexity", nullptr, "a perplexity is not finite in run a"},
      {"/runs/1/scores/0/exact_match", 50.0, "run b has other scores than run a"}};
  for (const auto& [pointer, to, message] : changes) {
    json bad = good;
    bad["evaluation"][json::json_pointer(pointer)] = to;
    EXPECT_THAT(test::message_of<EvidenceError>([&] { parse_verdict("v.json", bad.dump()); }),
                HasSubstr("the evaluation is REPRODUCED, but " + message))
        << pointer;
  }
}

TEST(ReadVerdict, APerplexityThatOverflowsIsNoContradiction) {
  json value = to_json(evaluated_report());
  for (json& run : value["evaluation"]["runs"]) {
    run["scores"][0].update({{"loss", 1000.0}, {"perplexity", nullptr}});
  }
  EXPECT_EQ(parse_verdict("v.json", value.dump()).verdict, Verdict::kReproduced);
  for (json& run : value["evaluation"]["runs"]) run["scores"][0]["loss"] = nullptr;
  EXPECT_THAT(usage_error_of(value.dump()), HasSubstr("is no verdict"));
}

TEST(ReadVerdict, WhatIsNoFileIsSaid) {
  const test::TempFolder folder;
  EXPECT_THAT(usage_error(folder.path() / "none"), HasSubstr("does not exist"));
  EXPECT_THAT(usage_error(folder.path()), HasSubstr("is a folder; name the verdict.json in it"));
  ASSERT_EQ(mkfifo((folder.path() / "pipe").c_str(), 0600), 0);
  EXPECT_THAT(usage_error(folder.path() / "pipe"), HasSubstr("is no regular file"));
}

TEST(ReadVerdict, WhatIsNoVerdictIsSaid) {
  EXPECT_THAT(usage_error_of(""), HasSubstr("is no verdict"));
  EXPECT_THAT(usage_error_of("{\"schema\":1,"), HasSubstr("is no verdict"));
  EXPECT_THAT(usage_error_of("[]"), HasSubstr("not a JSON object"));
  EXPECT_THAT(usage_error_of("{}"), HasSubstr("no field 'verdict'"));
  EXPECT_THAT(usage_error_of("{\"run_id\":\"x\"}"), HasSubstr("this is the manifest of a run"));
  EXPECT_THAT(usage_error_of("{\"verdict\":\"REPRODUCED\",\"verdict\":\"X\"}"),
              HasSubstr("is no verdict"));
}

TEST(ReadVerdict, ANewerSchemaIsSaid) {
  json value = to_json(reproduced_report());
  value["schema"] = 2;
  EXPECT_THAT(usage_error_of(value.dump()), HasSubstr("of schema 2, and this twinrun reads up to"));
}

TEST(ReadVerdict, MissingAndWrongFieldsAreNamed) {
  const json good = to_json(reproduced_report());
  for (const char* field : {"schema", "exit_code", "case", "checks", "runs", "comparisons"}) {
    json value = good;
    value.erase(field);
    EXPECT_THAT(usage_error_of(value.dump()), HasSubstr(field));
  }
  json value = good;
  value["runs"][1]["verdict"] = "FINE";
  EXPECT_THAT(usage_error_of(value.dump()), HasSubstr("[runs][1][verdict]"));
  value = good;
  value["checks"][0].erase("message");
  EXPECT_THAT(usage_error_of(value.dump()), HasSubstr("message"));
}

TEST(ReadVerdict, OneThatWasMadeGreenByHandContradictsItself) {
  EXPECT_EQ(evidence_error([](json&) {}), "");
  json red = to_json(diverged_report());
  red["verdict"] = "REPRODUCED";
  red["exit_code"] = 0;
  EXPECT_THAT(test::message_of<EvidenceError>([&] { parse_verdict("v.json", red.dump()); }),
              HasSubstr("its checks come to NOT_REPRODUCED, it says REPRODUCED"));
  red["checks"][0]["verdict"] = "REPRODUCED";
  EXPECT_THAT(test::message_of<EvidenceError>([&] { parse_verdict("v.json", red.dump()); }),
              HasSubstr("the twins are REPRODUCED, but not a and b"));
}

TEST(ReadVerdict, WhatAGreenVerdictRestsOnHasToBeThere) {
  EXPECT_THAT(evidence_error([](json& v) { v["exit_code"] = 1; }), HasSubstr("exit code 0"));
  EXPECT_THAT(evidence_error([](json& v) { v["runs"].erase(1); }), HasSubstr("less than two runs"));
  EXPECT_THAT(evidence_error([](json& v) { v["runs"][1]["verdict"] = "INVALID"; }),
              HasSubstr("run b is INVALID"));
  EXPECT_THAT(evidence_error([](json& v) {
                v["comparisons"] = json::array();
                v["comparisons_made"] = 0;
              }),
              HasSubstr("no pair was compared"));
  EXPECT_THAT(evidence_error([](json& v) { v["comparisons"][0]["steps_compared"] = 0; }),
              HasSubstr("no step"));
  EXPECT_THAT(evidence_error([](json& v) { v["comparisons_made"] = 999; }),
              HasSubstr("comparisons_made"));
  EXPECT_THAT(evidence_error([](json& v) { v["controls"][2]["passed"] = false; }),
              HasSubstr("adapter-moved"));
  EXPECT_THAT(evidence_error([](json& v) { v["controls"] = json::array(); }),
              HasSubstr("none is there"));
  EXPECT_THAT(evidence_error([](json& v) {
                for (json& check : v["checks"]) check["verdict"] = "NOT_RUN";
              }),
              HasSubstr("come to INCONCLUSIVE"));
}

}  // namespace
}  // namespace twinrun::harness
