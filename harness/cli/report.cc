#include <cstdlib>
#include <iostream>

#include "harness/cli/commands.h"
#include "harness/cli/options.h"
#include "harness/cli/workspace.h"
#include "harness/config/case.h"
#include "harness/exit_code.h"
#include "harness/protocol/append_file.h"
#include "harness/report/describe.h"
#include "harness/report/evidence.h"
#include "harness/report/github.h"
#include "harness/report/json_fields.h"
#include "harness/report/junit.h"
#include "harness/report/text.h"
#include "harness/report/verdict_json.h"

namespace twinrun::harness {
namespace {

namespace fs = std::filesystem;
namespace po = boost::program_options;
using nlohmann::json;

const std::vector<std::string> kFormats = {"html", "md", "junit", "github", "json"};

CommandSpec report_spec() {
  CommandSpec spec;
  spec.name = "report";
  spec.operands = "VERDICT.json";
  spec.purpose =
      "Shows a verdict to people and machines, after reading the records beside it: each has to "
      "be\n"
      "the one that the verdict was given for.";
  spec.flags.add_options()  //
      ("format", po::value<std::string>()->value_name("html|md|junit|github|json"),
       "html (one self-contained page), md (Markdown, the default), junit (XML), github "
       "(annotations "
       "as workflow commands) or json (the verdict and what was found beside it)")  //
      ("out", po::value<std::string>()->value_name("FILE"),
       "write there instead of to standard output")  //
      ("json", "the same as --format json");
  spec.notes =
      "The same verdict and records give the same bytes. SOURCE_DATE_EPOCH, if set, is named as "
      "the\n"
      "time at which the report was made; else none is.\n\n"
      "exit code: 0 the report was made, whatever the verdict; 2 usage: no verdict, or one of a\n"
      "newer schema; 5 a record is not the one of the verdict (the report is made all the same "
      "and\n"
      "says so), or the verdict contradicts itself";
  spec.example =
      "  twinrun report twinrun-out/verdict.json --format html --out report.html\n"
      "  twinrun report twinrun-out/verdict.json --format md >> \"$GITHUB_STEP_SUMMARY\"\n"
      "  twinrun report twinrun-out/verdict.json --format github";
  return spec;
}

std::string chosen_format(const ParsedCommand& parsed) {
  const std::string format = parsed.text("format");
  if (parsed.has("json")) {
    if (!format.empty() && format != "json") throw UsageError("--json and --format " + format);
    return "json";
  }
  if (format.empty()) return "md";
  for (const std::string& known : kFormats) {
    if (format == known) return format;
  }
  const std::string near = nearest_word(format, kFormats);
  throw UsageError("--format: '" + one_line(format) + "' is none of " + list_words(kFormats) +
                   (near.empty() ? "" : "; did you mean '" + near + "'?"));
}

void require_out(const fs::path& out, const fs::path& verdict) {
  require_file_place(out, "--out");
  std::error_code ignored;
  if (fs::equivalent(out, verdict, ignored)) {
    throw UsageError("--out: '" + out.string() + "' is the verdict itself");
  }
}

/// Of runs that promise no bits; null where the verdict was given without a calibration.
json calibration_report(const VerdictFile& verdict, const StatisticsEvidence& statistics) {
  const bool calibrated = at(verdict.value, "/statistics/calibration_sha256").is_string();
  if (!calibrated && !statistics.broken) return nullptr;
  const char* state = statistics.broken             ? "broken"
                      : !statistics.problem.empty() ? "missing"
                                                    : "holds";
  return {{"state", state}, {"problem", statistics.problem}};
}

json json_report(const VerdictFile& verdict, const Evidence& evidence) {
  json records = json::array();
  for (const RunEvidence& run : evidence.runs) {
    records.push_back({{"run", run.name},
                       {"control", run.control},
                       {"state", to_string(run.state)},
                       {"problem", run.problem}});
  }
  return {{"schema", 1},
          {"verdict", verdict.value},
          {"verdict_sha256", verdict.sha256},
          {"records", records},
          {"calibration", calibration_report(verdict, evidence.statistics)},
          {"evidence_holds", evidence.broken().empty()}};
}

std::string render(const std::string& format, const VerdictFile& verdict, const Evidence& evidence,
                   const std::string& made) {
  if (format == "json") return json_text(json_report(verdict, evidence));
  if (format == "junit") return to_junit(verdict, evidence);
  if (format == "github") {
    const char* workspace = std::getenv("GITHUB_WORKSPACE");
    return to_github(verdict, evidence, workspace == nullptr ? "" : workspace);
  }
  const Document document = describe(verdict, evidence, made);
  return format == "html" ? to_html(document) : to_markdown(document);
}

}  // namespace

int report_command(const std::vector<std::string>& args) {
  const auto parsed = parse_command(report_spec(), args);
  if (!parsed) return static_cast<int>(ExitCode::kReproduced);
  const std::string format = chosen_format(*parsed);
  const std::string made = source_date(), out = parsed->text("out");
  if (!out.empty()) require_out(out, parsed->operands.front());
  const VerdictFile verdict = read_verdict(parsed->operands.front());
  const Evidence evidence = read_evidence(verdict);
  const std::string text = render(format, verdict, evidence, made);
  if (out.empty()) std::cout << text;
  if (!out.empty()) protocol::write_file_atomically(out, text);
  const std::vector<std::string> broken = evidence.broken();
  if (broken.empty()) return static_cast<int>(ExitCode::kReproduced);
  std::cout.flush();
  throw EvidenceError("the evidence beside '" + one_line(verdict.path.string()) +
                      "' does not hold: " + one_line(broken.front()));
}

}  // namespace twinrun::harness
