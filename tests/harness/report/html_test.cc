#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cmath>
#include <limits>
#include <regex>
#include <set>

#include "harness/report/describe.h"
#include "tests/harness/report/evaluated_report.h"
#include "tests/harness/report/hostile.h"
#include "tests/harness/report/judged_folder.h"
#include "tests/harness/report/rendered.h"

namespace twinrun::harness {
namespace {

using nlohmann::json;
using test::JudgedFolder;
using testing::HasSubstr;
using testing::Not;

std::string html_of(const JudgedFolder& out) {
  return to_html(describe(out.verdict(), out.evidence(), ""));
}

std::string html_of(const json& value) {
  return test::rendered(value, [](const VerdictFile& verdict, const Evidence& evidence) {
    return to_html(describe(verdict, evidence, ""));
  });
}

int count(const std::string& text, const std::string& part) {
  int found = 0;
  for (std::size_t i = 0; (i = text.find(part, i)) != std::string::npos; i += part.size()) ++found;
  return found;
}

/// Elements of the page, without what stands in them.
std::set<std::string> elements(const std::string& text) {
  static const std::regex pattern("<([a-zA-Z!/]+)");
  std::set<std::string> found;
  for (std::sregex_iterator match(text.begin(), text.end(), pattern), end; match != end; ++match) {
    found.insert((*match)[1]);
  }
  return found;
}

TEST(Html, IsOnePageThatLoadsNothing) {
  JudgedFolder out;
  out.write();
  const std::string text = html_of(out);
  EXPECT_THAT(text, testing::StartsWith("<!DOCTYPE html>"));
  EXPECT_THAT(text, HasSubstr("default-src 'none'; style-src 'sha256-"));
  for (const char* part : {"<script", "<link", "<img", "src=", "url(", "@import", "style=\"",
                           "http://", "https://", "<iframe", "<form"}) {
    EXPECT_THAT(text, Not(HasSubstr(part))) << part;
  }
}

TEST(Html, TheVerdictComesBeforeAllElse) {
  const std::string text = html_of(to_json(diverged_report()));
  const auto body = text.find("<body>");
  EXPECT_LT(text.find("NOT_REPRODUCED", body), text.find("<h2>", body));
  EXPECT_THAT(text, HasSubstr("<header class=\"red\">"));
  EXPECT_THAT(html_of(to_json(reproduced_report())), HasSubstr("<header class=\"green\">"));
}

TEST(Html, DrawsBothCurvesAndWhereTheyPart) {
  JudgedFolder out;
  out.b.record.steps[4].loss = std::nextafter(out.b.record.steps[4].loss, 9.0f);
  out.write();
  const std::string text = html_of(out);
  EXPECT_EQ(count(text, "<svg"), 2);
  EXPECT_EQ(count(text, "<polyline class=\"a\""), 1);
  EXPECT_EQ(count(text, "<polyline class=\"b\""), 1);
  EXPECT_EQ(count(text, "class=\"bar\""), 1);
  EXPECT_EQ(count(text, "first difference: step 5"), 2);
}

TEST(Html, EqualRunsHaveNoBar) {
  JudgedFolder out;
  out.write();
  const std::string text = html_of(out);
  EXPECT_EQ(count(text, "class=\"bar\""), 0);
  EXPECT_THAT(text, HasSubstr("no bit of any loss differs"));
}

TEST(Html, ALossThatIsNotFiniteLeavesAGapAndNoNumber) {
  JudgedFolder out;
  for (auto* run : {&out.a, &out.b}) {
    run->record.steps[5].loss = std::numeric_limits<float>::quiet_NaN();
  }
  EXPECT_EQ(out.write()["verdict"], "INVALID");
  const std::string text = html_of(out);
  EXPECT_EQ(count(text, "<polyline class=\"a\""), 2);
  EXPECT_THAT(text, HasSubstr("In 1 step a loss is not a finite number"));
  const std::string drawing =
      text.substr(text.find("<svg"), text.rfind("</svg>") - text.find("<svg"));
  EXPECT_THAT(drawing, Not(HasSubstr("nan")));
}

TEST(Html, RunsWithOneStepOrWithEqualLossesCanBeDrawn) {
  JudgedFolder one(1);
  EXPECT_EQ(one.write()["verdict"], "REPRODUCED");
  EXPECT_EQ(count(html_of(one), "<svg"), 2);
  JudgedFolder flat;
  for (auto* run : {&flat.a, &flat.b}) {
    for (auto& step : run->record.steps) step.loss = 0;
  }
  flat.write();
  EXPECT_THAT(html_of(flat), Not(HasSubstr("nan")));
}

TEST(Html, ABrokenRecordIsRedEvenUnderAGreenVerdict) {
  JudgedFolder out;
  out.write();
  test::SyntheticRun(9, "run-b").write(out.path("b"));
  const std::string text = html_of(out);
  EXPECT_THAT(text, HasSubstr("<header class=\"red\">"));
  EXPECT_THAT(text,
              HasSubstr("<p class=\"alarm\"><strong>The evidence beside this verdict does not"));
  EXPECT_EQ(count(text, "<svg"), 0);
}

TEST(Html, ShowsWhatBenchLeftWithItsInterval) {
  JudgedFolder out;
  out.write();
  std::filesystem::create_directories(out.path("bench"));
  const json row = {{"name", "deterministic <b>"},
                    {"state", "measured"},
                    {"message", ""},
                    {"ratio", 1.19},
                    {"low", 1.181},
                    {"high", 1.204}};
  test::write_file(out.path("bench/bench.json"), json({{"schema", 1},
                                                       {"verdict", "SLOWDOWN_EXCEEDED"},
                                                       {"judgement", {{"budget", 1.05}}},
                                                       {"comparisons", {row}}})
                                                     .dump());
  const std::string text = html_of(out);
  EXPECT_THAT(text, HasSubstr("deterministic &lt;b&gt;"));
  EXPECT_THAT(text, HasSubstr("1.1810 to 1.2040"));
  test::write_file(out.path("bench/bench.json"), "{");
  EXPECT_THAT(html_of(out), HasSubstr("bench/bench.json lies beside the verdict, but cannot be"));
}

TEST(Html, HostileTextAddsNoElement) {
  for (const VerdictReport& report : {reproduced_report(), diverged_report(), drifted_report(),
                                      answered_otherwise("answer", "x", "y")}) {
    const json good = to_json(report);
    const std::string text = html_of(test::made_hostile(good));
    EXPECT_EQ(elements(text), elements(html_of(good)));
    EXPECT_THAT(text, Not(HasSubstr("<script")));
    EXPECT_THAT(text, Not(HasSubstr("onerror=alert(2)>")));
    EXPECT_THAT(text, Not(HasSubstr("\x1b")));
    EXPECT_THAT(text, Not(HasSubstr("\xe2\x80\xae")));
  }
}

TEST(Html, HostileTextOfARunAddsNoElementEither) {
  JudgedFolder good, bad;
  for (JudgedFolder* out : {&good, &bad}) {
    const std::string text = out == &bad ? test::hostile_text() : "x";
    for (auto* run : {&out->a, &out->b, &out->control}) {
      run->config.identity["data"] = {{"sha256", text}, {text, text}};
      run->manifest["device"]["name"] = "\xe2\x80\x8e";
      run->manifest["environment"] = {{text, text}};
      run->manifest["versions"]["compiler"] = text;
    }
    out->write();
  }
  EXPECT_EQ(elements(html_of(bad)), elements(html_of(good)));
}

TEST(Html, StaysSmall) {
  JudgedFolder out(20'000);
  for (auto& step : out.b.record.steps) {
    if (step.step > 7'000) step.loss = std::nextafter(step.loss, 9.0f);
  }
  out.write();
  const std::string text = html_of(out);
  EXPECT_LT(text.size(), 200'000u);
  EXPECT_THAT(text, HasSubstr("first difference: step 7001"));
  json value = to_json(diverged_report());
  const json run = value["runs"][0];
  for (int i = 0; i < 5'000; ++i) value["runs"].push_back(run);
  EXPECT_LT(html_of(value).size(), 2'000'000u);
}

}  // namespace
}  // namespace twinrun::harness
