#include "harness/compare/comparability.h"

#include <array>
#include <set>

#include "harness/protocol/canonical_json.h"

namespace twinrun::harness {
namespace {

using nlohmann::json;

// Of the manifest; what portable arithmetic does not depend on.
constexpr std::array kPlatformKey = {"/device/type",   "/device/name",     "/versions/torch",
                                     "/versions/cuda", "/versions/cublas", "/versions/cudnn",
                                     "/cpu/isa",       "/cpu/threads",     "/world_size"};

// Of the manifest; said of every run, or compared elsewhere.
constexpr std::array kNoSuspects = {"schema",  "run_id", "status", "message", "identity",
                                    "started", "ended",  "head",   "files",   "steps_written"};

json value_at(const json& manifest, const std::string& pointer) {
  const json::json_pointer place(pointer);
  return manifest.is_object() && manifest.contains(place) ? manifest.at(place) : json();
}

json flattened(const json& value) {
  return value.is_structured() && !value.empty() ? value.flatten() : json::object();
}

json suspicious_part(const RunView& run) {
  json part = run.manifest.is_object() ? run.manifest : json::object();
  for (const char* name : kNoSuspects) part.erase(name);
  if (run.config) {
    for (const char* name :
         {"device", "threads", "isa", "nuisance", "command_files", "activation_checkpointing"}) {
      if (run.config->launch.contains(name)) part["launch"][name] = run.config->launch.at(name);
    }
  }
  return part;
}

}  // namespace

json comparability_key(const RunView& run) {
  json key = json::object();
  const auto& header = run.summary.header;
  key["identity"] = header ? json(header->identity) : value_at(run.manifest, "/identity");
  key["arithmetic"] = header ? json(header->arithmetic) : value_at(run.manifest, "/arithmetic");
  key["numerics"] = value_at(run.manifest, "/numerics");
  if (key["numerics"] == "portable") return key;
  for (const char* pointer : kPlatformKey) {
    key[json::json_pointer(pointer)] = value_at(run.manifest, pointer);
  }
  return key;
}

std::string fingerprint(const json& key) {
  return protocol::to_hex(protocol::canonical_digest(key)).substr(0, 16);
}

std::vector<Difference> json_differences(const json& a, const json& b) {
  const json flat_a = flattened(a), flat_b = flattened(b);
  std::set<std::string> pointers;
  for (const auto& item : flat_a.items()) pointers.insert(item.key());
  for (const auto& item : flat_b.items()) pointers.insert(item.key());
  std::vector<Difference> differences;
  for (const std::string& pointer : pointers) {
    Difference difference{pointer, flat_a.value(pointer, json()), flat_b.value(pointer, json())};
    if (difference.a != difference.b) differences.push_back(std::move(difference));
  }
  return differences;
}

std::vector<Difference> suspects(const RunView& a, const RunView& b) {
  return json_differences(suspicious_part(a), suspicious_part(b));
}

}  // namespace twinrun::harness
