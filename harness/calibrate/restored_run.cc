#include "harness/calibrate/restored_run.h"

#include <nlohmann/json.hpp>
#include <stdexcept>

#include "harness/exit_code.h"
#include "harness/protocol/append_file.h"
#include "harness/protocol/sha256.h"

namespace twinrun::harness {
namespace {

namespace fs = std::filesystem;
using nlohmann::json;

json read_json(const fs::path& file) {
  const json value = json::parse(protocol::read_file(file), nullptr, false);
  if (!value.is_object()) throw std::runtime_error(file.string() + ": is no JSON object");
  return value;
}

/// The record of `reference` up to where its checkpoint stands.
std::string record_before(const fs::path& reference, std::int64_t step) {
  const fs::path file = checkpoint_folder(reference, step) / "checkpoint.json";
  const json checkpoint = read_json(file);
  const json bytes = checkpoint.value(json::json_pointer("/steps.jsonl/bytes"), json());
  std::string record = protocol::read_file(reference / "steps.jsonl");
  if (!bytes.is_number_unsigned() || bytes.get<std::uint64_t>() > record.size()) {
    throw std::runtime_error(file.string() + ": is not of the record beside it");
  }
  record.resize(bytes.get<std::uint64_t>());
  return record;
}

}  // namespace

fs::path checkpoint_folder(const fs::path& reference, std::int64_t step) {
  return reference / "checkpoints" / ("step-" + std::to_string(step));
}

std::string checkpoint_digest(const fs::path& reference, std::int64_t step) {
  const fs::path file = checkpoint_folder(reference, step) / "checkpoint.json";
  return protocol::to_hex(protocol::sha256_file(file));
}

void begin_restored_run(const fs::path& reference, std::int64_t step, const fs::path& dir) {
  const fs::path from = checkpoint_folder(reference, step);
  fs::create_directories(dir / "checkpoints");
  fs::copy(from, checkpoint_folder(dir, step), fs::copy_options::recursive);
  protocol::write_file_atomically(dir / "steps.jsonl", record_before(reference, step));
  json manifest = read_json(reference / "manifest.json");
  manifest["status"] = "running";
  for (const char* field : {"head", "ended", "files", "message", "steps_written"}) {
    manifest.erase(field);
  }
  protocol::write_file_atomically(dir / "manifest.json", manifest.dump() + "\n");
}

void keep_reference(const fs::path& reference, std::int64_t step, const fs::path& store) {
  if (!fs::exists(checkpoint_folder(reference, step) / "checkpoint.json")) {
    throw NoVerdictError("the trainer wrote no checkpoint of step " + std::to_string(step) +
                         " (checkpoints/step-" + std::to_string(step) +
                         "): with `statistics: {restore_at: []}` none is asked for");
  }
  fs::path unfinished = store;
  unfinished += ".new";
  fs::remove_all(unfinished);
  fs::create_directories(unfinished / "checkpoints");
  fs::copy(checkpoint_folder(reference, step), checkpoint_folder(unfinished, step),
           fs::copy_options::recursive);
  protocol::write_file_atomically(unfinished / "steps.jsonl", record_before(reference, step));
  fs::copy_file(reference / "manifest.json", unfinished / "manifest.json");
  fs::remove_all(store);
  fs::rename(unfinished, store);
  protocol::sync_folder(protocol::folder_of(store));
}

}  // namespace twinrun::harness
