// `twinrun report` and `twinrun bundle` as a person runs them, bad input included.
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/stat.h>

#include "tests/e2e/toy_case.h"

namespace twinrun {
namespace {

using nlohmann::json;
using testing::HasSubstr;
using testing::IsEmpty;
using testing::StartsWith;

class Reports : public ToyCase {
 protected:
  void judge(int code, const std::vector<std::string>& flags = {}) {
    const ProcessResult result = verify(flags);
    ASSERT_EQ(result.exit_code, code) << result.err;
  }
  ProcessResult report(const std::string& format) const {
    return twinrun({"report", "out/verdict.json", "--format", format});
  }
};

TEST_F(Reports, EveryFormatOfEveryVerdictIsMadeAndExitsWithZero) {
  judge(1, {"--inject", "b:adapter-ulp@3"});
  for (const auto& [format, begin] : std::vector<std::pair<std::string, std::string>>{
           {"html", "<!DOCTYPE html>"},
           {"md", "## "},
           {"junit", "<?xml version"},
           {"github", "::error title=twinrun%3A NOT_REPRODUCED"},
           {"json", "{"}}) {
    const ProcessResult result = report(format);
    EXPECT_EQ(result.exit_code, 0) << result.err;
    EXPECT_THAT(result.out, StartsWith(begin));
    EXPECT_THAT(result.err, IsEmpty());
    EXPECT_EQ(report(format).out, result.out) << "the same bytes again";
  }
  EXPECT_EQ(json::parse(report("json").out)["evidence_holds"], true);
}

TEST_F(Reports, ARecordThatIsNotTheVerdictsIsFiveAndTheReportSaysSo) {
  judge(0);
  std::string record = read("out/b/steps.jsonl");
  record.replace(record.find("\"tokens\":"), 10, "\"tokens\":9");
  write("out/b/steps.jsonl", record);
  for (const char* format : {"html", "md", "junit", "github", "json"}) {
    const ProcessResult result = report(format);
    EXPECT_EQ(result.exit_code, 5) << format;
    EXPECT_THAT(result.err, HasSubstr("does not hold: run b:")) << format;
    EXPECT_FALSE(result.out.empty()) << format;
  }
  EXPECT_THAT(report("md").out, HasSubstr("**The evidence beside this verdict does not hold.**"));
  EXPECT_EQ(json::parse(report("json").out)["evidence_holds"], false);
  const ProcessResult bundle = twinrun({"bundle", "out"});
  EXPECT_EQ(bundle.exit_code, 5);
  EXPECT_FALSE(std::filesystem::exists(path("out.tar")));
}

TEST_F(Reports, WhatIsNoVerdictIsTwo) {
  judge(0);
  write("text", "hello");
  json newer = verdict();
  newer["schema"] = 2;
  write("newer.json", newer.dump());
  json edited = verdict();
  edited["exit_code"] = 3;
  write("edited.json", edited.dump());
  const auto code = [&](const std::string& file) { return twinrun({"report", file}).exit_code; };
  EXPECT_EQ(code("none"), 2);
  EXPECT_EQ(code("out"), 2);
  EXPECT_EQ(code("text"), 2);
  EXPECT_EQ(code("out/a/manifest.json"), 2);
  EXPECT_EQ(code("newer.json"), 2);
  EXPECT_EQ(code("edited.json"), 5) << "it contradicts itself";
  EXPECT_EQ(twinrun({"report", "out/verdict.json", "--format", "htm"}).exit_code, 2);
  EXPECT_THAT(twinrun({"report", "out/verdict.json", "--format", "htm"}).err,
              HasSubstr("did you mean 'html'?"));
}

TEST_F(Reports, OutIsWrittenWholeOrNotAtAll) {
  judge(0);
  const auto out = [&](const std::string& file) {
    return twinrun({"report", "out/verdict.json", "--format", "html", "--out", file});
  };
  EXPECT_EQ(out("page.html").exit_code, 0);
  EXPECT_EQ(read("page.html"), report("html").out);
  EXPECT_EQ(out("none/page.html").exit_code, 2);
  EXPECT_EQ(out("out").exit_code, 2);
  const std::string before = read("out/verdict.json");
  EXPECT_EQ(out("out/verdict.json").exit_code, 2);
  EXPECT_EQ(read("out/verdict.json"), before);
}

TEST_F(Reports, TheTimeOfTheReportIsSaidOnlyWhereItIsGiven) {
  judge(0);
  ProcessOptions options = command({"report", "out/verdict.json"});
  options.environment = {{"SOURCE_DATE_EPOCH", "1700000000"}};
  EXPECT_THAT(run_process(options).out, HasSubstr("2023-11-14T22\\:13\\:20Z"));
  options.environment = {{"SOURCE_DATE_EPOCH", "yesterday"}};
  EXPECT_EQ(run_process(options).exit_code, 2);
  EXPECT_EQ(report("md").out.find("report made"), std::string::npos);
}

TEST_F(Reports, ABundleIsCheckedWithoutWhatItWasMadeFrom) {
  judge(0);
  const ProcessResult packed = twinrun({"bundle", "out", "--json"});
  ASSERT_EQ(packed.exit_code, 0) << packed.err;
  std::filesystem::rename(path("out"), path("elsewhere"));
  const ProcessResult checked = twinrun({"bundle", "--check", "out.tar", "--json"});
  EXPECT_EQ(checked.exit_code, 0) << checked.err;
  const json result = json::parse(checked.out);
  EXPECT_EQ(result["holds"], true);
  EXPECT_EQ(result["verdict"], "REPRODUCED");
  EXPECT_EQ(result["sha256"], json::parse(packed.out)["sha256"]);
  EXPECT_GT(result["comparisons_made"], 50);
}

TEST_F(Reports, OneByteOfABundleChangedIsFive) {
  judge(0);
  ASSERT_EQ(twinrun({"bundle", "out"}).exit_code, 0);
  const std::string good = read("out.tar");
  for (const std::size_t at : {std::size_t{5}, good.size() / 2, good.size() - 1}) {
    std::string bad = good;
    bad[at] = static_cast<char>(bad[at] ^ 1);
    write("out.tar", bad);
    const ProcessResult checked = twinrun({"bundle", "--check", "out.tar"});
    EXPECT_EQ(checked.exit_code, 5) << checked.err;
    EXPECT_THAT(checked.out, IsEmpty());
  }
  write("out.tar", good.substr(0, good.size() / 2));
  const ProcessResult cut = twinrun({"bundle", "--check", "out.tar"});
  EXPECT_EQ(cut.exit_code, 5);
  EXPECT_THAT(cut.err, HasSubstr("cut short"));
}

TEST_F(Reports, ABundleOfARunThatCrashedAndOfABaselineGivesItsVerdictAgain) {
  judge(3, {"--inject", "b:crash@3"});
  ASSERT_EQ(twinrun({"bundle", "out", "--out", "crash.tar"}).exit_code, 0);
  const ProcessResult crash = twinrun({"bundle", "--check", "crash.tar"});
  EXPECT_EQ(crash.exit_code, 3) << crash.err;
  EXPECT_THAT(crash.out, HasSubstr("not again    how the process of run b ended"));

  std::filesystem::create_directory(path("curves"));
  ASSERT_EQ(twinrun({"verify", "case.yaml", "--out", "first", "--write-curve", "curves"}).exit_code,
            0);
  ASSERT_EQ(twinrun({"verify", "case.yaml", "--out", "second", "--baseline"}).exit_code, 0);
  ASSERT_EQ(twinrun({"bundle", "second"}).exit_code, 0);
  std::filesystem::remove_all(path("curves"));
  const ProcessResult second = twinrun({"bundle", "--check", "second.tar"});
  EXPECT_EQ(second.exit_code, 0) << second.err;
}

TEST_F(Reports, WhatIsNoBundleOrNoFolderIsTwo) {
  judge(0);
  EXPECT_EQ(twinrun({"bundle", "none"}).exit_code, 2);
  EXPECT_EQ(twinrun({"bundle", "out/a"}).exit_code, 2) << "no verdict in it";
  EXPECT_EQ(twinrun({"bundle", "--check", "out"}).exit_code, 2);
  EXPECT_EQ(twinrun({"bundle", "--check", "out/verdict.json"}).exit_code, 2);
  EXPECT_EQ(twinrun({"bundle", "out", "--check", "--out", "x.tar"}).exit_code, 2);
}

}  // namespace
}  // namespace twinrun
