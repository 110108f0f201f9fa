#pragma once

#include <filesystem>
#include <nlohmann/json.hpp>
#include <string>
#include <vector>

#include "harness/config/yaml_tree.h"

namespace twinrun::harness {

/// Reads trainer.command, a list of strings: the program becomes an absolute path (a name without
/// slash is looked up in PATH first, then beside the case file), and so does every argument that
/// names an existing file relative to `case_folder`.
///
/// Throws UsageError: not a list of strings, no such program, not executable.
std::vector<std::string> read_trainer_command(const YamlNode& node,
                                              const std::filesystem::path& case_folder);

/// `{"<word>":"<sha256>"}` of the words of `command` that are absolute paths of regular files: the
/// program, a script, a file that an argument names. What these load in their turn is not seen.
///
/// Throws UsageError naming a file that is there but cannot be read.
nlohmann::json digest_command_files(const std::vector<std::string>& command);

}  // namespace twinrun::harness
