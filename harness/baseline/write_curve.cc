#include "harness/baseline/write_curve.h"

#include <unistd.h>

#include <fstream>
#include <iterator>
#include <stdexcept>

#include "harness/baseline/curve.h"
#include "harness/baseline/curve_store.h"
#include "harness/exit_code.h"
#include "harness/launch/folder_lock.h"
#include "harness/protocol/append_file.h"

namespace twinrun::harness {
namespace {

namespace fs = std::filesystem;
using nlohmann::json;

void require_new(const fs::path& file, const std::string& flag) {
  if (!curve_exists(file)) return;
  throw UsageError(flag + ": '" + file.string() + "' or its description '" +
                   description_of(file).filename().string() +
                   "' exists; a frozen curve is not written over");
}

void require_writable_folder(const fs::path& folder, const std::string& flag) {
  std::error_code ignored;
  if (!fs::is_directory(folder, ignored)) {
    throw UsageError(flag + ": there is no folder '" + folder.string() + "'; make it first");
  }
  if (access(folder.c_str(), W_OK | X_OK) != 0) {
    throw UsageError(flag + ": the folder '" + folder.string() + "' may not be written to");
  }
}

void require_whole(const RunView& run) {
  if (run.summary.end->steps == run.summary.header->steps) return;
  throw UsageError("no curve of a run that stopped early: it has " +
                   std::to_string(run.summary.end->steps) + " of " +
                   std::to_string(run.summary.header->steps) + " steps");
}

json describe(const RunView& run, const std::string& record, const std::string& verdict_text,
              const std::string& date) {
  json maker = made_by(run);
  maker["date"] = date;
  maker["verdict_sha256"] = protocol::to_hex(protocol::sha256(verdict_text));
  return {{"schema", kCurveSchema},
          {"key", comparability_key(run)},
          {"sha256", protocol::to_hex(protocol::sha256(record))},
          {"head", protocol::to_hex(*run.summary.head)},
          {"made_by", std::move(maker)},
          {"accepted", nullptr}};
}

}  // namespace

CurveTarget curve_target(const std::string& text, const std::string& flag) {
  const fs::path path = text;
  std::error_code ignored;
  if (text.ends_with('/') || fs::is_directory(path, ignored)) {
    require_writable_folder(path, flag);
    return {path, true};
  }
  if (path.extension() != ".jsonl") {
    throw UsageError(flag + ": '" + text + "' has to end in .jsonl, or to be a folder");
  }
  require_writable_folder(protocol::folder_of(path), flag);
  require_new(path, flag);
  return {path, false};
}

fs::path write_curve(const CurveTarget& target, const RunView& run, const std::string& verdict_text,
                     const std::string& date) {
  require_whole(run);
  const fs::path file =
      target.folder ? target.path / (fingerprint(comparability_key(run)) + ".jsonl") : target.path;
  const FolderLock lock(protocol::folder_of(file));
  require_new(file, "no curve was written");
  const std::string record = protocol::read_file(run.dir / "steps.jsonl");
  install_curve(file, record, describe(run, record, verdict_text, date));
  return file;
}

Proposal propose_curve(const fs::path& folder, const RunView& run, const std::string& verdict_text,
                       const std::string& date) {
  require_whole(run);
  const FolderLock lock(folder);
  const fs::path file = pending_of(folder / (fingerprint(comparability_key(run)) + ".jsonl"));
  const std::string record = protocol::read_file(run.dir / "steps.jsonl");
  const json description = describe(run, record, verdict_text, date);
  const Curve before = read_curve(file);
  if (before.intact() && before.sha256 == description.at("sha256")) return {file, false};
  install_curve(file, record, description);
  return {file, true};
}

}  // namespace twinrun::harness
