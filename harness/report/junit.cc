#include "harness/report/junit.h"

#include <cstdio>
#include <vector>

#include "harness/report/describe_parts.h"
#include "harness/report/escape.h"
#include "harness/report/json_fields.h"

namespace twinrun::harness {
namespace {

using nlohmann::json;

struct TestCase {
  std::string group, name;
  std::string outcome;        ///< failure, error, skipped; empty: passed
  std::string type, message;  ///< of the outcome
  double seconds = 0;
};

std::string outcome_of(Verdict verdict) {
  switch (verdict) {
    case Verdict::kReproduced:
      return "";
    case Verdict::kNotReproduced:
    case Verdict::kSlowdownExceeded:
      return "failure";
    case Verdict::kNotRun:
      return "skipped";
    default:
      return "error";
  }
}

std::string attribute(const std::string& text) { return "\"" + xml_escape(shown(text)) + "\""; }

std::string seconds_text(double seconds) {
  char text[40];
  std::snprintf(text, sizeof text, "\"%.3f\"", seconds);
  return text;
}

TestCase control_case(const json& control) {
  TestCase test{"control", text_at(control, "/name"), "", "", text_at(control, "/message"), 0};
  const bool ran = at(control, "/ran") == true, passed = at(control, "/passed") == true;
  if (!ran) test.outcome = "skipped";
  // A judge that would not have seen a difference has not shown one: no failure, an error.
  if (ran && !passed) test.outcome = "error";
  test.type = ran ? "control_failed" : "control_not_run";
  return test;
}

TestCase record_case(const RunEvidence& run) {
  TestCase test{"record", run.name, "", "", run.problem, 0};
  if (const json seconds = at(run.stated, "/seconds"); seconds.is_number()) {
    test.seconds = seconds.get<double>();
  }
  switch (run.state) {
    case RunEvidence::State::kHolds:
      break;
    case RunEvidence::State::kUnfit:
      test.outcome = "error";
      test.type = text_at(run.stated, "/reason");
      break;
    case RunEvidence::State::kMissing:
      test.outcome = "skipped";
      test.type = "record_missing";
      break;
    case RunEvidence::State::kBroken:
      test.outcome = "error";
      test.type = "record_broken";
      break;
  }
  return test;
}

/// The calibration beside the verdict, and the short runs that were judged by it.
TestCase calibration_case(const StatisticsEvidence& statistics) {
  TestCase test{"record", "calibration", "", "", statistics.problem, 0};
  if (statistics.broken) {
    test.outcome = "error";
    test.type = "record_broken";
  } else if (!statistics.problem.empty()) {
    test.outcome = "skipped";
    test.type = "record_missing";
  }
  return test;
}

std::vector<TestCase> test_cases(const VerdictFile& verdict, const Evidence& evidence) {
  std::vector<TestCase> list;
  std::string reason;
  for (const json& check : list_at(verdict.value, "/checks")) {
    const Verdict found = verdict_from_string(text_at(check, "/verdict"));
    if (found == verdict.verdict && reason.empty()) reason = text_at(check, "/reason");
    list.push_back({"check", text_at(check, "/name"), outcome_of(found), text_at(check, "/reason"),
                    with_row_values(verdict, text_at(check, "/message")), 0});
  }
  list.insert(list.begin(), {"verdict", to_string(verdict.verdict), outcome_of(verdict.verdict),
                             reason, with_row_values(verdict, headline(verdict)), 0});
  for (const json& control : list_at(verdict.value, "/controls")) {
    list.push_back(control_case(control));
  }
  for (const RunEvidence& run : evidence.runs) list.push_back(record_case(run));
  const bool calibrated = !text_at(verdict.value, "/statistics/calibration_sha256").empty();
  if (calibrated || evidence.statistics.broken) {
    list.push_back(calibration_case(evidence.statistics));
  }
  return list;
}

std::string test_case_text(const TestCase& test) {
  std::string text = "    <testcase classname=" + attribute("twinrun." + test.group) +
                     " name=" + attribute(test.name) + " time=" + seconds_text(test.seconds);
  if (test.outcome.empty()) return text + "/>\n";
  const std::string type = test.outcome == "skipped" ? "" : " type=" + attribute(test.type);
  return text + ">\n      <" + test.outcome + type + " message=" + attribute(test.message) +
         "/>\n    </testcase>\n";
}

std::string property_text(const std::string& name, const std::string& value) {
  return "      <property name=" + attribute(name) + " value=" + attribute(value) + "/>\n";
}

}  // namespace

std::string to_junit(const VerdictFile& verdict, const Evidence& evidence) {
  const std::vector<TestCase> tests = test_cases(verdict, evidence);
  std::size_t failures = 0, errors = 0, skipped = 0;
  double seconds = 0;
  std::string cases;
  for (const TestCase& test : tests) {
    failures += test.outcome == "failure" ? 1 : 0;
    errors += test.outcome == "error" ? 1 : 0;
    skipped += test.outcome == "skipped" ? 1 : 0;
    seconds += test.seconds;
    cases += test_case_text(test);
  }
  const std::string counts = " tests=\"" + std::to_string(tests.size()) + "\" failures=\"" +
                             std::to_string(failures) + "\" errors=\"" + std::to_string(errors) +
                             "\" skipped=\"" + std::to_string(skipped) +
                             "\" time=" + seconds_text(seconds);
  const json& value = verdict.value;
  std::string stamp = text_at(value, "/started");
  if (!stamp.empty() && stamp.back() == 'Z') stamp.pop_back();  // the format has no time zone
  return "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n<testsuites name=\"twinrun\"" + counts +
         ">\n  <testsuite name=" + attribute("twinrun " + text_at(value, "/case/name")) + counts +
         " timestamp=" + attribute(stamp) + ">\n    <properties>\n" +
         property_text("verdict", to_string(verdict.verdict)) +
         property_text("verdict_sha256", verdict.sha256) +
         property_text("identity", text_at(value, "/case/identity")) +
         property_text("fingerprint", text_at(value, "/fingerprint")) + "    </properties>\n" +
         cases + "  </testsuite>\n</testsuites>\n";
}

}  // namespace twinrun::harness
