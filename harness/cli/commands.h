#pragma once

#include <functional>
#include <string>
#include <vector>

namespace twinrun::harness {

/// A command as `twinrun --help` lists it.
struct Command {
  std::string name, purpose;
  std::function<int(const std::vector<std::string>&)> run;  ///< empty: known, not built yet
  std::vector<std::string> parts = {};  ///< words one of which has to follow, as of `baseline`
};
const std::vector<Command>& commands();

// The commands of `twinrun`, without the word that names them. Each returns the exit code and
// throws as run_command_line does; `--help` of each says what it takes.

int verify_command(const std::vector<std::string>& args);
int train_command(const std::vector<std::string>& args);
int calibrate_command(const std::vector<std::string>& args);
int compare_command(const std::vector<std::string>& args);
int bundle_command(const std::vector<std::string>& args);
int report_command(const std::vector<std::string>& args);
int infer_check_command(const std::vector<std::string>& args);
int bench_command(const std::vector<std::string>& args);
int init_command(const std::vector<std::string>& args);
int completion_command(const std::vector<std::string>& args);
int baseline_command(const std::vector<std::string>& args);

/// The words that may follow `twinrun baseline`.
std::vector<std::string> baseline_parts();

}  // namespace twinrun::harness
