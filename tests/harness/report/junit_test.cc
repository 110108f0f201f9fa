#include "harness/report/junit.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "tests/harness/report/hostile.h"
#include "tests/harness/report/judged_folder.h"
#include "tests/harness/report/rendered.h"
#include "tests/harness/report/sample_report.h"

namespace twinrun::harness {
namespace {

using nlohmann::json;
using test::JudgedFolder;
using testing::HasSubstr;
using testing::Not;

std::string junit_of(const JudgedFolder& out) { return to_junit(out.verdict(), out.evidence()); }

std::string junit_of(const json& value) { return test::rendered(value, to_junit); }

TEST(JUnit, GreenHasNeitherFailureNorError) {
  JudgedFolder out;
  out.write();
  const std::string text = junit_of(out);
  EXPECT_THAT(text, HasSubstr("failures=\"0\" errors=\"0\" skipped=\"3\""));
  EXPECT_THAT(text,
              HasSubstr("<testcase classname=\"twinrun.check\" name=\"twin\" time=\"0.000\"/>"));
  EXPECT_THAT(text, HasSubstr("<skipped message=\"not asked for\"/>"));
  EXPECT_THAT(text, HasSubstr("timestamp=\"2026-03-01T12:00:00\""));
}

TEST(JUnit, AMismatchIsAFailure) {
  const std::string text = junit_of(to_json(diverged_report()));
  EXPECT_THAT(text, HasSubstr("failures=\"2\" errors=\"0\""));
  EXPECT_THAT(text, HasSubstr("<failure type=\"bits_differ\" message=\"runs a and b: step 5"));
}

TEST(JUnit, ACrashIsAnErrorAndNoFailure) {
  JudgedFolder out;
  out.b.manifest["status"] = "failed";
  out.b.manifest["message"] = "no memory";
  EXPECT_EQ(out.write()["verdict"], "INVALID");
  const std::string text = junit_of(out);
  EXPECT_THAT(text, HasSubstr("failures=\"0\" errors=\"3\""));
  EXPECT_THAT(text, HasSubstr("<error type=\"failed\""));
}

TEST(JUnit, EveryVerdictThatIsNotGreenIsRed) {
  for (const Verdict verdict :
       {Verdict::kEvidenceInvalid, Verdict::kInternal, Verdict::kNotReproduced,
        Verdict::kSlowdownExceeded, Verdict::kInvalid, Verdict::kInconclusive}) {
    VerdictReport report = reproduced_report();
    report.checks[4] = {"bench", verdict, "x", "y"};
    report.verdict = verdict;
    EXPECT_THAT(junit_of(to_json(report)), Not(HasSubstr("failures=\"0\" errors=\"0\"")))
        << to_string(verdict);
  }
}

TEST(JUnit, ABrokenRecordIsAnErrorUnderAGreenVerdict) {
  JudgedFolder out;
  out.write();
  test::SyntheticRun(9, "run-b").write(out.path("b"));
  EXPECT_THAT(junit_of(out),
              HasSubstr("<error type=\"record_broken\" message=\"the verdict names"));
}

TEST(JUnit, HostileTextAddsNoElement) {
  const json good = to_json(diverged_report());
  const std::string text = junit_of(test::made_hostile(good));
  const auto brackets = [](const std::string& xml) {
    return std::count(xml.begin(), xml.end(), '<');
  };
  EXPECT_EQ(brackets(text), brackets(junit_of(good)));
  EXPECT_THAT(text, Not(HasSubstr("\x1b")));
  EXPECT_THAT(text, Not(HasSubstr("\xef\xbf\xbf")));
}

}  // namespace
}  // namespace twinrun::harness
