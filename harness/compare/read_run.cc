#include <exception>
#include <fstream>
#include <iterator>
#include <stdexcept>

#include "harness/compare/compare.h"
#include "harness/compare/safetensors_digests.h"
#include "harness/compare/same_bytes.h"
#include "harness/protocol/strict_json.h"

namespace twinrun::harness {
namespace {

using nlohmann::json;
using protocol::RecordSummary;

// Thrown and caught within this file only: the first thing that is wrong with a run.
struct RunProblem {
  Verdict verdict;
  std::string reason, problem;
};

[[noreturn]] void invalid(const std::string& reason, const std::string& problem) {
  throw RunProblem{Verdict::kInvalid, reason, problem};
}

[[noreturn]] void evidence_invalid(const std::string& reason, const std::string& problem) {
  throw RunProblem{Verdict::kEvidenceInvalid, reason, problem};
}

json read_manifest(const std::filesystem::path& path, std::string& problem) {
  std::ifstream file(path, std::ios::binary);
  if (!file) {
    problem = "manifest.json cannot be read";
    return {};
  }
  const std::string text((std::istreambuf_iterator<char>(file)), {});
  const auto parsed = protocol::parse_strict_json(text, problem);
  if (parsed && parsed->is_object()) return *parsed;
  problem = "manifest.json: " + (parsed ? std::string("not a JSON object") : problem);
  return {};
}

// A member of an object that may be no object and may not have it.
json member(const json& object, const std::string& name) {
  return object.is_object() ? object.value(name, json()) : json();
}

void read_record(RunView& run, const RunView* like) {
  const auto file = run.dir / "steps.jsonl";
  std::error_code error;
  if (like == nullptr || !std::filesystem::is_regular_file(file, error) ||
      !std::filesystem::is_regular_file(like->dir / "steps.jsonl", error)) {
    run.summary = protocol::summarize_record(file);
    return;
  }
  run.shared = RunView::Shared{like->dir, common_prefix(like->dir / "steps.jsonl", file)};
  run.summary = protocol::summarize_record_like(file, like->summary, run.shared->bytes);
}

void check_head(const RunView& run) {
  const RecordSummary& summary = run.summary;
  const std::string where = summary.line > 0
                                ? "steps.jsonl line " + std::to_string(summary.line) + ": "
                                : "steps.jsonl: ";
  if (summary.chain_broken) evidence_invalid("chain_broken", where + summary.problem);
  const json head = member(run.manifest, "head");
  if (summary.head && head.is_string() && head != protocol::to_hex(*summary.head)) {
    evidence_invalid("head_mismatch", "the manifest names another head than the record ends with");
  }
}

// The digests that the manifest gives of the other files of the run.
void check_files(const RunView& run) {
  const json files = member(run.manifest, "files");
  if (!files.is_object()) return;
  for (const auto& item : files.items()) {
    const std::filesystem::path name = item.key();
    const auto normal = name.lexically_normal();
    if (name.empty() || name.is_absolute() || *normal.begin() == "..") {
      evidence_invalid("file_replaced",
                       "the manifest names a file outside the run folder: " + item.key());
    }
    std::error_code error;
    const auto path = run.dir / name;
    if (!std::filesystem::is_regular_file(path, error)) {
      evidence_invalid("file_replaced", item.key() + " is gone; the manifest has its digest");
    }
    if (item.value() != protocol::to_hex(protocol::sha256_file(path))) {
      evidence_invalid("file_replaced", item.key() + " has another digest than the manifest says");
    }
  }
}

void check_adapter(const RunView& run) {
  const auto file = run.dir / "adapter" / "adapter_model.safetensors";
  std::error_code error;
  if (run.summary.state != RecordSummary::State::kComplete || !run.summary.last_adapter ||
      !std::filesystem::is_regular_file(file, error)) {
    return;
  }
  std::string problem = "its digest is not the one that the last step recorded";
  try {
    if (protocol::group_digest(safetensors_digests(file)) == *run.summary.last_adapter) return;
  } catch (const std::exception& unreadable) {
    problem = unreadable.what();
  }
  evidence_invalid("adapter_replaced", "adapter/adapter_model.safetensors: " + problem);
}

void check_identity(const RunView& run) {
  const std::string digest = protocol::to_hex(run.config->identity_digest());
  const json manifest_identity = member(run.manifest, "identity");
  if ((run.summary.header && run.summary.header->identity != digest) ||
      (!manifest_identity.is_null() && manifest_identity != digest)) {
    evidence_invalid("identity_mismatch",
                     "record, manifest and config.json do not name the same identity");
  }
}

void check_complete(const RunView& run) {
  const json status = member(run.manifest, "status");
  if (status == "failed" || status == "usage_error") {
    const json message = member(run.manifest, "message");
    invalid(
        status.get<std::string>(),
        "the trainer says: " + (message.is_string() ? message.get<std::string>() : status.dump()));
  }
  if (run.summary.state != RecordSummary::State::kComplete) {
    const std::string steps = run.summary.last_step < 0
                                  ? "no step"
                                  : "good up to step " + std::to_string(run.summary.last_step);
    const std::string where =
        run.summary.line > 0 ? " line " + std::to_string(run.summary.line) : "";
    invalid(run.summary.reason,
            "steps.jsonl" + where + ": " + run.summary.problem + " (" + steps + ")");
  }
  if (status != "complete") {
    invalid("incomplete", "the manifest's status is " + status.dump() + ", not complete");
  }
  if (!member(run.manifest, "head").is_string()) {
    invalid("incomplete", "the manifest names no head");
  }
}

void check_steps(const RunView& run) {
  const json configured = member(member(run.config->identity, "train"), "steps");
  const std::int64_t announced = run.summary.header->steps;
  if (configured.is_number_integer() && configured != announced) {
    invalid("steps_not_as_configured", "the header announces " + std::to_string(announced) +
                                           " steps, the configuration " + configured.dump());
  }
  const json stop_after = member(run.config->launch, "stop_after");
  const std::int64_t wanted =
      stop_after.is_number_integer() ? stop_after.get<std::int64_t>() : announced;
  if (run.summary.end->steps != wanted) {
    invalid("incomplete", "the record ends after step " + std::to_string(run.summary.end->steps) +
                              " of " + std::to_string(wanted));
  }
}

// What was read and used, as the trainer says, against what it was told to use. Whatever it does
// not say cannot be checked.
void check_inputs(const RunView& run) {
  const json& identity = run.config->identity;
  const json used = member(run.manifest, "seeds"), told = member(identity, "seeds");
  for (const char* name : {"lora_init", "dropout", "shuffle"}) {
    const json seed = member(used, name), wanted = member(told, name);
    if (!seed.is_null() && !wanted.is_null() && seed != wanted) {
      invalid("seeds_not_as_configured", "seed " + std::string(name) + " as used is " +
                                             seed.dump() + ", configured " + wanted.dump());
    }
  }
  const json digests = member(run.manifest, "digests");
  const std::pair<const char*, json> parts[] = {
      {"model", member(member(identity, "model"), "files")},
      {"tokenizer", member(member(identity, "tokenizer"), "files")},
      {"adapter", member(member(identity, "lora"), "init")}};
  for (const auto& [part, wanted] : parts) {
    const json files = member(digests, part);
    if (!files.is_object()) continue;
    for (const auto& item : files.items()) {
      const json digest = member(wanted, item.key());
      if (!digest.is_null() && digest != item.value()) {
        invalid("inputs_not_as_configured",
                std::string(part) + " file " + item.key() + " has another digest than configured");
      }
    }
  }
  const json data = member(digests, "data"), wanted = member(member(identity, "data"), "sha256");
  if (data.is_string() && wanted.is_string() && data != wanted) {
    invalid("inputs_not_as_configured", "the data has another digest than configured");
  }
}

void check(const RunView& run, const std::string& manifest_problem,
           const std::string& config_problem) {
  check_head(run);
  check_files(run);
  check_adapter(run);
  if (run.config) check_identity(run);
  if (!manifest_problem.empty()) {
    const bool there = std::filesystem::exists(run.dir / "manifest.json");
    invalid(there ? "manifest_malformed" : "manifest_missing", manifest_problem);
  }
  check_complete(run);
  if (!run.config) invalid("config_malformed", config_problem);
  check_steps(run);
  check_inputs(run);
}

}  // namespace

RunView read_run(const std::filesystem::path& run_dir, const RunView* like) {
  RunView run;
  run.dir = run_dir;
  try {
    std::string manifest_problem, config_problem;
    run.manifest = read_manifest(run_dir / "manifest.json", manifest_problem);
    try {
      run.config = protocol::read_run_config(run_dir / "config.json");
    } catch (const std::runtime_error& error) {
      config_problem = error.what();
    }
    read_record(run, like);
    check(run, manifest_problem, config_problem);
    run.verdict = Verdict::kReproduced;
    run.reason = "complete";
  } catch (const RunProblem& found) {
    run.verdict = found.verdict;
    run.reason = found.reason;
    run.problem = found.problem;
  } catch (const std::exception& error) {
    run.verdict = Verdict::kInvalid;
    run.reason = "unreadable";
    run.problem = error.what();
  }
  return run;
}

}  // namespace twinrun::harness
