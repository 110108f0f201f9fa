#include "harness/report/evidence.h"

#include <fstream>
#include <iterator>
#include <system_error>

#include "harness/protocol/strict_json.h"
#include "harness/report/json_fields.h"
#include "harness/report/text.h"

namespace twinrun::harness {
namespace {

namespace fs = std::filesystem;
using nlohmann::json;
using State = RunEvidence::State;

bool holds_a_record(const fs::path& dir) {
  std::error_code ignored;
  for (const char* name : {"steps.jsonl", "manifest.json", "config.json"}) {
    if (fs::exists(dir / name, ignored)) return true;
  }
  return false;
}

/// What is wrong between the record as it lies there and what the verdict says; empty if nothing.
std::string disagreement(const json& stated, const RunView& view) {
  const std::string head = text_at(stated, "/head");
  const std::string now = view.summary.head ? protocol::to_hex(*view.summary.head) : "";
  if (head != now) {
    return now.empty() ? "the verdict names the head " + head + ", the record has none"
                       : "the verdict names the head " + (head.empty() ? "none" : head) +
                             ", the record ends with " + now;
  }
  const bool was_whole = text_at(stated, "/verdict") == to_string(Verdict::kReproduced);
  if (was_whole && view.verdict != Verdict::kReproduced) {
    return "the verdict found it complete and intact, now it is not: " + view.problem;
  }
  const std::string id = text_at(view.manifest, "/run_id");
  if (was_whole && id != text_at(stated, "/run_id")) {
    return "the verdict was given for the run " + text_at(stated, "/run_id") + ", this is " + id;
  }
  return {};
}

/// `folder` as the verdict names it, so that a report does not hang on where it was made.
void name_folder(std::string& problem, const fs::path& folder, const fs::path& dir) {
  const std::string here = folder.string(), name = dir.string();
  if (here == name) return;
  for (std::size_t at = 0; (at = problem.find(here, at)) != std::string::npos; at += name.size()) {
    problem.replace(at, here.size(), name);
  }
}

RunEvidence read_one(const VerdictFile& verdict, const json& stated, bool control,
                     const RunView* like) {
  RunEvidence run;
  run.stated = stated;
  run.name = text_at(stated, "/name");
  run.control = control;
  const fs::path dir = text_at(stated, "/dir");
  const fs::path folder = dir.is_absolute() ? dir : verdict.folder() / dir;
  if (!holds_a_record(folder)) {
    run.state = State::kMissing;
    run.problem = "no record lies in '" + dir.string() + "'";
    return run;
  }
  run.view = read_run(folder, like);
  run.problem = disagreement(stated, run.view);
  if (!run.problem.empty()) {
    run.state = State::kBroken;
  } else if (run.view.verdict == Verdict::kReproduced) {
    run.state = State::kHolds;
  } else {
    run.state = State::kUnfit;
    run.problem = run.view.problem;
  }
  name_folder(run.problem, folder, dir);
  return run;
}

void read_bench(const fs::path& file, Evidence& evidence) {
  constexpr std::uintmax_t kBytesMax = 16 << 20;
  std::error_code error;
  if (!fs::is_regular_file(file, error)) return;
  std::ifstream in(file, std::ios::binary);
  const bool fits = fs::file_size(file, error) <= kBytesMax;
  const std::string text = fits ? std::string((std::istreambuf_iterator<char>(in)), {}) : "";
  const auto parsed = protocol::parse_strict_json(text, evidence.bench_problem);
  const bool report =
      parsed && text_at(*parsed, "/verdict") != "" && integer_at(*parsed, "/schema") == 1;
  if (!report && evidence.bench_problem.empty()) evidence.bench_problem = "no report of schema 1";
  if (!report) return;
  evidence.bench = *parsed;
  evidence.bench_sha256 = protocol::to_hex(protocol::sha256(text));
}

}  // namespace

std::string to_string(State state) {
  switch (state) {
    case State::kHolds:
      return "holds";
    case State::kUnfit:
      return "unfit";
    case State::kMissing:
      return "missing";
    case State::kBroken:
      break;
  }
  return "broken";
}

std::vector<std::string> Evidence::broken() const {
  std::vector<std::string> list;
  for (const RunEvidence& run : runs) {
    if (run.state == State::kBroken) list.push_back("run " + run.name + ": " + run.problem);
  }
  if (statistics.broken) list.push_back("calibration: " + statistics.problem);
  return list;
}

const RunEvidence* Evidence::find(const std::string& name) const {
  for (const RunEvidence& run : runs) {
    if (run.name == name) return &run;
  }
  return nullptr;
}

const RunEvidence* Evidence::first_that_holds() const {
  for (const RunEvidence& run : runs) {
    if (run.state == State::kHolds) return &run;
  }
  return nullptr;
}

Evidence read_evidence(const VerdictFile& verdict) {
  Evidence evidence;
  for (const json& stated : list_at(verdict.value, "/runs")) {
    const RunEvidence* like = evidence.first_that_holds();
    evidence.runs.push_back(
        read_one(verdict, stated, false, like == nullptr ? nullptr : &like->view));
  }
  for (const json& stated : list_at(verdict.value, "/control_runs")) {
    evidence.runs.push_back(read_one(verdict, stated, true, nullptr));
  }
  evidence.statistics = read_statistics(verdict, evidence.runs);
  read_bench(verdict.folder() / "bench" / "bench.json", evidence);
  return evidence;
}

}  // namespace twinrun::harness
