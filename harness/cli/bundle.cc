#include <filesystem>
#include <iostream>

#include "harness/bundle/pack.h"
#include "harness/bundle/unpack.h"
#include "harness/cli/commands.h"
#include "harness/cli/options.h"
#include "harness/cli/rejudge.h"
#include "harness/cli/workspace.h"
#include "harness/exit_code.h"
#include "harness/report/describe.h"
#include "harness/report/json_fields.h"
#include "harness/report/text.h"
#include "harness/report/words.h"

namespace twinrun::harness {
namespace {

namespace fs = std::filesystem;
namespace po = boost::program_options;
using nlohmann::json;

CommandSpec bundle_spec() {
  CommandSpec spec;
  spec.name = "bundle";
  spec.operands = "RUN_OUT";
  spec.purpose =
      "Packs what `twinrun verify` left in RUN_OUT into one file that can be passed on: verdict,\n"
      "records, configuration, adapters, report, and a list of their SHA-256. With --check, "
      "RUN_OUT\n"
      "is such a file: every digest is checked, and the records are judged again.";
  spec.flags.add_options()                                                        //
      ("check", "check the bundle named instead of RUN_OUT, and judge it again")  //
      ("out", po::value<std::string>()->value_name("FILE.tar"),
       "the bundle to write (default: RUN_OUT.tar)")  //
      ("json", "print the result as JSON instead of text");
  spec.notes =
      "Not packed: the base model and the data, for which their digests stand in config.json; "
      "logs\n"
      "and checkpoints. The same files give the same bundle. It can be unpacked by tar, and its "
      "list\n"
      "read by sha256sum. It is not signed: keep its SHA-256 elsewhere.\n\n"
      "exit code: packing 0; --check that of the verdict (0 only REPRODUCED), 5 where a byte, a "
      "file\n"
      "or a path of the bundle does not hold or its records do not give its verdict; 2 usage";
  spec.example =
      "  twinrun bundle twinrun-out --out night.tar\n"
      "  twinrun bundle --check night.tar";
  return spec;
}

fs::path default_bundle(const fs::path& folder) {
  fs::path normal = fs::absolute(folder).lexically_normal();
  if (!normal.has_filename()) normal = normal.parent_path();
  return normal.filename().string() + ".tar";
}

int pack(const ParsedCommand& parsed) {
  const fs::path folder = parsed.operands.front();
  std::error_code ignored;
  if (!fs::is_directory(folder, ignored)) {
    throw UsageError("'" + one_line(folder.string()) +
                     "' is no folder; name what `twinrun verify --out` left, or --check a bundle");
  }
  const fs::path out = parsed.has("out") ? fs::path(parsed.text("out")) : default_bundle(folder);
  require_file_place(out, "--out");
  const VerdictFile verdict = read_verdict(folder / "verdict.json");
  const PackedBundle packed = pack_bundle(bundle_files(verdict, read_evidence(verdict)), out);
  if (parsed.has("json")) {
    std::cout << json_text({{"bundle", out.string()},
                            {"sha256", packed.sha256},
                            {"files", packed.files},
                            {"bytes", packed.bytes},
                            {"verdict", to_string(verdict.verdict)}});
  } else {
    std::cout << "packed       " << one_line(out.string()) << ", "
              << count_of(static_cast<long long>(packed.files), "file") << ", " << packed.bytes
              << " bytes\n"
              << "verdict      " << to_string(verdict.verdict) << "\n"
              << "sha256       " << packed.sha256
              << " (keep it elsewhere: a bundle is not signed)\n"
              << "check again  twinrun bundle --check " << shell_quote(out.string()) << "\n";
  }
  return static_cast<int>(ExitCode::kReproduced);
}

/// Whether the packed page is the one that this program makes of the packed verdict. Throws
/// EvidenceError where it is not although the same program made it.
bool report_is_ours(const UnpackedBundle& bundle, const VerdictFile& verdict) {
  if (!bundle.holds("report.html")) return false;
  const std::string now = to_html(describe(verdict, read_evidence(verdict), ""));
  if (protocol::sha256(now) == protocol::sha256_file(bundle.folder() / "report.html")) return true;
  const json here = to_json(VerdictReport{}).at("twinrun");
  if (at(verdict.value, "/twinrun") != here || here.at("git_dirty") == true) return false;
  throw EvidenceError("the bundle does not hold: report.html is not the report of its verdict");
}

/// Runs whose folder is not within the bundle would be judged from somewhere else.
void require_runs_inside(const UnpackedBundle& bundle, const VerdictFile& verdict) {
  for (const char* list : {"/runs", "/control_runs"}) {
    for (const json& run : list_at(verdict.value, list)) {
      const std::string dir = fs::path(text_at(run, "/dir")).lexically_normal().generic_string();
      if (bundle.holds(dir + "/config.json") || bundle.holds(dir + "/manifest.json") ||
          bundle.holds(dir + "/steps.jsonl")) {
        continue;
      }
      throw EvidenceError("the bundle does not hold: its verdict names run " +
                          one_line(text_at(run, "/name")) + " in '" + one_line(dir) +
                          "', and no such record is in it");
    }
  }
}

VerdictFile packed_verdict(const UnpackedBundle& bundle) {
  if (!bundle.holds("verdict.json")) {
    throw EvidenceError("the bundle does not hold: there is no verdict.json in it");
  }
  VerdictFile verdict = read_verdict(bundle.folder() / "verdict.json");
  require_runs_inside(bundle, verdict);
  return verdict;
}

int check(const ParsedCommand& parsed) {
  if (parsed.has("out")) throw UsageError("--check writes nothing, so it does not go with --out");
  const fs::path file = parsed.operands.front();
  const UnpackedBundle bundle(file);
  const VerdictFile verdict = packed_verdict(bundle);
  const Rejudgement again = rejudge(verdict, bundle.folder() / kBundleCurves);
  if (!again.differences.empty()) {
    const auto more = static_cast<long long>(again.differences.size()) - 1;
    throw EvidenceError("the bundle '" + one_line(file.string()) +
                        "' does not hold: its records do not give its verdict. " +
                        one_line(again.differences.front()) +
                        (more > 0 ? " (and " + count_of(more, "difference") + " more)" : "") +
                        ". The verdict was made by " +
                        one_line(version_words(at(verdict.value, "/twinrun"))));
  }
  const bool report = report_is_ours(bundle, verdict);
  const std::string digest = protocol::to_hex(protocol::sha256_file(file));
  if (parsed.has("json")) {
    std::cout << json_text({{"holds", true},
                            {"sha256", digest},
                            {"files", bundle.names().size() + 1},
                            {"verdict", to_string(again.report.verdict)},
                            {"comparisons_made", comparisons_made(again.report)},
                            {"taken_over", again.taken_over},
                            {"report_checked", report}});
  } else {
    std::cout << to_string(again.report.verdict) << "  " << one_line(again.report.case_name) << ": "
              << ellipsize(one_line(headline(verdict)), 80) << "\n"
              << "  holds        "
              << count_of(static_cast<long long>(bundle.names().size()), "file")
              << ", every SHA-256 as listed\n"
              << "  again        judged from the records: "
              << count_of(comparisons_made(again.report), "value")
              << " compared, the same verdict\n";
    for (const std::string& text : again.taken_over) {
      std::cout << "  not again    " << ellipsize(one_line(text), 85) << "\n";
    }
    std::cout << "  report.html  "
              << (report ? "is the report of this verdict"
                         : "NOT CHECKED: made by another build of twinrun; `twinrun report` makes "
                           "it again")
              << "\n  sha256       " << digest << "\n  signed       no\n";
  }
  return static_cast<int>(exit_code(again.report.verdict));
}

}  // namespace

int bundle_command(const std::vector<std::string>& args) {
  const auto parsed = parse_command(bundle_spec(), args);
  if (!parsed) return static_cast<int>(ExitCode::kReproduced);
  return parsed->has("check") ? check(*parsed) : pack(*parsed);
}

}  // namespace twinrun::harness
