#include "harness/infer/judge_inference.h"

#include <algorithm>
#include <stdexcept>

#include "harness/compare/comparability.h"
#include "harness/infer/infer_text.h"
#include "harness/infer/outputs_of_run.h"
#include "harness/infer/prompts_file.h"

namespace twinrun::harness {
namespace {

using nlohmann::json;
using protocol::InferenceFile;
using protocol::PromptOutput;

using Outputs = std::variant<InferenceFile, OutputsProblem>;

const InferenceFile* good(const Outputs& outputs) { return std::get_if<InferenceFile>(&outputs); }

/// The reference, or why there is none to hold anything against.
std::variant<InferenceFile, OutputsProblem> read_reference(const InferenceInput& input) {
  const std::filesystem::path& path = *input.reference;
  auto read = protocol::read_inference(path);
  if (const auto* problem = std::get_if<protocol::InferenceProblem>(&read)) {
    const std::string what = problem->at(path);
    if (problem->damaged()) {
      return OutputsProblem{Verdict::kEvidenceInvalid, "reference_damaged", what};
    }
    const bool known = problem->reason == "missing" || problem->reason == "newer_schema";
    return OutputsProblem{Verdict::kInconclusive,
                          "reference_" + (known ? problem->reason : std::string("malformed")),
                          what};
  }
  auto file = std::get<InferenceFile>(std::move(read));
  const json wanted =
      input.settings.is_object() ? input.settings.value("reference", json()) : json();
  if (wanted.is_string() && wanted != protocol::to_hex(file.sha256)) {
    return OutputsProblem{
        Verdict::kEvidenceInvalid, "reference_replaced",
        path.string() + ": is not the file that the run was to be held against: its SHA-256 is " +
            protocol::to_hex(file.sha256).substr(0, 16) + "..., judgement.inference has " +
            wanted.get<std::string>().substr(0, 16) + "..."};
  }
  return file;
}

/// Whether outputs are for the prompts that were asked for, all of them and in their order.
std::optional<OutputsProblem> prompts_problem(const InferenceInput& input, const RunView* run,
                                              const InferenceFile& outputs) {
  if (!input.prompts) return std::nullopt;
  const std::filesystem::path& path = *input.prompts;
  if (!std::filesystem::is_regular_file(path)) {
    return OutputsProblem{Verdict::kInconclusive, "prompts_missing",
                          path.string() + ": the prompts are not there"};
  }
  if (input.settings.value("prompts", json()) != protocol::to_hex(protocol::sha256_file(path))) {
    return OutputsProblem{Verdict::kEvidenceInvalid, "prompts_replaced",
                          path.string() + ": is not the prompts file of judgement.inference"};
  }
  const json identity = run != nullptr && run->config ? run->config->identity : json::object();
  const auto ids = read_prompts_file(path, identity).ids;
  const auto found =
      std::find_if(outputs.outputs.begin(), outputs.outputs.end(), [&](const PromptOutput& output) {
        const auto index = static_cast<std::size_t>(output.prompt);
        return index >= ids.size() || ids[index] != output.id;
      });
  if (found == outputs.outputs.end() && outputs.outputs.size() == ids.size()) return std::nullopt;
  return OutputsProblem{Verdict::kInvalid, "outputs_not_as_configured",
                        found == outputs.outputs.end()
                            ? "has " + std::to_string(outputs.outputs.size()) +
                                  " prompts, asked for were " + std::to_string(ids.size())
                            : prompt_text(outputs, found->prompt) + " was not asked for there"};
}

/// The outputs of `source`, if they are whole, of its run and for these prompts.
Outputs take_outputs(const InferenceInput& input, const OutputsSource& source,
                     bool without_adapter) {
  Outputs outputs = read_outputs(source, input.settings, without_adapter);
  if (const InferenceFile* file = good(outputs)) {
    if (auto problem = prompts_problem(input, source.run, *file)) return *problem;
  }
  return outputs;
}

InferenceBounds bounds_of(const InferenceInput& input, const InferenceFile& reference) {
  const json given = input.settings.is_object() ? input.settings.value("bounds", json()) : json();
  return given.is_null() ? default_bounds(reference.header.dtype) : bounds_from_json(given);
}

ReferenceComparison problem_of(const OutputsProblem& problem) {
  ReferenceComparison comparison;
  comparison.verdict = problem.verdict;
  comparison.reason = problem.reason;
  comparison.message = problem.message;
  return comparison;
}

/// One run's outputs against the reference, the adapters' digests included.
ReferenceComparison compare_run(const InferenceFile& reference, const InferenceFile& outputs,
                                const InferenceBounds& bounds) {
  ReferenceComparison comparison = compare_with_reference(reference, outputs, bounds);
  if (reference.header.adapter == outputs.header.adapter) return comparison;
  const std::string other = "the reference was made for another adapter (" +
                            reference.header.adapter.substr(0, 16) + "..., here " +
                            outputs.header.adapter.substr(0, 16) + "...)";
  if (comparison.verdict == Verdict::kReproduced) {
    comparison.verdict = Verdict::kInconclusive;
    comparison.reason = "other_adapter";
    comparison.message = other + ", which says nothing about this one";
  } else if (comparison.verdict == Verdict::kNotReproduced) {
    comparison.message += "; " + other;
  }
  return comparison;
}

json platform_part(const protocol::InferenceHeader& header) {
  return {{"model", header.model},
          {"tokenizer", header.tokenizer},
          {"dtype", header.dtype},
          {"numerics", header.numerics},
          {"arithmetic", header.arithmetic},
          {"max_new_tokens", header.max_new_tokens},
          {"batch_size", header.batch_size},
          {"top", header.top},
          {"platform", header.platform},
          {"reference", header.reference ? json(*header.reference) : json()}};
}

TwinOutputs compare_twins(const std::string& name_a, const InferenceFile& a,
                          const std::string& name_b, const InferenceFile& b) {
  TwinOutputs twins{name_a, name_b, Verdict::kInconclusive, "no_promise", "", {}, {}};
  const std::string names = "outputs of " + name_a + " and " + name_b;
  if (a.header.promise != protocol::Promise::kBitwise ||
      b.header.promise != protocol::Promise::kBitwise) {
    twins.message = names + " promise no bits";
    return twins;
  }
  twins.key_differences = json_differences(platform_part(a.header), platform_part(b.header));
  if (!twins.key_differences.empty() || a.outputs.size() != b.outputs.size()) {
    twins.reason = "not_comparable";
    twins.message = names + " cannot be compared: " +
                    (twins.key_differences.empty()
                         ? "other numbers of prompts"
                         : first_field_text(platform_part(a.header), platform_part(b.header)));
    return twins;
  }
  twins.bitwise = compare_bits(a, b, true);
  const auto& first = twins.bitwise->first;
  twins.verdict = first ? Verdict::kNotReproduced : Verdict::kReproduced;
  twins.reason = first ? "twins_differ" : "bitwise";
  twins.message =
      first ? "outputs of " + name_b + " " + difference_text(a, *first, "those of " + name_a)
            : names + " are equal in every token and bit";
  return twins;
}

std::string completion_text(const PromptOutput& output) {
  if (output.completion) return *output.completion;
  std::string text;
  for (const std::int64_t token : output.tokens) {
    text += (text.empty() ? "" : " ") + std::to_string(token);
  }
  return text;
}

std::vector<TextPair> text_pairs(const InferenceFile& reference, const InferenceFile& run) {
  std::vector<TextPair> pairs;
  if (reference.outputs.size() != run.outputs.size()) return pairs;
  for (std::size_t i = 0; i < reference.outputs.size(); ++i) {
    const PromptOutput &wanted = reference.outputs[i], &found = run.outputs[i];
    TextPair pair{wanted.prompt, sample_id_text(wanted.id), completion_text(wanted),
                  completion_text(found), std::nullopt};
    const auto parted = std::mismatch(wanted.tokens.begin(), wanted.tokens.end(),
                                      found.tokens.begin(), found.tokens.end());
    if (wanted.tokens != found.tokens) pair.parts_at = parted.first - wanted.tokens.begin();
    pairs.push_back(std::move(pair));
  }
  return pairs;
}

/// Whether outputs without the adapter fail where those with it are to pass.
ControlOutcome judge_control(const InferenceInput& input, const InferenceFile* reference,
                             const InferenceFile* run, const InferenceBounds& bounds) {
  ControlOutcome outcome{kNoopAdapter, false, false, input.control_missing, json::object()};
  if (!input.control) return outcome;
  const Outputs outputs = take_outputs(input, *input.control, true);
  const InferenceFile* base = good(outputs);
  if (base == nullptr) {
    const auto& problem = std::get<OutputsProblem>(outputs);
    outcome.ran = problem.reason != "outputs_missing";
    outcome.details = {{"reason", problem.reason}};
    outcome.message =
        "outputs without the adapter are of no use (" + problem.reason + "): " + problem.message;
    return outcome;
  }
  if (reference != nullptr) {
    const ReferenceComparison comparison = compare_with_reference(*reference, *base, bounds);
    outcome.ran = true;
    outcome.passed = comparison.verdict == Verdict::kNotReproduced;
    outcome.details = {{"verdict", to_string(comparison.verdict)}, {"reason", comparison.reason}};
    outcome.message =
        outcome.passed ? "without the adapter the model fails the same check: " + comparison.reason
        : comparison.verdict == Verdict::kReproduced
            ? "the model without the adapter passes the same check, which therefore "
              "says nothing about the adapter: train longer, or bound closer"
            : "the model without the adapter could not be judged: " + comparison.message;
    return outcome;
  }
  outcome.message = input.reference ? "there is no reference to hold outputs against"
                                    : "there are no outputs of a run to compare with";
  if (input.reference || run == nullptr) return outcome;
  const BitwiseOutputs bits = compare_bits(*run, *base, false);
  outcome.ran = true;
  outcome.passed = bits.first.has_value() && run->outputs.size() == base->outputs.size();
  outcome.details = {{"prompts", bits.prompts}, {"prompts_differing", bits.prompts_differing}};
  outcome.message = outcome.passed
                        ? "without the adapter the model gives other outputs"
                        : "the model without the adapter gives the same outputs as with it";
  return outcome;
}

/// The worst of `report`; of equals the first, runs before their pairs.
Check worst_check(const InferenceReport& report, const std::string& green_reason,
                  const std::string& green) {
  Check check{"inference", Verdict::kReproduced, green_reason, green};
  for (const JudgedOutputs& run : report.runs) {
    const ReferenceComparison& found = run.comparison;
    if (found.verdict >= check.verdict) continue;
    check = {"inference", found.verdict, found.reason,
             "outputs of " + run.name + ": " + found.message};
  }
  for (const TwinOutputs& twins : report.twins) {
    if (twins.verdict >= check.verdict) continue;
    check = {"inference", twins.verdict, twins.reason, twins.message};
  }
  return check;
}

/// Every pair of outputs that promise bits. With a reference that asks for none, outputs without a
/// promise are not compared: the reference decides.
void judge_twins(const InferenceInput& input, const std::vector<Outputs>& outputs,
                 bool promised_only, InferenceReport& report) {
  for (std::size_t i = 0; i < outputs.size(); ++i) {
    for (std::size_t j = i + 1; j < outputs.size(); ++j) {
      const InferenceFile *a = good(outputs[i]), *b = good(outputs[j]);
      if (a == nullptr || b == nullptr) continue;
      TwinOutputs twins = compare_twins(input.runs[i].name, *a, input.runs[j].name, *b);
      if (promised_only && twins.reason == "no_promise") continue;
      report.twins.push_back(std::move(twins));
    }
  }
}

ReferenceComparison judge_one(const Outputs& outputs, const Outputs* reference,
                              const InferenceBounds& bounds) {
  if (const auto* problem = std::get_if<OutputsProblem>(&outputs)) return problem_of(*problem);
  const auto& file = std::get<InferenceFile>(outputs);
  if (reference == nullptr) {
    ReferenceComparison comparison;
    comparison.verdict = Verdict::kReproduced;
    comparison.reason = "intact";
    comparison.message = "whole, and of this run";
    return comparison;
  }
  if (const auto* problem = std::get_if<OutputsProblem>(reference)) return problem_of(*problem);
  return compare_run(std::get<InferenceFile>(*reference), file, bounds);
}

/// Reads the reference, if there is one, and its bounds, and states both.
std::optional<Outputs> take_reference(const InferenceInput& input, InferenceBounds& bounds,
                                      InferenceReport& report) {
  if (!input.reference) return std::nullopt;
  Outputs reference = read_reference(input);
  report.reference = input.shown_reference;
  const InferenceFile* file = good(reference);
  if (file == nullptr) return reference;
  report.reference_sha256 = protocol::to_hex(file->sha256);
  report.reference_program = file->header.program;
  report.kind = kind_of(file->header) == ReferenceKind::kFrozen ? "frozen" : "other";
  if (report.kind == "frozen") return reference;
  try {
    bounds = bounds_of(input, *file);
  } catch (const std::runtime_error& error) {
    return OutputsProblem{Verdict::kInvalid, "outputs_not_as_configured", error.what()};
  }
  report.bounds = bounds;
  return reference;
}

/// Side by side: reference and first run, or the first two runs.
std::vector<TextPair> texts_of(const InferenceFile* reference,
                               const std::vector<Outputs>& outputs) {
  const InferenceFile* first = good(outputs.front());
  if (first == nullptr) return {};
  if (reference != nullptr) return text_pairs(*reference, *first);
  const InferenceFile* second = outputs.size() > 1 ? good(outputs[1]) : nullptr;
  return second == nullptr ? std::vector<TextPair>{} : text_pairs(*first, *second);
}

}  // namespace

InferenceReport judge_inference(const InferenceInput& input) {
  if (input.runs.empty()) throw std::invalid_argument("no outputs to judge");
  InferenceReport report;
  report.judged = true;
  InferenceBounds bounds;
  const std::optional<Outputs> reference = take_reference(input, bounds, report);
  const InferenceFile* reference_file = reference ? good(*reference) : nullptr;
  std::vector<Outputs> outputs;
  for (const OutputsSource& source : input.runs) {
    outputs.push_back(take_outputs(input, source, false));
    const InferenceFile* file = good(outputs.back());
    report.runs.push_back({source.name, source.shown_file,
                           file == nullptr ? "" : protocol::to_hex(file->sha256),
                           judge_one(outputs.back(), reference ? &*reference : nullptr, bounds)});
    if (file != nullptr) report.prompts = static_cast<std::int64_t>(file->outputs.size());
  }
  judge_twins(input, outputs, reference.has_value(), report);
  report.control = judge_control(input, reference_file, good(outputs.front()), bounds);
  report.texts = texts_of(reference_file, outputs);
  const std::string prompts = std::to_string(report.prompts) + " prompts";
  report.check =
      report.kind == "other" ? worst_check(report, "within_bounds",
                                           "outputs " + report.runs.front().comparison.message)
      : report.kind == "frozen"
          ? worst_check(report, "bitwise", "outputs equal the reference in every bit of " + prompts)
          : worst_check(report, "bitwise",
                        "outputs of all runs are equal in every bit of " + prompts);
  if (!input.reference && report.twins.empty() && report.check.verdict == Verdict::kReproduced) {
    report.check = {"inference", Verdict::kInconclusive, "no_reference",
                    "one run and no reference: there is nothing to compare its outputs with"};
  }
  return report;
}

}  // namespace twinrun::harness
