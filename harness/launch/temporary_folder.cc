#include "harness/launch/temporary_folder.h"

#include <stdlib.h>

#include <cerrno>
#include <cstring>
#include <string>
#include <system_error>

#include "harness/exit_code.h"

namespace twinrun::harness {

namespace fs = std::filesystem;

TemporaryFolder::TemporaryFolder() {
  std::string pattern = (fs::temp_directory_path() / "twinrun-XXXXXX").string();
  if (mkdtemp(pattern.data()) == nullptr) {
    throw UsageError("cannot make " + pattern + ": " + std::strerror(errno) +
                     "; TMPDIR names another folder for temporary files");
  }
  path_ = pattern;
}

TemporaryFolder::~TemporaryFolder() {
  std::error_code ignored;
  fs::remove_all(path_, ignored);
}

}  // namespace twinrun::harness
