#include "harness/report/open_file.h"

#include <cerrno>
#include <cstring>

#include "harness/exit_code.h"
#include "harness/report/text.h"

namespace twinrun::harness {

namespace fs = std::filesystem;

std::ifstream open_regular_file(const fs::path& file, const std::string& hint) {
  const std::string name = "'" + one_line(file.string()) + "'";
  std::error_code error;
  const fs::file_status status = fs::status(file, error);
  if (status.type() == fs::file_type::not_found) throw UsageError(name + " does not exist");
  if (fs::is_directory(status)) throw UsageError(name + " is a folder; " + hint);
  if (!fs::is_regular_file(status)) {
    throw UsageError(name + (error ? ": " + error.message() : " is no regular file"));
  }
  errno = 0;
  std::ifstream stream(file, std::ios::binary);
  if (!stream) throw UsageError(name + " cannot be read: " + std::strerror(errno));
  return stream;
}

}  // namespace twinrun::harness
