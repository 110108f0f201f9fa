#include "harness/cli/infer_runs.h"

#include <algorithm>
#include <fstream>
#include <iostream>
#include <iterator>

#include "harness/cli/execute.h"
#include "harness/exit_code.h"
#include "harness/launch/launch.h"
#include "harness/protocol/record_writer.h"
#include "harness/report/json_fields.h"
#include "harness/report/text.h"

namespace twinrun::harness {
namespace {

namespace fs = std::filesystem;
using nlohmann::json;

constexpr const char* kOutputs = "inference.jsonl";
constexpr const char* kReference = "reference.jsonl";
constexpr const char* kPrompts = "prompts.jsonl";

void write_config(const InferPlan& plan) {
  fs::create_directories(plan.dir);
  const fs::path path = plan.dir / "config.json";
  if (fs::exists(path)) return;
  protocol::write_file_atomically(
      path, config_of_run(plan.config, plan.name, {}, plan.nuisance).to_text());
}

std::vector<std::string> arguments(const InferPlan& plan) {
  std::vector<std::string> words = {"infer", (plan.dir / "config.json").string(), "--run-dir",
                                    plan.dir.string()};
  if (!plan.adapter.empty()) words.insert(words.end(), {"--adapter", plan.adapter});
  for (const char* name : {"prompts", "reference"}) {
    const json file = at(plan.config.launch, std::string("/inference/") + name);
    if (file.is_string()) {
      words.insert(words.end(), {std::string("--") + name, file.get<std::string>()});
    }
  }
  return words;
}

/// Nothing tells how far the trainer is, so it gets for every batch, and for loading, what a step
/// may take; a batch is done twice where a reference is forced, too.
double time_limit_s(const InferPlan& plan, double step_timeout_s) {
  const json settings = at(plan.config.launch, "/inference");
  const json file = at(settings, "/reference").is_string() ? at(settings, "/reference")
                                                           : at(settings, "/prompts");
  std::ifstream stream(file.is_string() ? file.get<std::string>() : std::string());
  const auto lines = std::count(std::istreambuf_iterator<char>(stream), {}, '\n');
  const auto batch_size = settings.value("batch_size", protocol::kInferenceBatchSize);
  return step_timeout_s * static_cast<double>(1 + 2 * (lines / batch_size + 1));
}

/// The last line that the trainer wrote to stderr, without the mark that stderr_tail puts before
/// it.
std::string last_line(const std::string& tail) {
  std::string text = tail;
  while (!text.empty() && text.back() == '\n') text.pop_back();
  const std::size_t begin = text.rfind('\n');
  if (begin != std::string::npos) text.erase(0, begin + 1);
  return text.rfind("| ", 0) == 0 ? text.substr(2) : text;
}

std::string failure_of(const LaunchResult& launch, double limit_s) {
  const std::string said = one_line(last_line(launch.stderr_tail));
  const std::string says = said.empty() ? "" : "; it says: " + said;
  switch (launch.outcome) {
    case LaunchResult::Outcome::kExited:
      if (launch.exit_code == 0) return {};
      return "infer exited with " + std::to_string(launch.exit_code) + says;
    case LaunchResult::Outcome::kSignaled:
      return "infer was killed by signal " + std::to_string(launch.signal) + says;
    case LaunchResult::Outcome::kTimedOut:
      return "infer was ended by the judge after " +
             std::to_string(static_cast<long long>(limit_s)) + " s";
    case LaunchResult::Outcome::kInterrupted:
      return "infer was interrupted";
    case LaunchResult::Outcome::kNotStarted:
      break;
  }
  return "infer could not be started" + says;
}

/// Copies the case's file `name` (prompts, reference) to `copy`, if it still is what it was.
void keep(const ResolvedCase& resolved, const char* name, const fs::path& copy) {
  const auto from = resolved.config.launch.at("inference").at(name).get<std::string>();
  std::ifstream file(from, std::ios::binary);
  const std::string text((std::istreambuf_iterator<char>(file)), {});
  const json wanted = resolved.config.judgement.at("inference").at(name);
  if (protocol::to_hex(protocol::sha256(text)) != wanted) {
    throw NoVerdictError(from + ": has changed since the case was read");
  }
  protocol::write_file_atomically(copy, text);
}

fs::path shown(const fs::path& file, const fs::path& base) {
  return base.empty() ? file : fs::relative(file, base);
}

InferenceInput input_of(const json& settings, const fs::path& folder, const fs::path& base) {
  InferenceInput input;
  input.settings = settings;
  if (at(settings, "/reference").is_string()) {
    input.reference = folder / kReference;
    input.shown_reference = shown(*input.reference, base);
  }
  if (at(settings, "/prompts").is_string()) input.prompts = folder / kPrompts;
  return input;
}

OutputsSource in_folder(const std::string& name, const fs::path& dir, const fs::path& base) {
  return {name, nullptr, dir / kOutputs, "", shown(dir / kOutputs, base)};
}

}  // namespace

OutputsSource execute_infer(const InferPlan& plan, const ResolvedCase& resolved, bool quiet) {
  write_config(plan);
  LaunchOptions options;
  options.command = resolved.command;
  for (const std::string& word : arguments(plan)) options.command.push_back(word);
  options.run_dir = plan.dir;
  options.log_prefix = "infer-";
  options.step_timeout_s = time_limit_s(plan, resolved.step_timeout_s);
  options.environment = plan.nuisance.environment();
  options.umask = plan.nuisance.umask;
  if (!quiet) std::cerr << "twinrun: outputs of " << plan.name << "\n";
  const LaunchResult launch = launch_trainer(options);
  OutputsSource source = in_folder(plan.name, plan.dir, {});
  source.failure = failure_of(launch, options.step_timeout_s);
  const bool usage = launch.outcome == LaunchResult::Outcome::kNotStarted ||
                     (launch.outcome == LaunchResult::Outcome::kExited && launch.exit_code == 2);
  if (usage) throw UsageError("outputs of " + plan.name + ": " + source.failure);
  if (source.failure.empty()) source.failure = changed_program(resolved);
  return source;
}

InferenceInput infer_runs(const ResolvedCase& resolved, const fs::path& base,
                          std::vector<JudgedRun>& runs, bool quiet) {
  protocol::RunConfig config = resolved.config;
  InferenceInput input = input_of(config.judgement.at("inference"), base, base);
  for (const auto& [name, copy] :
       {std::pair{"prompts", input.prompts}, {"reference", input.reference}}) {
    if (!copy) continue;
    keep(resolved, name, *copy);
    config.launch["inference"][name] = copy->string();
  }
  int index = 0;
  for (JudgedRun& run : runs) {
    if (interrupt_signal() != 0) return input;
    OutputsSource source = execute_infer(
        {run.name, run.view.dir, "", config, nuisance_of_run(index++)}, resolved, quiet);
    source.shown_file = shown(source.file, base);
    source.in_manifest = true;
    input.runs.push_back(std::move(source));
    run.view = read_run(run.view.dir);
  }
  if (!resolved.controls) {
    input.control_missing = "verify.controls is false";
  } else if (interrupt_signal() == 0) {
    input.control = execute_infer(
        {kNoopAdapter, base / "controls" / kNoopAdapter, "none", config, nuisance_of_run(index)},
        resolved, quiet);
    input.control->shown_file = shown(input.control->file, base);
  }
  return input;
}

std::optional<InferenceInput> stored_inference(const std::vector<JudgedRun>& runs,
                                               const fs::path& base, bool with_control) {
  const auto says = std::find_if(runs.begin(), runs.end(),
                                 [](const JudgedRun& run) { return run.view.config.has_value(); });
  if (says == runs.end()) return std::nullopt;
  const json settings = at(says->view.config->judgement, "/inference");
  if (!settings.is_object()) return std::nullopt;
  const fs::path folder = fs::weakly_canonical(runs.front().view.dir).parent_path();
  InferenceInput input = input_of(settings, folder, base);
  for (const JudgedRun& run : runs) {
    OutputsSource source = in_folder(run.name, run.view.dir, base);
    source.in_manifest = true;
    input.runs.push_back(std::move(source));
  }
  const fs::path control = folder / "controls" / kNoopAdapter;
  if (with_control && fs::exists(control / kOutputs)) {
    input.control = in_folder(kNoopAdapter, control, base);
  } else {
    input.control_missing = with_control
                                ? "no outputs without the adapter are stored beside the runs"
                                : "waived by --without-controls";
  }
  return input;
}

}  // namespace twinrun::harness
