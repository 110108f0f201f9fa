#include "harness/report/github.h"

#include <map>
#include <vector>

#include "harness/report/describe_parts.h"
#include "harness/report/escape.h"
#include "harness/report/json_fields.h"
#include "harness/report/text.h"

namespace twinrun::harness {
namespace {

namespace fs = std::filesystem;
using nlohmann::json;

/// Annotations in the order in which they were said, at most kAnnotationsMax of each level.
class Annotations {
 public:
  explicit Annotations(const std::string& file)
      : file_(file.empty() ? "" : "file=" + workflow_property(file) + ",") {}

  void add(const std::string& level, const std::string& title, const std::string& message) {
    if (count_[level]++ >= kAnnotationsMax) return;
    text_ += line(level, title, message);
  }

  std::string text() const {
    std::string text = text_;
    for (const auto& [level, count] : count_) {
      if (count <= kAnnotationsMax) continue;
      text += line(level, "twinrun",
                   std::to_string(count - kAnnotationsMax) + " more; the report has them all");
    }
    return text;
  }

 private:
  std::string line(const std::string& level, const std::string& title,
                   const std::string& message) const {
    return "::" + level + " " + file_ + "title=" + workflow_property(title) +
           "::" + workflow_message(message) + "\n";
  }
  std::string file_;
  std::map<std::string, std::size_t> count_;
  std::string text_;
};

/// The case file relative to `workspace`; empty if it is not known or not below it.
std::string case_file(const Evidence& evidence, const fs::path& workspace) {
  const RunEvidence* run = evidence.first_that_holds();
  if (run == nullptr || !run->view.config || workspace.empty()) return {};
  const fs::path file = text_at(run->view.config->launch, "/case");
  const fs::path relative = file.lexically_relative(workspace.lexically_normal());
  const bool below = !relative.empty() && relative.is_relative() && *relative.begin() != "..";
  return below ? relative.generic_string() : std::string();
}

std::string level_of(Verdict verdict) {
  switch (verdict) {
    case Verdict::kReproduced:
      return "notice";
    case Verdict::kNotRun:
      return "warning";
    default:
      return "error";
  }
}

}  // namespace

std::string to_github(const VerdictFile& verdict, const Evidence& evidence,
                      const fs::path& workspace) {
  Annotations list(case_file(evidence, workspace));
  const std::string name = text_at(verdict.value, "/case/name");
  list.add(level_of(verdict.verdict), "twinrun: " + to_string(verdict.verdict),
           (name.empty() ? "" : name + ": ") + with_row_values(verdict, headline(verdict)));
  for (const std::string& broken : evidence.broken()) {
    list.add("error", "twinrun: the evidence does not hold", broken);
  }
  std::string not_run;
  for (const json& check : list_at(verdict.value, "/checks")) {
    const Verdict found = verdict_from_string(text_at(check, "/verdict"));
    const std::string check_name = text_at(check, "/name"), message = text_at(check, "/message");
    if (found == Verdict::kNotRun) {
      not_run += (not_run.empty() ? "" : "; ") + check_name + " (" + message + ")";
    } else if (found != Verdict::kReproduced && message != headline(verdict)) {
      list.add("error", "twinrun: " + check_name + " is " + to_string(found),
               with_row_values(verdict, message));
    }
  }
  for (const RunEvidence& run : evidence.runs) {
    const std::string found = text_at(run.stated, "/verdict");
    if (found != to_string(Verdict::kReproduced)) {
      list.add("error", "twinrun: run " + run.name + " is " + found,
               text_at(run.stated, "/problem"));
    }
    if (!list_at(run.stated, "/injected").empty()) {
      list.add("warning", "twinrun: run " + run.name, "faults were planted in it on purpose");
    }
    const bool seen = run.state != RunEvidence::State::kMissing;
    if (!seen) list.add("warning", "twinrun: run " + run.name, "not checked: " + run.problem);
  }
  for (const json& control : list_at(verdict.value, "/controls")) {
    if (at(control, "/ran") != true || at(control, "/passed") == true) continue;
    list.add("error", "twinrun: control " + text_at(control, "/name") + " failed",
             text_at(control, "/message"));
  }
  if (!not_run.empty()) list.add("notice", "twinrun: not run", not_run);
  return list.text();
}

}  // namespace twinrun::harness
