#include <algorithm>
#include <fstream>
#include <iostream>
#include <stdexcept>

#include "harness/cli/commands.h"
#include "harness/cli/init_find.h"
#include "harness/cli/options.h"
#include "harness/config/case.h"
#include "harness/config/cores.h"
#include "harness/exit_code.h"
#include "harness/protocol/append_file.h"
#include "harness/protocol/canonical_json.h"
#include "harness/report/text.h"
#include "harness/report/verdict_json.h"
#include "pull_request_workflow.h"

namespace twinrun::harness {
namespace {

namespace fs = std::filesystem;
namespace po = boost::program_options;

constexpr const char* kCaseName = "twinrun.yaml";
constexpr const char* kIgnored = "/twinrun-out/";
constexpr std::int64_t kLengthMax = 1024;
constexpr std::int64_t kBatchMax = 4;

CommandSpec init_spec() {
  CommandSpec spec;
  spec.name = "init";
  spec.operands = "[FOLDER]";
  spec.operands_min = 0;
  spec.purpose =
      "Makes a repository ready for twinrun: writes twinrun.yaml (a case, with the model, data, "
      "GPU "
      "and\ncores that are found), .github/workflows/twinrun.yml (the gate of a pull request) and "
      "a "
      "line in\n.gitignore, and says what was guessed. Writes over nothing: all of it, or none.";
  spec.flags.add_options()  //
      ("model", po::value<std::string>()->value_name("DIR"),
       "the Hugging Face folder to train (default: the one that is found)")  //
      ("data", po::value<std::string>()->value_name("FILE"),
       "the JSONL file to train on (default: the one that is found)");
  spec.notes = "exit code: 0 written, 2 usage (nothing was written)";
  spec.example =
      "  twinrun init\n"
      "  twinrun init --model models/my-llama --data data/train.jsonl";
  return spec;
}

/// What was found, and what has to be said about it.
struct Findings {
  FoundModel model;
  FoundData data;
  std::string rendering;  ///< data.template
  std::vector<std::string> gpus;
  std::vector<std::string> said;
};

template <typename Found, typename Path>
std::string others(const std::vector<Found>& list, Path path) {
  if (list.size() < 2) return "";
  std::vector<std::string> names;
  for (std::size_t i = 1; i < std::min<std::size_t>(list.size(), 4); ++i) {
    names.push_back(path(list[i]).string());
  }
  if (list.size() > 4) names.push_back("more");
  return " (guessed; here are also " + list_words(names) + ")";
}

FoundModel the_model(const fs::path& folder, const std::string& given,
                     std::vector<std::string>& said) {
  if (!given.empty()) {
    if (const auto model = look_at_model(given)) return *model;
    throw UsageError("--model: '" + given +
                     "' is no model folder: config.json with a model_type, and model*.safetensors");
  }
  const auto list = find_models(folder);
  if (list.empty()) {
    throw UsageError("no model folder (config.json beside model*.safetensors) was found in '" +
                     folder.string() +
                     "', four folders deep; name one with --model. A trainer of your own needs "
                     "none: ci/examples/ of twinrun has cases for one");
  }
  const auto path = [](const FoundModel& model) { return model.folder.lexically_normal(); };
  said.push_back("model    " + path(list.front()).string() + others(list, path));
  return list.front();
}

FoundData the_data(const fs::path& folder, const std::string& given,
                   std::vector<std::string>& said) {
  if (!given.empty()) {
    if (const auto data = look_at_data(given)) return *data;
    throw UsageError(
        "--data: '" + given +
        "' is no JSONL file whose lines hold messages, prompt and response, or instruction "
        "and output");
  }
  const auto list = find_data(folder);
  if (list.empty()) {
    throw UsageError(
        "no data file (*.jsonl with messages, prompt and response, or instruction and "
        "output) was found in '" +
        folder.string() + "', four folders deep; name one with --data");
  }
  const auto path = [](const FoundData& data) { return data.file.lexically_normal(); };
  said.push_back("data     " + path(list.front()).string() + ", " +
                 count_of(list.front().samples, "sample") + others(list, path));
  return list.front();
}

Findings find(const fs::path& folder, const ParsedCommand& parsed) {
  Findings found;
  found.model = the_model(folder, parsed.text("model"), found.said);
  found.data = the_data(folder, parsed.text("data"), found.said);
  found.gpus = find_gpus();
  const std::string cores = count_of(physical_cores(), "core");
  found.said.push_back("machine  " + (found.gpus.empty() ? "no NVIDIA GPU, " + cores
                                                         : list_words(found.gpus) + ", " + cores));
  std::string why = "guessed: the tokenizer knows no chat tokens";
  found.rendering = "text";
  if (found.data.alpaca) {
    found.rendering = "alpaca";
    why = "the data holds instructions";
  } else if (found.data.messages || !found.model.chat_template.empty()) {
    const bool known = !found.model.chat_template.empty();
    found.rendering = known ? found.model.chat_template : "chatml";
    why =
        found.data.messages ? "the data holds messages" : "guessed: the tokenizer knows its tokens";
  }
  found.said.push_back("template " + found.rendering + " (" + why + ")");
  return found;
}

/// `path` as seen from `from`. A link on the way stays one: it is there on purpose.
std::string seen_from(const fs::path& from, const fs::path& path) {
  const fs::path base = fs::absolute(from / ".").lexically_normal().parent_path();
  return fs::absolute(path).lexically_normal().lexically_proximate(base).string();
}

/// The same as YAML reads it back, whatever it holds.
std::string yaml_path(const fs::path& path, const fs::path& from) {
  std::string text;
  protocol::append_json_string(text, seen_from(from, path));
  return text;
}

std::string case_text(const Findings& found, const fs::path& folder, const std::string& name) {
  std::int64_t length = kLengthMax;
  if (found.model.positions > 0) length = std::min(length, found.model.positions);
  const std::int64_t batch = std::clamp<std::int64_t>(found.data.samples, 1, kBatchMax);
  std::string quoted_name;
  protocol::append_json_string(quoted_name, name);
  std::string text =
      "# Written by `twinrun init`. docs/protocol.md of twinrun has every key and default.\n"
      "schema: 1\n"
      "name: " +
      quoted_name +
      "\n"
      "# bfloat16 is faster on a GPU, but only float32 can be replayed on a CPU (numerics: "
      "portable).\n"
      "model: {path: " +
      yaml_path(found.model.folder, folder) +
      ", dtype: float32}\n"
      "data:\n"
      "  path: " +
      yaml_path(found.data.file, folder) +
      "\n"
      "  template: " +
      found.rendering +
      "\n"
      "  max_length: " +
      std::to_string(length) +
      "  # a longer sample is dropped and counted\n"
      "  loss_on: response\n"
      "lora: {rank: 8, alpha: 16, dropout: 0.05, target_modules: all-linear}\n"
      "train:\n"
      "  steps: 10\n"
      "  batch_size: " +
      std::to_string(batch) +
      "\n"
      "  optimizer: {name: adamw, lr: 2.0e-4}\n"
      "  schedule: {name: cosine, warmup_steps: 2}\n"
      "seed: 42\n"
      "numerics: deterministic  # fast | deterministic | portable\n"
      "device: auto  # a GPU if there is one\n";
  if (found.gpus.empty()) {
    text += "threads: " + std::to_string(physical_cores()) +
            "  # as found; on a CPU the bits hang on it, except with numerics: portable\n";
  }
  return text;
}

std::string replaced(std::string text, const std::string& from, const std::string& to) {
  const std::size_t at = text.find(from);
  if (at == std::string::npos) throw std::logic_error("the workflow has no '" + from + "'");
  return text.replace(at, from.size(), to);
}

struct NewFile {
  fs::path path;
  std::string text;
};

NewFile workflow_file(const fs::path& folder, std::vector<std::string>& said) {
  const fs::path root = git_root(folder).value_or(fs::weakly_canonical(folder));
  const fs::path case_file = fs::weakly_canonical(folder) / kCaseName;
  std::string text =
      replaced(kPullRequestWorkflow, "CASE: case.yaml", "CASE: " + yaml_path(case_file, root));
  const ProgramVersion program = program_version();
  const bool pinned = program.git_commit.size() == 40 && !program.git_dirty;
  if (pinned) text = replaced(text, "FULL-COMMIT-HASH", program.git_commit);
  said.push_back(std::string("to do    fill in TWINRUN_REPOSITORY") +
                 (pinned ? "" : " and TWINRUN_COMMIT") + " in the workflow");
  return {root / ".github" / "workflows" / "twinrun.yml", text};
}

bool has_line(const std::string& text, const std::string& line) {
  return ("\n" + text + "\n").find("\n" + line + "\n") != std::string::npos;
}

/// Writes files that do not exist, and takes back all that it did unless keep() is called.
class Writing {
 public:
  ~Writing() {
    if (kept_) return;
    std::error_code ignored;
    for (auto path = made_.rbegin(); path != made_.rend(); ++path) fs::remove(*path, ignored);
    if (!replaced_.path.empty()) {
      std::ofstream(replaced_.path, std::ios::binary) << replaced_.text;
    }
  }
  void create(const NewFile& file) {
    make_folders(file.path.parent_path());
    made_.push_back(file.path);
    protocol::write_file_atomically(file.path, file.text);
  }
  void append_line(const fs::path& path, const std::string& line) {
    std::error_code ignored;
    if (!fs::exists(path, ignored)) return create({path, line + "\n"});
    const std::string before = protocol::read_file(path);
    const bool open = !before.empty() && !before.ends_with('\n');
    protocol::write_file_atomically(path, before + (open ? "\n" : "") + line + "\n");
    replaced_ = {path, before};
  }
  void keep() { kept_ = true; }

 private:
  void make_folders(const fs::path& folder) {
    std::error_code ignored;
    if (folder.empty() || fs::exists(folder, ignored)) return;
    make_folders(folder.parent_path());
    fs::create_directory(folder);
    made_.push_back(folder);
  }
  std::vector<fs::path> made_;
  NewFile replaced_;
  bool kept_ = false;
};

}  // namespace

int init_command(const std::vector<std::string>& args) {
  const auto parsed = parse_command(init_spec(), args);
  if (!parsed) return static_cast<int>(ExitCode::kReproduced);
  const fs::path folder = parsed->operands.empty() ? "." : parsed->operands.front();
  std::error_code ignored;
  if (!fs::is_directory(folder, ignored)) {
    throw UsageError("init: '" + folder.string() + "' is no folder");
  }
  std::vector<std::string> notes;
  const NewFile workflow = workflow_file(folder, notes);
  const fs::path case_file = folder / kCaseName;
  for (const fs::path& path : {case_file, workflow.path}) {
    if (fs::symlink_status(path, ignored).type() == fs::file_type::not_found) continue;
    throw UsageError("init: '" + path.string() + "' exists; nothing was written");
  }
  const Findings found = find(folder, *parsed);
  const std::string name = fs::weakly_canonical(folder).filename().string();
  Writing writing;
  writing.create({case_file, case_text(found, folder, name.empty() ? "case" : name)});
  try {
    resolve_case(case_file, {});
  } catch (const UsageError& error) {
    throw UsageError("the case that was to be written does not resolve, so nothing was written: " +
                     std::string(error.what()));
  }
  writing.create(workflow);
  const fs::path ignore = folder / ".gitignore";
  const bool ignored_already =
      fs::exists(ignore, ignored) && has_line(protocol::read_file(ignore), kIgnored);
  if (!ignored_already) writing.append_line(ignore, kIgnored);
  writing.keep();

  for (const std::string& line : found.said) std::cout << one_line(line) << "\n";
  for (const fs::path& path : {case_file, workflow.path}) {
    std::cout << "wrote    " << one_line(seen_from(".", path)) << "\n";
  }
  if (!ignored_already) {
    std::cout << "added    " << kIgnored << " to " << one_line(seen_from(".", ignore)) << "\n";
  }
  for (const std::string& line : notes) std::cout << line << "\n";
  const std::string at = parsed->operands.empty() ? "" : " " + shell_quote(case_file.string());
  std::cout << "next     twinrun doctor " << shell_quote(case_file.lexically_normal().string())
            << "\n         twinrun verify" << at << " --baseline\n";
  return static_cast<int>(ExitCode::kReproduced);
}

}  // namespace twinrun::harness
