// What a report says of the runs: controls, run folders, inputs and settings, machine, differences.
#include <algorithm>

#include "harness/protocol/canonical_json.h"
#include "harness/report/describe_parts.h"
#include "harness/report/json_fields.h"
#include "harness/report/text.h"
#include "harness/report/words.h"

namespace twinrun::harness {
namespace {

using nlohmann::json;

std::string state_words(const RunEvidence& run) {
  switch (run.state) {
    case RunEvidence::State::kHolds:
      return "checked: every line, chain value and digest holds, and the head is the verdict's";
    case RunEvidence::State::kUnfit:
      return "checked: not whole, as the verdict says (" + run.problem + ")";
    case RunEvidence::State::kMissing:
      return "NOT CHECKED: " + run.problem;
    case RunEvidence::State::kBroken:
      return "DOES NOT HOLD: " + run.problem;
  }
  return {};
}

void add_run_facts(ReportSection& section, const RunEvidence& run) {
  Facts facts;
  const json& stated = run.stated;
  add_fact(facts, "run", run.name + (run.control ? " (control)" : ""));
  add_fact(facts, "found", text_at(stated, "/verdict") + ": " + text_at(stated, "/reason"));
  if (const std::string problem = text_at(stated, "/problem"); !problem.empty()) {
    add_fact(facts, "problem", problem);
  }
  if (const std::string outcome = text_at(stated, "/outcome"); !outcome.empty()) {
    add_fact(facts, "its process", outcome);
  }
  add_fact(facts, "record beside the verdict", state_words(run));
  add_fact(facts, "steps", grouped(integer_at(stated, "/steps").value_or(0)));
  add_fact(facts, "run id", text_at(stated, "/run_id"), true);
  add_fact(facts, "head", text_at(stated, "/head"), true);
  if (run.view.summary.last_adapter) {
    add_fact(facts, "adapter after the last step", protocol::to_hex(*run.view.summary.last_adapter),
             true);
  }
  if (const json seconds = at(stated, "/seconds"); seconds.is_number() && seconds != 0) {
    const double mib =
        static_cast<double>(integer_at(stated, "/max_rss_bytes").value_or(0)) / (1 << 20);
    add_fact(facts, "took",
             number_text("%.1f s, ", seconds.get<double>()) + number_text("%.0f MiB at most", mib));
  }
  std::vector<std::string> faults;
  for (const json& fault : list_at(stated, "/injected")) faults.push_back(words_of(fault));
  if (!faults.empty()) add_fact(facts, "faults planted on purpose", list_words(faults));
  section.blocks.emplace_back(facts);
  if (const std::string tail = text_at(stated, "/stderr_tail"); !tail.empty()) {
    section.blocks.emplace_back(Paragraph{"The end of what its trainer wrote to stderr:"});
    section.blocks.emplace_back(CodeBlock{tail});
  }
}

/// Rows for the files and digests of `value`, an object of file names to digests or to more.
void add_digests(Facts& facts, const std::string& name, const json& value) {
  if (!value.is_object()) return;
  const json flat = value.empty() ? json::object() : value.flatten();
  for (const auto& item : flat.items()) {
    // Pointers of flatten() begin with a slash and write one within a name as ~1.
    std::string key = item.key().substr(1);
    for (std::size_t slash; (slash = key.find("~1")) != std::string::npos;) {
      key.replace(slash, 2, "/");
    }
    add_fact(facts, name + " " + key, words_of(item.value()), true);
  }
}

/// Rows for each value of the manifest below `pointer`.
void add_manifest(Facts& facts, const json& manifest, const std::string& name,
                  const std::string& pointer) {
  const json value = at(manifest, pointer);
  if (value.is_object() && !value.empty()) return add_digests(facts, name, value);
  add_fact(facts, name, value.is_object() ? "none" : words_of(value), true);
}

}  // namespace

ReportSection controls_section(const VerdictFile& verdict) {
  ReportSection section{"controls", "Controls: would a difference have been found?", {}};
  const json controls = list_at(verdict.value, "/controls");
  if (controls.empty()) return section;
  Table table{{"control", "asks", "result", "found"}, {}};
  for (const json& control : controls) {
    const std::string name = text_at(control, "/name");
    const bool ran = at(control, "/ran") == true, passed = at(control, "/passed") == true;
    table.rows.push_back({{name, false},
                          {question_of(name), false},
                          {!ran     ? "NOT RUN"
                           : passed ? "passed"
                                    : "FAILED",
                           false},
                          {text_at(control, "/message"), false}});
  }
  section.blocks.emplace_back(table);
  return section;
}

ReportSection runs_section(const Evidence& evidence) {
  ReportSection section{"runs", "The runs", {}};
  if (evidence.runs.empty()) return section;
  section.blocks.emplace_back(Paragraph{
      "A record is a file of one line a step. Each line carries a SHA-256 over itself and "
      "the line before it; the last of them, the head, stands for the whole record."});
  for (const RunEvidence& run : evidence.runs) add_run_facts(section, run);
  return section;
}

ReportSection inputs_section(const VerdictFile& verdict, const Evidence& evidence) {
  ReportSection section{"inputs", "Inputs and settings", {}};
  Facts facts;
  add_fact(facts, "identity (SHA-256 of the settings below)",
           text_at(verdict.value, "/case/identity"), true);
  add_fact(facts, "fingerprint (of settings and machine)", text_at(verdict.value, "/fingerprint"),
           true);
  const RunEvidence* run = evidence.first_that_holds();
  if (run == nullptr || !run->view.config) {
    section.blocks.emplace_back(facts);
    section.blocks.emplace_back(
        Paragraph{"No record that holds lies beside the verdict, so inputs and settings are not "
                  "known here."});
    return section;
  }
  const json& identity = run->view.config->identity;
  add_digests(facts, "model", at(identity, "/model"));
  add_digests(facts, "tokenizer", at(identity, "/tokenizer"));
  add_digests(facts, "data", at(identity, "/data"));
  add_fact(facts, "seed", words_of(at(identity, "/seed")));
  add_digests(facts, "seed of", at(identity, "/seeds"));
  add_fact(facts, "numerics", text_at(identity, "/numerics"));
  const auto& header = run->view.summary.header;
  add_fact(facts, "order of all sums (arithmetic)", header ? header->arithmetic : "", true);
  add_digests(facts, "judged by", at(verdict.value, "/judgement"));
  section.blocks.emplace_back(facts);
  section.blocks.emplace_back(Paragraph{
      "All settings that the result may depend on, after defaults (run " + run->name + "):"});
  section.blocks.emplace_back(
      CodeBlock{run->view.config->identity.dump(2, ' ', false, json::error_handler_t::replace)});
  return section;
}

ReportSection machine_section(const Evidence& evidence) {
  ReportSection section{"machine", "Machine and programs", {}};
  const RunEvidence* run = evidence.first_that_holds();
  if (run == nullptr) return section;
  const json& manifest = run->view.manifest;
  section.blocks.emplace_back(
      Paragraph{"As the trainer of run " + run->name + " states them itself."});
  Facts facts;
  add_manifest(facts, manifest, "device", "/device");
  add_manifest(facts, manifest, "cpu", "/cpu");
  add_manifest(facts, manifest, "version of", "/versions");
  add_manifest(facts, manifest, "trainer's source", "/git");
  add_manifest(facts, manifest, "trainer's program (SHA-256)", "/binary");
  if (run->view.config)
    add_digests(facts, "started", at(run->view.config->launch, "/command_files"));
  add_manifest(facts, manifest, "switch", "/switches");
  add_manifest(facts, manifest, "variable", "/environment");
  add_manifest(facts, manifest, "processes that train together", "/world_size");
  add_fact(facts, "container, ECC, MIG, clocks", "");
  section.blocks.emplace_back(facts);
  return section;
}

ReportSection differences_section(const VerdictFile& verdict) {
  ReportSection section{"differences", "What else differed between the runs", {}};
  const json pair = deciding_pair(verdict);
  const json suspects = list_at(pair, "/suspects");
  if (suspects.empty()) return section;
  section.blocks.emplace_back(Paragraph{
      "Where bits differ, one of these may be why. What is below /launch/nuisance/ twinrun made "
      "different on purpose: it must not matter."});
  add_differences(section, suspects, "run " + text_at(pair, "/a"), "run " + text_at(pair, "/b"));
  return section;
}

}  // namespace twinrun::harness
