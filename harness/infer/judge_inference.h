#pragma once

#include <filesystem>
#include <optional>
#include <string>
#include <vector>

#include "harness/compare/compare.h"
#include "harness/infer/bounds.h"
#include "harness/infer/compare_outputs.h"

namespace twinrun::harness {

/// The control of every check of outputs: those of the model without the trained adapter.
inline constexpr const char* kNoopAdapter = "noop-adapter";

/// Outputs that somebody made of a run's adapter, or of the model without it.
struct OutputsSource {
  std::string name;                  ///< of the run: a, b, ...; noop-adapter
  const RunView* run = nullptr;      ///< whose adapter it is said to be; for the control run a
  std::filesystem::path file;        ///< inference.jsonl
  std::string failure;               ///< why the trainer made none; empty if it did
  std::filesystem::path shown_file;  ///< as the verdict names it
  bool in_manifest = false;  ///< it stands in the run's folder, whose manifest has to name it
};

/// Files only: what was stored can be judged again without a trainer.
struct InferenceInput {
  std::vector<OutputsSource> runs;       ///< at least one
  std::optional<OutputsSource> control;  ///< noop-adapter
  std::string control_missing;           ///< why there is none; for people
  std::optional<std::filesystem::path> reference;
  std::filesystem::path shown_reference;
  /// The prompts that were asked for; nullopt where those of the reference are.
  std::optional<std::filesystem::path> prompts;
  /// judgement.inference of docs/protocol.md section 10.
  nlohmann::json settings;
};

/// Outputs against a reference.
struct ReferenceComparison {
  Verdict verdict = Verdict::kInvalid;
  std::string reason, message;
  std::vector<Difference> key_differences;  ///< no token was compared if not empty
  std::optional<BitwiseOutputs> bitwise;    ///< of a reference that promises bits
  std::optional<ForcedMeasure> forced;      ///< of any other
  std::optional<GreedyMeasure> greedy;
};

/// What a reference is held to.
enum class ReferenceKind {
  kFrozen,  ///< promises bits: every token and every bit has to be the same
  kOther,   ///< of another implementation: within bounds
};
ReferenceKind kind_of(const protocol::InferenceHeader& reference);

/// Compares without looking at the adapters' digests: comparability first, then tokens and bits, or
/// the measures against `bounds`.
///
///  REPRODUCED      bitwise; within_bounds
///  NOT_REPRODUCED  outputs_differ; prompt_ids_differ; logprob_differs, mean_logprob_differs,
///                  kl_exceeded, mean_kl_exceeded, top1_disagrees, not_a_near_tie
///  INCONCLUSIVE    other_model, other_tokenizer, other_prompts, not_comparable
///  INVALID         forced_on_another_reference, forced_malformed
ReferenceComparison compare_with_reference(const protocol::InferenceFile& reference,
                                           const protocol::InferenceFile& outputs,
                                           const InferenceBounds& bounds);

/// What a person reads of one prompt, side by side.
struct TextPair {
  std::int64_t prompt = 0;
  std::string id;
  std::string reference, run;            ///< completions; token ids where there is no tokenizer
  std::optional<std::int64_t> parts_at;  ///< first token that differs
};

struct JudgedOutputs {
  std::string name;
  std::filesystem::path file;
  std::string sha256;  ///< empty if the file cannot be read
  ReferenceComparison comparison;
};

struct TwinOutputs {
  std::string a, b;
  Verdict verdict = Verdict::kInvalid;
  std::string reason, message;
  std::vector<Difference> key_differences;
  std::optional<BitwiseOutputs> bitwise;
};

struct InferenceReport {
  Check check{"inference", Verdict::kNotRun, "not_asked", "no inference: in the case"};
  bool judged = false;  ///< whether anything of the rest was filled
  std::int64_t prompts = 0;
  std::filesystem::path reference;  ///< empty: twins against each other only
  std::string reference_sha256, reference_program;
  std::string kind;  ///< frozen, other; empty without reference
  std::optional<InferenceBounds> bounds;
  std::vector<JudgedOutputs> runs;
  std::vector<TwinOutputs> twins;
  std::optional<ControlOutcome> control;
  std::vector<TextPair> texts;  ///< of the first run and the reference, or the second run
};

/// Judges outputs: those of each run by themselves (they hold, and they are of this run), against
/// the reference where there is one, and against each other. Without a reference green takes two
/// runs at least, and the same bits. A reference of another adapter never leads to green.
///
/// The control `noop-adapter` says whether outputs of the base model fail the same check (without
/// reference: differ from the first run's); it is told apart, as the other controls are.
///
/// Reasons besides those of compare_with_reference: bitwise, twins_differ (NOT_REPRODUCED);
/// other_adapter, no_promise, not_comparable (INCONCLUSIVE); trainer_failed, outputs_missing,
/// outputs_malformed, outputs_not_named, outputs_not_as_configured (INVALID); outputs_damaged,
/// outputs_of_another_adapter, reference_damaged, reference_replaced (EVIDENCE_INVALID);
/// reference_missing, reference_malformed, reference_newer_schema, prompts_missing (INCONCLUSIVE);
/// prompts_replaced (EVIDENCE_INVALID).
InferenceReport judge_inference(const InferenceInput& input);

}  // namespace twinrun::harness
