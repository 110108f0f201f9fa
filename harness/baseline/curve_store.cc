#include "harness/baseline/curve_store.h"

#include <unistd.h>

#include <cerrno>
#include <cstring>
#include <set>
#include <stdexcept>

#include "harness/baseline/curve.h"
#include "harness/protocol/append_file.h"

namespace twinrun::harness {
namespace {

namespace fs = std::filesystem;
using nlohmann::json;

[[noreturn]] void fail(const std::string& doing, const fs::path& path, int error) {
  throw std::runtime_error("cannot " + doing + " " + path.string() + ": " + std::strerror(error));
}

void replace(const fs::path& from, const fs::path& to) {
  if (::rename(from.c_str(), to.c_str()) != 0) fail("replace", to, errno);
}

void remove_file(const fs::path& file) {
  if (::unlink(file.c_str()) != 0 && errno != ENOENT) fail("remove", file, errno);
}

}  // namespace

void install_curve(const fs::path& file, const std::string& record, const json& description) {
  settle_curve(file);
  const fs::path new_record = unfinished_of(file);
  const fs::path new_description = unfinished_of(description_of(file));
  try {
    protocol::write_file_atomically(new_record, record);
    protocol::write_file_atomically(new_description, description.dump(2) + "\n");
    replace(new_description, description_of(file));
  } catch (...) {
    std::error_code ignored;
    fs::remove(new_description, ignored);
    fs::remove(new_record, ignored);
    throw;
  }
  // The new curve stands. Should this fail, readers find its record where it is.
  replace(new_record, file);
  protocol::sync_folder(protocol::folder_of(file));
}

void settle_curve(const fs::path& file) {
  std::error_code ignored;
  const fs::path unfinished = unfinished_of(file);
  if (fs::exists(unfinished, ignored) && read_curve(file).record == unfinished) {
    replace(unfinished, file);
  }
  for (const fs::path& whole : {file, description_of(file)}) {
    const fs::path left = unfinished_of(whole);
    fs::remove(left, ignored);
    fs::remove(fs::path(left) += ".tmp", ignored);
  }
}

void remove_curve(const fs::path& file) {
  settle_curve(file);
  remove_file(description_of(file));
  remove_file(file);
  protocol::sync_folder(protocol::folder_of(file));
}

std::vector<fs::path> curves_in(const fs::path& folder) {
  std::set<fs::path> found;
  std::error_code error;
  for (const auto& entry : fs::directory_iterator(folder, error)) {
    const fs::path extension = entry.path().extension();
    if (extension != ".json" && extension != ".jsonl") continue;
    found.insert(fs::path(entry.path()).replace_extension(".jsonl"));
  }
  return {found.begin(), found.end()};
}

}  // namespace twinrun::harness
