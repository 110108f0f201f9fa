#include "harness/infer/outputs_of_run.h"

#include "harness/infer/infer_text.h"
#include "harness/protocol/line_text.h"
#include "harness/report/json_fields.h"

namespace twinrun::harness {
namespace {

using nlohmann::json;
using protocol::InferenceFile;
using protocol::InferenceHeader;

OutputsProblem not_as_configured(const std::string& what) {
  return {Verdict::kInvalid, "outputs_not_as_configured", what};
}

/// `identity` against the header, as far as it says anything.
std::optional<OutputsProblem> identity_problem(const json& identity,
                                               const InferenceHeader& header) {
  const std::string other = made_with_another(header, identity);
  if (!other.empty()) return not_as_configured("made with " + other);
  const std::string numerics = text_at(identity, "/numerics");
  if (!numerics.empty() && numerics != header.numerics) {
    return not_as_configured("numerics is " + header.numerics + ", configured " + numerics);
  }
  return std::nullopt;
}

std::optional<OutputsProblem> record_problem(const protocol::RecordHeader& record,
                                             const InferenceHeader& header) {
  if (record.arithmetic != header.arithmetic) {
    return not_as_configured("arithmetic is " + header.arithmetic + ", in the record " +
                             record.arithmetic);
  }
  if (record.promise != header.promise) {
    return not_as_configured("promise is " + to_string(header.promise) + ", in the record " +
                             to_string(record.promise));
  }
  return std::nullopt;
}

std::optional<OutputsProblem> settings_problem(const json& settings,
                                               const InferenceHeader& header) {
  const json found = {{"max_new_tokens", header.max_new_tokens},
                      {"batch_size", header.batch_size},
                      {"top", header.top}};
  for (const auto& item : found.items()) {
    const json wanted = at(settings, "/" + item.key());
    if (!wanted.is_null() && wanted != item.value()) {
      return not_as_configured(item.key() + " is " + item.value().dump() + ", configured " +
                               wanted.dump());
    }
  }
  return std::nullopt;
}

std::optional<OutputsProblem> adapter_problem(const RunView& run, const InferenceHeader& header,
                                              bool without_adapter) {
  std::optional<protocol::Digest> wanted = run.summary.last_adapter;
  if (without_adapter) {
    wanted = run.summary.zero ? std::optional(run.summary.zero->adapter) : std::nullopt;
  }
  if (!wanted || protocol::to_hex(*wanted) == header.adapter) return std::nullopt;
  return OutputsProblem{Verdict::kEvidenceInvalid, "outputs_of_another_adapter",
                        "made with adapter " + header.adapter.substr(0, 16) +
                            "..., where the record has " + protocol::to_hex(*wanted).substr(0, 16) +
                            "... " + (without_adapter ? "before training" : "after its last step")};
}

/// Its digest in the manifest is what a later change of the file would be known by.
std::optional<OutputsProblem> manifest_problem(const RunView& run) {
  if (at(run.manifest, "/files/inference.jsonl").is_string()) return std::nullopt;
  return OutputsProblem{Verdict::kInvalid, "outputs_not_named",
                        "the manifest does not name inference.jsonl with its digest"};
}

OutputsProblem unreadable(const protocol::InferenceProblem& problem) {
  const std::string where = problem.line > 0 ? " line " + std::to_string(problem.line) : "";
  const std::string what = "inference.jsonl" + where + ": " + problem.what;
  if (problem.damaged()) return {Verdict::kEvidenceInvalid, "outputs_damaged", what};
  const bool missing = problem.reason == "missing";
  return {Verdict::kInvalid, missing ? "outputs_missing" : "outputs_malformed", what};
}

}  // namespace

std::variant<InferenceFile, OutputsProblem> read_outputs(const OutputsSource& source,
                                                         const json& settings,
                                                         bool without_adapter) {
  if (!source.failure.empty()) {
    return OutputsProblem{Verdict::kInvalid, "trainer_failed", source.failure};
  }
  auto read = protocol::read_inference(source.file);
  if (const auto* problem = std::get_if<protocol::InferenceProblem>(&read)) {
    return unreadable(*problem);
  }
  auto file = std::get<InferenceFile>(std::move(read));
  std::optional<OutputsProblem> problem;
  if (source.run != nullptr) {
    const RunView& run = *source.run;
    if (source.in_manifest) problem = manifest_problem(run);
    if (!problem) problem = settings_problem(settings, file.header);
    if (!problem) problem = adapter_problem(run, file.header, without_adapter);
    if (!problem && run.config) problem = identity_problem(run.config->identity, file.header);
    if (!problem && run.summary.header) problem = record_problem(*run.summary.header, file.header);
  }
  if (problem) return *problem;
  return file;
}

}  // namespace twinrun::harness
