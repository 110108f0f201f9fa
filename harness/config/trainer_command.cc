#include "harness/config/trainer_command.h"

#include <unistd.h>

#include <cstdlib>
#include <optional>
#include <sstream>
#include <stdexcept>
#include <system_error>

#include "harness/exit_code.h"
#include "harness/protocol/sha256.h"

namespace twinrun::harness {
namespace {

namespace fs = std::filesystem;

bool is_file(const fs::path& path) {
  std::error_code error;
  return fs::is_regular_file(path, error);
}

bool is_executable(const fs::path& path) {
  return is_file(path) && access(path.c_str(), X_OK) == 0;
}

std::optional<fs::path> find_in_path(const std::string& program) {
  const char* folders = std::getenv("PATH");
  std::istringstream stream(folders == nullptr ? "/usr/bin:/bin" : folders);
  for (std::string folder; std::getline(stream, folder, ':');) {
    // An empty or relative part means the current folder: what runs must not depend on that.
    if (folder.empty() || folder[0] != '/') continue;
    if (is_executable(fs::path(folder) / program)) return fs::path(folder) / program;
  }
  return std::nullopt;
}

std::string find_program(const YamlNode& node, const fs::path& case_folder) {
  const std::string& program = node.scalar;
  if (program.find('/') == std::string::npos) {
    if (const std::optional<fs::path> found = find_in_path(program)) return found->string();
  }
  const fs::path beside = (case_folder / program).lexically_normal();
  if (!is_file(beside)) {
    fail_at(node,
            "no such program: '" + program + "': it is neither in PATH nor at " + beside.string());
  }
  if (!is_executable(beside)) {
    fail_at(node, beside.string() +
                      ": is not executable: run chmod +x, or name its interpreter "
                      "first, as in [python3, train.py]");
  }
  return beside.string();
}

}  // namespace

std::vector<std::string> read_trainer_command(const YamlNode& node, const fs::path& case_folder) {
  if (node.kind != YamlNode::Kind::kList || node.items.empty()) {
    fail_at(node, "expected a list of strings, such as [python3, train.py]");
  }
  std::vector<std::string> command;
  for (const YamlNode& item : node.items) {
    // Arguments are text however they look: a 4 stays "4".
    if (item.kind != YamlNode::Kind::kScalar) fail_at(item, "expected a string");
    if (command.empty()) {
      if (item.scalar.empty()) fail_at(item, "the program's name is empty");
      command.push_back(find_program(item, case_folder));
      continue;
    }
    const bool names_file = !item.scalar.empty() && is_file(case_folder / item.scalar);
    command.push_back(names_file ? (case_folder / item.scalar).lexically_normal().string()
                                 : item.scalar);
  }
  return command;
}

nlohmann::json digest_command_files(const std::vector<std::string>& command) {
  nlohmann::json files = nlohmann::json::object();
  for (const std::string& word : command) {
    if (!fs::path(word).is_absolute() || !is_file(word)) continue;
    try {
      files[word] = protocol::to_hex(protocol::sha256_file(word));
    } catch (const std::runtime_error& failure) {
      throw UsageError(std::string("trainer.command: ") + failure.what() +
                       ": the judge has to read the files of the command, to hash them");
    }
  }
  return files;
}

}  // namespace twinrun::harness
