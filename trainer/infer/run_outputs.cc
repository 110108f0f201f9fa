#include "trainer/infer/run_outputs.h"

#include <nlohmann/json.hpp>
#include <optional>

#include "harness/protocol/append_file.h"
#include "harness/protocol/sha256.h"
#include "trainer/data/input_file.h"
#include "trainer/train/train_config.h"

namespace twinrun::trainer {
namespace {

using nlohmann::json;

constexpr const char* kName = "inference.jsonl";

std::optional<json> manifest_of(const std::filesystem::path& run_dir) {
  const auto path = run_dir / "manifest.json";
  if (!std::filesystem::exists(path)) return std::nullopt;
  try {
    return read_json_object(path);
  } catch (const std::runtime_error& error) {
    throw ConfigError(error.what());
  }
}

void write_manifest(const std::filesystem::path& run_dir, const json& manifest) {
  protocol::write_file_atomically(run_dir / "manifest.json", manifest.dump(2) + "\n");
}

}  // namespace

void require_same_run(const std::filesystem::path& run_dir, const std::string& identity) {
  const auto manifest = manifest_of(run_dir);
  if (!manifest) return;
  const auto found = manifest->value("identity", json());
  const auto files = manifest->value("files", json::object());
  const auto path = (run_dir / "manifest.json").string();
  if (found != identity) {
    throw ConfigError(path + ": the run is of identity " + found.dump() +
                      ", the configuration of " + identity);
  }
  if (!files.is_object() && !files.is_null()) {
    throw ConfigError(path + ": files is " + files.dump().substr(0, 80) + ", not an object");
  }
}

void write_inference(const std::filesystem::path& run_dir, const std::string& text) {
  auto manifest = manifest_of(run_dir);
  if (manifest && manifest->contains("/files/inference.jsonl"_json_pointer)) {
    manifest->at("files").erase(kName);
    write_manifest(run_dir, *manifest);
  }
  protocol::write_file_atomically(run_dir / kName, text);
  if (!manifest) return;
  (*manifest)["files"][kName] = protocol::to_hex(protocol::sha256(text));
  write_manifest(run_dir, *manifest);
}

}  // namespace twinrun::trainer
