#include "harness/report/verdict_file.h"

#include <algorithm>
#include <cerrno>
#include <cmath>
#include <cstring>
#include <fstream>
#include <iterator>

#include "harness/exit_code.h"
#include "harness/protocol/append_file.h"
#include "harness/protocol/sha256.h"
#include "harness/protocol/strict_json.h"
#include "harness/report/describe_parts.h"
#include "harness/report/json_fields.h"
#include "harness/report/open_file.h"
#include "harness/report/statistics_words.h"
#include "harness/report/text.h"
#include "harness/report/verdict_json.h"
#include "harness/report/verdict_schema.h"

namespace twinrun::harness {
namespace {

namespace fs = std::filesystem;
using nlohmann::json;

// A verdict of 1,000 runs takes some 2 MB; what is longer is another file.
constexpr std::uintmax_t kBytesMax = 64 << 20;

std::string read_text(const fs::path& path) {
  const std::string name = "'" + one_line(path.string()) + "'";
  std::ifstream file = open_regular_file(path, "name the verdict.json in it");
  std::error_code error;
  if (fs::file_size(path, error) > kBytesMax) {
    throw UsageError(name + " is too long for a verdict (over 64 MiB)");
  }
  const std::string text((std::istreambuf_iterator<char>(file)), {});
  if (file.bad()) throw UsageError(name + " cannot be read: " + std::strerror(errno));
  return text;
}

/// What else of twinrun's files this is, where that is easily told.
std::string mistaken_for(const json& value) {
  if (value.contains("run_id")) return "; this is the manifest of a run";
  if (value.contains("identity") && value.contains("launch")) {
    return "; this is the configuration of a run";
  }
  return "";
}

[[noreturn]] void contradiction(const fs::path& path, const std::string& what) {
  throw EvidenceError("'" + one_line(path.string()) + "' contradicts itself: " + one_line(what) +
                      ". No verdict of twinrun does; it was changed afterwards");
}

Verdict verdict_at(const json& object) { return verdict_from_string(text_at(object, "/verdict")); }

/// What a green twin check rests on.
void require_twins(const VerdictFile& file) {
  const json& value = file.value;
  if (list_at(value, "/runs").size() < 2) {
    contradiction(file.path, "the twins are REPRODUCED, but there are less than two runs");
  }
  for (const json& run : list_at(value, "/runs")) {
    if (verdict_at(run) == Verdict::kReproduced) continue;
    contradiction(file.path, "the twins are REPRODUCED, but run " + text_at(run, "/name") + " is " +
                                 text_at(run, "/verdict"));
  }
  if (list_at(value, "/comparisons").empty()) {
    contradiction(file.path, "the twins are REPRODUCED, but no pair was compared");
  }
  for (const json& pair : list_at(value, "/comparisons")) {
    const std::string names = text_at(pair, "/a") + " and " + text_at(pair, "/b");
    const bool equal = verdict_at(pair) == Verdict::kReproduced && at(pair, "/first").is_null();
    if (!equal) contradiction(file.path, "the twins are REPRODUCED, but not " + names);
    if (integer_at(pair, "/steps_compared").value_or(0) < 1) {
      contradiction(file.path, "the twins are REPRODUCED, but no step of " + names);
    }
  }
}

void require_controls(const VerdictFile& file) {
  const json controls = list_at(file.value, "/controls");
  if (controls.empty()) contradiction(file.path, "controls are REPRODUCED, but none is there");
  for (const json& control : controls) {
    if (at(control, "/ran") == true && at(control, "/passed") == true) continue;
    contradiction(file.path, "controls are REPRODUCED, but " + text_at(control, "/name") +
                                 " did not run and pass");
  }
}

bool above(const json& value, const json& limit) {
  return value.is_number() && limit.is_number() && value.get<double>() > limit.get<double>();
}

/// What a green calibration and equivalence rest on.
void require_within(const VerdictFile& file) {
  const json alpha = at(file.value, "/statistics/settings/alpha");
  const json candidates = list_at(file.value, "/statistics/candidates");
  if (candidates.empty()) contradiction(file.path, "the calibration is REPRODUCED without a run");
  for (const json& candidate : candidates) {
    if (above(at(candidate, "/p"), alpha)) continue;
    contradiction(file.path, "the calibration is REPRODUCED, but p of run " +
                                 text_at(candidate, "/name") + " is not above alpha");
  }
}

void require_equivalent(const VerdictFile& file) {
  bool tested = false;
  for (const json& found : list_at(file.value, "/statistics/equivalences")) {
    if (is_slice(found)) continue;  // it decides nothing
    tested = true;
    const json margin = at(found, "/margin"), low = at(found, "/low");
    const bool inside =
        low.is_number() && above(margin, -low.get<double>()) && above(margin, at(found, "/high"));
    if (text_at(found, "/outcome") == "equivalent" && inside) continue;
    contradiction(file.path, "equivalence is REPRODUCED, but not " + text_at(found, "/metric") +
                                 " of " + text_at(found, "/a") + " and " + text_at(found, "/b"));
  }
  if (!tested) contradiction(file.path, "equivalence is REPRODUCED, but nothing was tested");
}

/// JSON has no infinity: a perplexity that is none is null, and of a loss whose exponential is
/// finite it never is.
bool lost_perplexity(const json& scores) {
  const json loss = at(scores, "/loss");
  return at(scores, "/perplexity").is_null() && loss.is_number() &&
         std::isfinite(std::exp(loss.get<double>()));
}

/// What green held-out rows rest on.
void require_rows(const VerdictFile& file) {
  const auto deny = [&](const std::string& what) {
    contradiction(file.path, "the evaluation is REPRODUCED, but " + what);
  };
  const json evaluation = at(file.value, "/evaluation");
  if (!at(evaluation, "/first").is_null()) deny("a row differs");
  for (const char* count : {"/rows", "/evaluations", "/comparisons"}) {
    if (integer_at(evaluation, count).value_or(0) < 1) deny("nothing was compared");
  }
  const json runs = list_at(evaluation, "/runs");
  if (runs.size() < 2) deny("there are less than two runs");
  for (const json& run : runs) {
    const std::string name = "run " + text_at(run, "/name");
    if (text_at(run, "/sha256").empty()) deny(name + " has no eval.jsonl");
    if (list_at(run, "/scores").empty()) deny(name + " has no score");
    for (const json& scores : list_at(run, "/scores")) {
      if (lost_perplexity(scores)) deny("a perplexity is not finite in " + name);
    }
    // Of the same losses and answers.
    const bool bits = text_at(check_named(file, "evaluation"), "/reason") == "bitwise";
    if (bits && at(run, "/scores") != at(runs.front(), "/scores")) {
      deny(name + " has other scores than run " + text_at(runs.front(), "/name"));
    }
  }
}

void require_agreement(const VerdictFile& file) {
  std::vector<Check> checks;
  for (const json& check : list_at(file.value, "/checks")) {
    checks.push_back({text_at(check, "/name"), verdict_at(check), {}, {}});
  }
  if (const Verdict wanted = overall(checks); wanted != file.verdict) {
    contradiction(file.path, "its checks come to " + to_string(wanted) + ", it says " +
                                 to_string(file.verdict));
  }
  const auto code = static_cast<int>(exit_code(file.verdict));
  if (integer_at(file.value, "/exit_code") != code) {
    contradiction(file.path, to_string(file.verdict) + " has exit code " + std::to_string(code));
  }
  std::int64_t made = 0;
  for (const json& pair : list_at(file.value, "/comparisons")) {
    made += integer_at(pair, "/comparisons").value_or(0);
  }
  if (integer_at(file.value, "/comparisons_made") != made) {
    contradiction(file.path, "comparisons_made is not the sum over its pairs");
  }
  for (const Check& check : checks) {
    if (check.verdict != Verdict::kReproduced) continue;
    if (check.name == "twin") require_twins(file);
    if (check.name == "controls") require_controls(file);
    if (check.name == "calibration") require_within(file);
    if (check.name == "equivalence") require_equivalent(file);
    if (check.name == "evaluation") require_rows(file);
  }
}

}  // namespace

fs::path VerdictFile::folder() const { return protocol::folder_of(path); }

VerdictFile parse_verdict(const fs::path& path, const std::string& text) {
  const std::string name = "'" + one_line(path.string()) + "'";
  std::string problem;
  const auto parsed = protocol::parse_strict_json(text, problem);
  if (!parsed) throw UsageError(name + " is no verdict: " + one_line(problem));
  if (!parsed->is_object()) throw UsageError(name + " is no verdict: not a JSON object");
  if (!parsed->contains("verdict")) {
    throw UsageError(name + " is no verdict: it has no field 'verdict'" + mistaken_for(*parsed));
  }
  const auto schema = integer_at(*parsed, "/schema");
  if (schema && *schema > kVerdictSchema) {
    throw UsageError(name + " is a verdict of schema " + std::to_string(*schema) +
                     ", and this twinrun reads up to " + std::to_string(kVerdictSchema) +
                     ": take a newer one");
  }
  problem = verdict_schema_problem(*parsed);
  if (!problem.empty()) throw UsageError(name + " is no verdict: " + one_line(problem));
  VerdictFile file{path, *parsed, protocol::to_hex(protocol::sha256(text)), verdict_at(*parsed)};
  require_agreement(file);
  return file;
}

VerdictFile read_verdict(const fs::path& path) { return parse_verdict(path, read_text(path)); }

}  // namespace twinrun::harness
