#include "harness/baseline/curve.h"

#include <array>
#include <exception>
#include <fstream>
#include <iterator>
#include <stdexcept>
#include <string_view>

#include "harness/protocol/strict_json.h"
#include "twinrun_version.h"

namespace twinrun::harness {
namespace {

namespace fs = std::filesystem;
using nlohmann::json;
using protocol::RecordSummary;

constexpr std::string_view kPending = ".pending";

// Thrown and caught within this file only: the first thing that is wrong with a curve.
struct CurveProblem {
  std::string reason, problem;
};

[[noreturn]] void fail(const std::string& reason, const std::string& problem) {
  throw CurveProblem{reason, problem};
}

bool there(const fs::path& path) {
  std::error_code ignored;
  return fs::symlink_status(path, ignored).type() != fs::file_type::not_found;
}

// A pipe would be waited for, a folder gives an error that says little.
void require_file(const fs::path& path) {
  std::error_code error;
  if (fs::is_regular_file(path, error)) return;
  fail("curve_unreadable", path.filename().string() + " is no file that can be read");
}

bool is_digest(const json& value) {
  return value.is_string() &&
         protocol::digest_from_hex(value.get_ref<const std::string&>()).has_value();
}

bool is_acceptance(const json& value) {
  if (value.is_null()) return true;
  if (!value.is_object() || value.size() != 4 || !value.contains("verdict_sha256")) return false;
  for (const char* field : {"who", "when", "why"}) {
    if (!value.contains(field) || !value.at(field).is_string()) return false;
  }
  return is_digest(value.at("verdict_sha256"));
}

// Empty if `description` holds its fields and nothing else, each of its type.
std::string description_problem(const json& description) {
  constexpr std::array kFields = {"schema", "key", "sha256", "head", "made_by", "accepted"};
  if (!description.is_object()) return "it is not a JSON object";
  for (const char* field : kFields) {
    if (!description.contains(field)) return "field '" + std::string(field) + "' is missing";
  }
  if (description.size() != kFields.size()) return "it holds a field that is not known";
  const json& schema = description.at("schema");
  if (!schema.is_number_integer() || schema != kCurveSchema) {
    return "field 'schema' is not " + std::to_string(kCurveSchema) +
           ", the version this program knows";
  }
  for (const char* field : {"key", "made_by"}) {
    if (!description.at(field).is_object())
      return "field '" + std::string(field) + "' is no object";
  }
  for (const char* field : {"sha256", "head"}) {
    if (!is_digest(description.at(field))) return "field '" + std::string(field) + "' is no digest";
  }
  return is_acceptance(description.at("accepted")) ? "" : "field 'accepted' is not as it has to be";
}

json read_description(const fs::path& path) {
  const std::string name = path.filename().string();
  if (!there(path)) fail("curve_description_missing", "there is no " + name + " beside it");
  require_file(path);
  std::ifstream file(path, std::ios::binary);
  const std::string text((std::istreambuf_iterator<char>(file)), {});
  if (!file) fail("curve_unreadable", name + " cannot be read");
  std::string problem;
  const auto parsed = protocol::parse_strict_json(text, problem);
  if (parsed) problem = description_problem(*parsed);
  if (!problem.empty()) fail("curve_description_malformed", name + ": " + problem);
  return *parsed;
}

void check_name(const fs::path& file, const json& key) {
  const std::string of_key = fingerprint(key);
  if (of_key == accepted_of(file).stem().string()) return;
  fail("curve_key_mismatch",
       "its key has the fingerprint " + of_key + ", so this is the curve of something else");
}

void check_record(const Curve& curve) {
  const RecordSummary& record = curve.summary;
  if (record.state != RecordSummary::State::kComplete) {
    const std::string where = record.line > 0 ? "line " + std::to_string(record.line) + ": " : "";
    fail("curve_" + record.reason, where + record.problem);
  }
  if (protocol::to_hex(*record.head) != curve.description.at("head")) {
    fail("curve_head_mismatch", "its record ends in another head than its description says");
  }
  const json& key = curve.description.at("key");
  const bool of_key = record.header->identity == key.value("identity", json()) &&
                      record.header->arithmetic == key.value("arithmetic", json());
  if (!of_key || record.header->promise != protocol::Promise::kBitwise) {
    fail("curve_key_mismatch", "its record is not of the key that its description gives");
  }
  if (record.end->steps != record.header->steps) {
    fail("curve_incomplete", "it holds " + std::to_string(record.end->steps) + " of " +
                                 std::to_string(record.header->steps) + " steps");
  }
}

bool has_sha256(const fs::path& file, const json& described) {
  std::error_code ignored;
  return fs::is_regular_file(file, ignored) &&
         protocol::to_hex(protocol::sha256_file(file)) == described;
}

// Of a curve that is being replaced the description may stand already, its record beside it.
fs::path record_described(const fs::path& file, const json& described) {
  const fs::path unfinished = unfinished_of(file);
  if (!there(unfinished) || (there(file) && has_sha256(file, described))) return file;
  return has_sha256(unfinished, described) ? unfinished : file;
}

void read_into(Curve& curve) {
  curve.description = read_description(description_of(curve.file));
  curve.record = record_described(curve.file, curve.description.at("sha256"));
  if (!there(curve.record)) fail("curve_missing", "its description is there, it is not");
  check_name(curve.file, curve.description.at("key"));
  require_file(curve.record);
  curve.sha256 = protocol::to_hex(protocol::sha256_file(curve.record));
  curve.summary = protocol::summarize_record(curve.record);
  if (curve.sha256 != curve.description.at("sha256")) {
    fail("curve_replaced", "it has another SHA-256 than its description says");
  }
  check_record(curve);
}

// A text of the manifest; null if it is not there.
json text_at(const json& manifest, const char* pointer) {
  const json::json_pointer place(pointer);
  if (!manifest.is_object() || !manifest.contains(place)) return nullptr;
  const json& value = manifest.at(place);
  return value.is_string() ? value : json(nullptr);
}

}  // namespace

fs::path description_of(const fs::path& file) { return fs::path(file).replace_extension(".json"); }

fs::path unfinished_of(const fs::path& file) { return fs::path(file) += ".new"; }

bool is_pending(const fs::path& file) { return file.stem().string().ends_with(kPending); }

fs::path pending_of(const fs::path& file) {
  return file.parent_path() / (file.stem().string() + std::string(kPending) + ".jsonl");
}

fs::path accepted_of(const fs::path& file) {
  std::string name = file.stem().string();
  if (name.ends_with(kPending)) name.resize(name.size() - kPending.size());
  return file.parent_path() / (name + ".jsonl");
}

bool curve_exists(const fs::path& file) { return there(file) || there(description_of(file)); }

Curve read_curve(const fs::path& file) {
  Curve curve;
  curve.file = curve.record = file;
  try {
    read_into(curve);
  } catch (const CurveProblem& found) {
    curve.reason = found.reason;
    curve.problem = found.problem;
  } catch (const std::exception& error) {
    curve.reason = "curve_unreadable";
    curve.problem = error.what();
  }
  return curve;
}

std::optional<json> described_key(const fs::path& file) {
  try {
    const json key = read_description(description_of(file)).at("key");
    check_name(file, key);
    return key;
  } catch (const CurveProblem&) {
    return std::nullopt;
  } catch (const std::exception&) {
    return std::nullopt;
  }
}

json made_by(const RunView& run) {
  return {{"twinrun_version", TWINRUN_VERSION},
          {"git_commit", TWINRUN_GIT_COMMIT},
          {"git_dirty", TWINRUN_GIT_DIRTY},
          {"trainer_binary", text_at(run.manifest, "/binary")},
          {"device_name", text_at(run.manifest, "/device/name")},
          {"driver", text_at(run.manifest, "/versions/driver")},
          {"cpu_model", text_at(run.manifest, "/cpu/model")}};
}

}  // namespace twinrun::harness
