// What a report says of itself: how to check it again, what was not shown, who vouches.
#include "harness/report/describe_parts.h"
#include "harness/report/json_fields.h"
#include "harness/report/statistics_words.h"
#include "harness/report/text.h"
#include "harness/report/words.h"

namespace twinrun::harness {
namespace {

using nlohmann::json;

std::string infer_check_command_line(const VerdictFile& verdict) {
  const std::string reference = text_at(verdict.value, "/inference/reference/file");
  return "twinrun infer-check " + shell_quote(one_line(text_at(verdict.value, "/runs/0/dir"))) +
         " --reference " + (reference.empty() ? "FILE" : shell_quote(one_line(reference)));
}

constexpr const char* kTwinsAgain =
    "In the folder of verdict.json, on any x86-64 Linux machine with twinrun, without GPU and "
    "network. The first command judges the records again, the second shows whether this is the "
    "verdict that the report was made from, the third makes the report again.";
constexpr const char* kOutputsAgain =
    "In the folder of verdict.json, with the run, the reference and the model where they were. The "
    "first command lets the trainer make the outputs again and judges them (--case names the case "
    "of a run whose trainer is not twinrun-train), the second shows whether this is the verdict "
    "that the report was made from, the third makes the report again.";

}  // namespace

std::string compare_command_line(const VerdictFile& verdict) {
  std::string command =
      std::string("twinrun compare") + (across_machines(verdict) ? " --across" : "");
  for (const json& run : list_at(verdict.value, "/runs")) {
    command += " " + shell_quote(one_line(text_at(run, "/dir")));
  }
  return command + (at(verdict.value, "/without_controls") == true ? " --without-controls" : "");
}

ReportSection again_section(const VerdictFile& verdict) {
  const bool outputs = only_outputs(verdict);
  ReportSection section{
      "again", outputs ? "How to check this again" : "How to check this again, offline", {}};
  section.blocks.emplace_back(Paragraph{outputs ? kOutputsAgain : kTwinsAgain});
  const std::string name = shell_quote(one_line(verdict.path.filename().string()));
  section.blocks.emplace_back(
      CodeBlock{(outputs ? infer_check_command_line(verdict) : compare_command_line(verdict)) +
                "\nsha256sum " + name + "\ntwinrun report " + name + " --format html"});
  Facts facts;
  add_fact(facts, "SHA-256 of verdict.json", verdict.sha256, true);
  for (const json& run : list_at(verdict.value, "/runs")) {
    add_fact(facts, "head of run " + text_at(run, "/name"), text_at(run, "/head"), true);
  }
  section.blocks.emplace_back(facts);
  if (outputs) return section;
  section.blocks.emplace_back(Paragraph{
      "To train again, not only to judge again, takes the inputs with the digests above, the same "
      "program, and, unless numerics is portable, the same kind of machine."});
  return section;
}

ReportSection limits_section(const VerdictFile& verdict, const Evidence& evidence) {
  ReportSection section{"limits", "What was not shown", {}};
  Bullets bullets;
  const auto add = [&](const std::string& text) { bullets.items.push_back({text, false}); };
  for (const json& check : list_at(verdict.value, "/checks")) {
    if (text_at(check, "/verdict") != to_string(Verdict::kNotRun)) continue;
    add("Check " + text_at(check, "/name") + " did not run: " + text_at(check, "/message") + ".");
  }
  for (const RunEvidence& run : evidence.runs) {
    const bool seen = run.state != RunEvidence::State::kMissing;
    if (!seen) add("The record of run " + run.name + " was not looked at: " + run.problem + ".");
  }
  for (const RunEvidence& run : evidence.runs) {
    if (!list_at(run.stated, "/injected").empty()) {
      add("Run " + run.name + " had faults planted on purpose: this is a test of the judge.");
    }
  }
  if (only_outputs(verdict)) {
    add("That the outputs are right, safe or useful: only how they stand to the reference.");
    add("That the run would come out again: it was made once, and only read here.");
  } else if (across_machines(verdict)) {
    add("That the training is right, safe or useful: only how results on " + kinds_words(verdict) +
        " stand to each other.");
    add("That losses are alike step by step: no envelope was asked for.");
  } else if (without_bits(verdict)) {
    add("That the training is right, safe or useful: only how two runs of it stand to each other.");
    add("That a difference smaller than the scatter of such runs would have been found.");
  } else {
    add("That the training is right, safe or useful: only that it came out again.");
  }
  add(across_machines(verdict) ? "That a further kind of machine would give these results."
      : without_bits(verdict)
          ? "That another machine, library or program would give these results."
          : "That another machine, library or program would give these bits, unless numerics is "
            "portable.");
  add("Anything about data or code that no digest above stands for; the trainer reads what it "
      "records of itself, and a trainer that lies is not found out by this.");
  add("That nobody made the records up: digests show damage and careless edits. Against forgery "
      "only "
      "a digest that was kept elsewhere helps.");
  section.blocks.emplace_back(bullets);
  return section;
}

ReportSection vouching_section(const VerdictFile& verdict, const std::string& made) {
  ReportSection section{"vouching", "Who vouches for this", {}};
  const json& value = verdict.value;
  section.blocks.emplace_back(
      Paragraph{"Nobody: this report is NOT SIGNED, and twinrun does not know who ran it. Whoever "
                "passes it on "
                "vouches by passing it on."});
  Facts facts;
  add_fact(facts, "judged from", text_at(value, "/started"));
  add_fact(facts, "to", text_at(value, "/ended"));
  add_fact(facts, "clock", "UTC, the system clock of that machine, checked against nothing");
  add_fact(facts, "judge", version_words(at(value, "/twinrun")));
  const bool outputs = only_outputs(verdict);
  add_fact(facts, "kind of claim",
           outputs ? "outputs of one adapter against a reference"
           : across_machines(verdict)
               ? "equivalence of results: same inputs, different kinds of machine"
               : "repeatability: same team, same program, same inputs");
  add_fact(facts, outputs ? "fidelity of the log-probabilities" : "fidelity of the losses",
           "exact: bits as the trainer recorded them");
  add_fact(facts, "schema of verdict.json",
           std::to_string(integer_at(value, "/schema").value_or(0)));
  if (!made.empty()) add_fact(facts, "report made", made);
  add_fact(facts, "name and role of the person responsible", "");
  add_fact(facts, "to be kept until", "");
  section.blocks.emplace_back(facts);
  return section;
}

}  // namespace twinrun::harness
