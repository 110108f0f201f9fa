#include "harness/cli/workspace.h"

#include <unistd.h>

#include <cstdlib>
#include <ctime>
#include <sstream>
#include <system_error>

#include "harness/exit_code.h"
#include "harness/protocol/append_file.h"

namespace twinrun::harness {
namespace {

namespace fs = std::filesystem;

std::string utc(const char* format, std::time_t now = std::time(nullptr)) {
  std::tm parts{};
  gmtime_r(&now, &parts);
  char text[32];
  std::strftime(text, sizeof text, format, &parts);
  return text;
}

constexpr const char* kIsoFormat = "%Y-%m-%dT%H:%M:%SZ";

bool executable(const fs::path& path) {
  std::error_code ignored;
  return fs::is_regular_file(path, ignored) && access(path.c_str(), X_OK) == 0;
}

}  // namespace

std::string utc_now() { return utc(kIsoFormat); }

std::string source_date() {
  const char* set = std::getenv("SOURCE_DATE_EPOCH");
  if (set == nullptr || *set == '\0') return {};
  const std::string text = set;
  // Eleven digits reach beyond the year 5000, and stay a year of four.
  if (text.size() > 11 || text.find_first_not_of("0123456789") != std::string::npos) {
    throw UsageError("SOURCE_DATE_EPOCH: '" + text + "' is no number of seconds");
  }
  return utc(kIsoFormat, static_cast<std::time_t>(std::stoll(text)));
}

std::string stamp_now() {
  const std::string set = source_date();
  return set.empty() ? utc_now() : set;
}

fs::path default_output_folder(const std::string& case_name) {
  std::string name;
  for (const char c : case_name) name += c == '/' ? '-' : c;
  const fs::path base = fs::path("twinrun-out") / (name + "-" + utc("%Y%m%dT%H%M%SZ"));
  fs::path folder = base;
  for (int i = 2; fs::exists(folder); ++i) folder = base.string() + "-" + std::to_string(i);
  return folder;
}

void claim_folder(const fs::path& folder, const std::string& flag) {
  std::error_code error;
  const fs::file_status status = fs::status(folder, error);
  if (fs::exists(status)) {
    if (!fs::is_directory(status)) {
      throw UsageError(flag + ": '" + folder.string() + "' is not a folder; name one that is new");
    }
    const bool empty = fs::is_empty(folder, error);
    if (error) throw UsageError(flag + ": '" + folder.string() + "': " + error.message());
    if (empty) return;
    throw UsageError(flag + ": '" + folder.string() +
                     "' is not empty; nothing was touched. Name a folder that is new or empty");
  }
  fs::create_directories(folder, error);
  if (error) throw UsageError(flag + ": cannot make '" + folder.string() + "': " + error.message());
}

void require_file_place(const fs::path& file, const std::string& flag) {
  std::error_code ignored;
  const fs::path folder = protocol::folder_of(file);
  if (!file.has_filename() || fs::is_directory(file, ignored)) {
    throw UsageError(flag + ": '" + file.string() + "' is a folder; name a file");
  }
  if (!fs::is_directory(folder, ignored)) {
    throw UsageError(flag + ": '" + folder.string() + "' is no folder; make it first");
  }
  if (access(folder.c_str(), W_OK) != 0) {
    throw UsageError(flag + ": nothing may be written in '" + folder.string() + "'");
  }
}

fs::path find_trainer(const std::string& given) {
  if (!given.empty()) {
    if (!executable(given)) {
      throw UsageError("--trainer: '" + given + "' is not an executable file");
    }
    return fs::absolute(given);
  }
  std::error_code ignored;
  const fs::path beside =
      fs::read_symlink("/proc/self/exe", ignored).parent_path() / "twinrun-train";
  if (executable(beside)) return beside;
  const char* path = std::getenv("PATH");
  std::istringstream folders(path == nullptr ? "" : path);
  for (std::string folder; std::getline(folders, folder, ':');) {
    const fs::path candidate = fs::path(folder) / "twinrun-train";
    if (!folder.empty() && executable(candidate)) return fs::absolute(candidate);
  }
  return {};
}

}  // namespace twinrun::harness
