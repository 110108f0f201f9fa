#include <unistd.h>

#include <functional>
#include <iostream>

#include "harness/baseline/curve_store.h"
#include "harness/baseline/review.h"
#include "harness/cli/acceptance.h"
#include "harness/cli/baseline_target.h"
#include "harness/cli/baseline_text.h"
#include "harness/cli/commands.h"
#include "harness/cli/options.h"
#include "harness/config/case.h"
#include "harness/exit_code.h"
#include "harness/launch/folder_lock.h"
#include "harness/report/progress.h"
#include "harness/report/text.h"
#include "harness/report/verdict_json.h"

namespace twinrun::harness {
namespace {

namespace fs = std::filesystem;
namespace po = boost::program_options;

constexpr int kDone = static_cast<int>(ExitCode::kReproduced);
constexpr int kBroken = static_cast<int>(ExitCode::kEvidence);

CommandSpec spec_of(const std::string& name, const std::string& purpose) {
  CommandSpec spec;
  spec.name = "baseline " + name;
  spec.operands = "[CASE.yaml | FOLDER | FINGERPRINT.pending.jsonl]";
  spec.operands_min = 0;
  spec.purpose = purpose +
                 "\nWithout an operand the case is twinrun.yaml, or the one "
                 "baselines/*/case.yaml, and its\ncurves lie in the folder curves beside it.";
  spec.notes = "exit code: 0 done, 2 usage, 4 internal, 5 a curve is not what was written";
  spec.example = "  twinrun baseline " + name;
  return spec;
}

int show(const std::vector<std::string>& args) {
  CommandSpec spec = spec_of("show",
                             "Lists the curves: their keys, and who accepted them, when and "
                             "why. With a case, those of\nanother experiment are shown as "
                             "obsolete.");
  spec.flags.add_options()("json", "print the list as JSON");
  const auto parsed = parse_command(std::move(spec), args);
  if (!parsed) return kDone;
  const BaselineTarget target = baseline_target(parsed->operands);
  std::optional<std::string> identity;
  try {
    identity = identity_of(target);
  } catch (const UsageError& error) {
    std::cerr << "twinrun: obsolete curves are not told, since the case does not resolve: "
              << one_line(error.what()) << "\n";
  }
  const std::vector<Listed> list = list_curves(target.folder, identity);
  std::cout << (parsed->has("json") ? json_text(curves_json(target.folder, list))
                                    : curves_text(target.folder, list));
  for (const Listed& entry : list) {
    if (entry.state == CurveState::kBroken) return kBroken;
  }
  return kDone;
}

PlotOptions plot_options() {
  PlotOptions plot;
  plot.columns = std::min<std::size_t>(terminal_columns(STDOUT_FILENO), 160);
  plot.color = use_color(STDOUT_FILENO);
  plot.unicode = isatty(STDOUT_FILENO) == 1;
  return plot;
}

int review(const std::vector<std::string>& args) {
  CommandSpec spec = spec_of("review",
                             "Shows each pending curve beside the baseline whose place it "
                             "would take: where they part,\nwhat made them, and both "
                             "losses as a plot. Changes nothing.");
  spec.flags.add_options()("json", "print the reviews as a JSON list");
  const auto parsed = parse_command(std::move(spec), args);
  if (!parsed) return kDone;
  const BaselineTarget target = baseline_target(parsed->operands);
  const std::vector<fs::path> list =
      target.pending ? std::vector{*target.pending} : pending_in(target.folder);
  if (list.empty()) the_pending(target);
  nlohmann::json reviews = nlohmann::json::array();
  bool first = true;
  for (const fs::path& file : list) {
    const Review found = review_curve(file);
    if (parsed->has("json")) {
      reviews.push_back(review_json(found));
    } else {
      std::cout << (first ? "" : "\n") << review_text(found, plot_options());
    }
    first = false;
  }
  if (parsed->has("json")) std::cout << json_text(reviews);
  return kDone;
}

int accept(const std::vector<std::string>& args) {
  CommandSpec spec = spec_of("accept",
                             "Makes the pending curve the baseline and records who "
                             "accepted it, when, why, and the SHA-256\nof the verdict that "
                             "it came from. Refused in a pipeline (CI is set).");
  spec.flags.add_options()  //
      ("why", po::value<std::string>()->value_name("TEXT"),
       "the reason, for the record (required)")  //
      ("who", po::value<std::string>()->value_name("NAME"),
       "who accepts (default: user.name and user.email of git)")  //
      ("head", po::value<std::string>()->value_name("HEX"),
       "accept only the curve whose head begins so, as review showed it");
  spec.example =
      "  twinrun baseline accept --why 'new tokenizer, loss curve reviewed'\n"
      "  twinrun baseline accept curves/0123456789abcdef.pending.jsonl --why 'driver update'";
  const auto parsed = parse_command(std::move(spec), args);
  if (!parsed) return kDone;
  require_person("accept a baseline");
  const fs::path pending = the_pending(baseline_target(parsed->operands));
  const Acceptance acceptance = read_acceptance(*parsed, pending.parent_path(), "curve");
  const fs::path file = accept_curve(pending, acceptance, parsed->text("head"));
  std::cout << "accepted  " << one_line(file.string()) << "\n  by         " << acceptance.who
            << ", " << acceptance.when << "\n  why        " << acceptance.why
            << "\n  to do      commit it with its description: both files, or neither\n";
  return kDone;
}

int reject(const std::vector<std::string>& args) {
  const auto parsed = parse_command(
      spec_of("reject", "Removes the pending curve. The baseline stays as it is."), args);
  if (!parsed) return kDone;
  const fs::path pending = the_pending(baseline_target(parsed->operands));
  reject_curve(pending);
  std::cout << "rejected  " << one_line(pending.string()) << "\n";
  return kDone;
}

int prune(const std::vector<std::string>& args) {
  CommandSpec spec = spec_of("prune",
                             "Says which curves are of no use any more: of another "
                             "experiment than the case is now,\npending ones that equal "
                             "their baseline, halves of pending ones. Removes them with "
                             "--yes\n(refused in a pipeline).");
  spec.flags.add_options()("yes", "remove them");
  const auto parsed = parse_command(std::move(spec), args);
  if (!parsed) return kDone;
  const bool remove = parsed->has("yes");
  if (remove) require_person("prune baselines");
  const BaselineTarget target = baseline_target(parsed->operands);
  const std::optional<std::string> identity = identity_of(target);
  std::optional<FolderLock> lock;
  if (remove && fs::is_directory(target.folder)) lock.emplace(target.folder);
  std::size_t found = 0;
  for (const Listed& entry : list_curves(target.folder, identity)) {
    if (entry.state != CurveState::kObsolete) continue;
    ++found;
    if (remove) remove_curve(entry.curve.file);
    std::cout << (remove ? "removed   " : "obsolete  ") << one_line(entry.curve.file.string())
              << ": " << one_line(entry.why) << "\n";
  }
  if (found == 0)
    std::cout << "nothing is obsolete in " << one_line(target.folder.string()) << "\n";
  if (found > 0 && !remove) std::cout << "nothing was removed; --yes removes them\n";
  return kDone;
}

struct Part {
  std::string name, purpose;
  std::function<int(const std::vector<std::string>&)> run;
};

const std::vector<Part>& parts() {
  static const std::vector<Part> list = {
      {"show", "list the curves: keys, state, who accepted them", show},
      {"review", "a pending curve beside its baseline, with a plot", review},
      {"accept", "make the pending curve the baseline: --why TEXT", accept},
      {"reject", "remove the pending curve", reject},
      {"prune", "list what is obsolete; remove it with --yes", prune}};
  return list;
}

std::string overview() {
  std::string text =
      "usage: twinrun baseline COMMAND ...\n\n"
      "Frozen curves, which change only when a person says so. `twinrun verify --baseline` that "
      "finds\nno curve of its key, or another one, writes a pending curve beside it.\n\n";
  for (const Part& part : parts()) {
    text += "  " + part.name + std::string(8 - part.name.size(), ' ') + part.purpose + "\n";
  }
  return text +
         "\n`twinrun baseline COMMAND --help` says more.\n\nexample:\n"
         "  twinrun baseline review\n  twinrun baseline accept --why 'new data'\n";
}

}  // namespace

std::vector<std::string> baseline_parts() {
  std::vector<std::string> names;
  for (const Part& part : parts()) names.push_back(part.name);
  return names;
}

int baseline_command(const std::vector<std::string>& args) {
  const std::string word = args.empty() ? "" : args.front();
  if (word == "--help" || word == "-h") {
    std::cout << overview();
    return kDone;
  }
  for (const Part& part : parts()) {
    if (part.name == word) return part.run({args.begin() + 1, args.end()});
  }
  const std::string near = nearest_word(word, baseline_parts());
  throw UsageError((word.empty() ? "baseline: COMMAND is missing"
                                 : "baseline: no command '" + one_line(word) + "'") +
                   (near.empty() ? "" : "; did you mean '" + near + "'?") +
                   " (twinrun baseline --help)");
}

}  // namespace twinrun::harness
