#pragma once

#include <cstdint>
#include <filesystem>
#include <nlohmann/json.hpp>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "harness/compare/verdict.h"
#include "harness/protocol/record_reader.h"
#include "harness/protocol/run_config.h"

namespace twinrun::harness {

/// A run folder as the judge sees it. Reading never throws for what a trainer may have left behind;
/// what is wrong is told by `verdict` and `problem`.
struct RunView {
  std::filesystem::path dir;
  nlohmann::json manifest;  ///< null if missing or not JSON
  std::optional<protocol::RunConfig> config;
  protocol::RecordSummary summary;
  /// kReproduced: complete and intact; kInvalid: incomplete, failed, missing; kEvidenceInvalid: a
  /// chain, head or file digest does not hold.
  Verdict verdict = Verdict::kInvalid;
  std::string reason;   ///< "complete", "missing_step", "incomplete", "chain_broken",
                        ///< "adapter_replaced", ...
  std::string problem;  ///< for people
  /// The first `bytes` of steps.jsonl were found equal to those of the run in `dir`.
  struct Shared {
    std::filesystem::path dir;
    std::uint64_t bytes = 0;
  };
  std::optional<Shared> shared;
};

/// Reads manifest, config and record of `run_dir`, checks chain, head, digests of the files that
/// the manifest names, seeds and file digests against the identity, and recomputes the last adapter
/// digest from adapter/adapter_model.safetensors where that exists.
///
/// `like`, a run that was read before, saves time: the part of the record that has the same bytes
/// as like's is not parsed and chained a second time, and compare_runs(*like, this) need not read
/// it.
///
///  reason              verdict
///  complete            REPRODUCED
///  chain_broken, head_mismatch, file_replaced, adapter_replaced, identity_mismatch
///                      EVIDENCE_INVALID
///  missing, incomplete, malformed, missing_step, extra_line (of the record), manifest_missing,
///  manifest_malformed, config_malformed, failed, usage_error, seeds_not_as_configured,
///  inputs_not_as_configured, steps_not_as_configured, unreadable
///                      INVALID
RunView read_run(const std::filesystem::path& run_dir, const RunView* like = nullptr);

/// One value that differs, at the first step that differs.
struct Divergence {
  std::int64_t step = 0;
  std::string
      field;  ///< loss, grad_norm, lr, samples, batch, grad, adapter, optimizer, rng, base, ...
  std::string bits_a, bits_b;  ///< hex bits, digest, or JSON of the value
  std::optional<double> value_a, value_b;
  std::optional<std::uint64_t> ulps;      ///< distance of two finite floats
  std::vector<std::string> other_fields;  ///< that differ in the same step too
  std::vector<std::string> tensors;       ///< first 20 that differ by name, in order of computation
  std::int64_t tensors_differing = 0;
  std::int64_t tensors_compared = 0;
};

struct Difference {
  std::string field;  ///< manifest field by JSON pointer
  nlohmann::json a, b;
};

struct Comparison {
  Verdict verdict = Verdict::kInconclusive;
  std::string reason;
  std::string message;
  std::int64_t steps_compared = 0;
  std::int64_t comparisons = 0;  ///< single values compared: fields of all lines
  std::optional<Divergence> first;
  std::vector<Difference> key_differences;  ///< comparability key; no bit was compared if not empty
  std::vector<Difference> suspects;  ///< informative fields that differ, filled when bits differ
};

/// Compares two runs bit for bit: comparability first, then the lines.
///
///  REPRODUCED      every line equal, every loss, gradient norm and learning rate finite
///  NOT_REPRODUCED  a field of the same step differs, or the base moved in one of them
///  INVALID         a run incomplete, steps missing, the same non-finite bits in both, same run id
///  INCONCLUSIVE    comparability keys differ, no steps
///  EVIDENCE_INVALID  a chain or digest is broken
///
/// Of runs of different kinds of machine (kAcross) identity and mode have to be the same and the
/// rest of the key may differ; compared is what neither rounding nor another machine moves,
/// whatever they promise, with the reasons of runs that promise no bits.
///
/// Where the trainer promises no bits, only the discrete plane is compared (see Plane), and the
/// switches of the manifests. Equal there is REPRODUCED with reason `discrete_equal`, which says
/// nothing of losses: that is the calibration's and the equivalence tests' to say.
/// A run that its judge found `binary_changed` is INVALID and not compared: it may be of another
/// program. A prefix of incomplete runs is compared too: a difference shown there wins over
/// INVALID.
///
/// Reasons, besides those of read_run: bitwise, bits_differ, discrete_equal, discrete_differs,
/// not_comparable, no_steps, same_run, different_length, non_finite.
enum class Machines { kAlike, kAcross };
Comparison compare_runs(const RunView& a, const RunView& b, Machines machines = Machines::kAlike);

/// What of a record has to repeat.
enum class Plane {
  kEveryBit,
  /// What no rounding moves, of runs that promise no bits: header, state before training, samples,
  /// batch, numbers of tokens, learning rate and random state of every step, base weights. A loss,
  /// gradient norm or rate that is finite in one run only differs here, too.
  kDiscrete,
  /// The same but for random states, which are another generator's on another device, and of line 1
  /// the arithmetic and what it promises.
  kDiscreteAcross,
};

/// Where two steps.jsonl first differ; the heart of compare_runs.
///
/// Lines are taken in pairs. Of equal ones step number, loss, gradient norm and learning rate are
/// read; others are parsed in full and compared by field, and the first pair with a difference ends
/// the comparison. Of several fields that differ in one step the one that is computed first is
/// named: samples, batch, tokens, loss_tokens, loss, grad, grad_norm, lr, adapter, optimizer, rng,
/// base. Chain values are not compared: they say nothing that the fields do not.
///
/// `planted` alters one parsed step of b before it is compared (the control of the judge itself).
/// `begin` is a byte of both files where a line begins and before which they are known to be equal.
struct PlantedUlp {
  std::int64_t step = 0;  ///< of its loss, or on the discrete plane of its learning rate
};
struct LineComparison {
  std::int64_t steps_compared = 0;
  std::int64_t comparisons = 0;
  std::optional<Divergence> first;
  /// Non-finite in both; the same bits where every bit is compared.
  std::optional<std::int64_t> non_finite_step;
  std::string structure_problem;  ///< steps that do not line up
};
LineComparison compare_lines(const std::filesystem::path& steps_a,
                             const std::filesystem::path& steps_b,
                             std::optional<PlantedUlp> planted = std::nullopt,
                             std::uint64_t begin = 0, Plane plane = Plane::kEveryBit);

/// The comparability key of a run (docs/protocol.md, table of fields) and its fingerprint, the
/// first 16 hex digits of the SHA-256 of the key in canonical form.
nlohmann::json comparability_key(const RunView& run);
std::string fingerprint(const nlohmann::json& key);

/// Controls that every verdict carries.
struct ControlOutcome {
  std::string name;  ///< planted-ulp, seed-plus-one, adapter-moved, base-unmoved
  bool ran = false, passed = false;
  std::string message;
  nlohmann::json details = nlohmann::json::object();
};

/// Plants a 1-ULP change of the loss (of a run that promises no bits: of the learning rate) at a
/// step drawn from `seed` and demands that compare_lines finds exactly it: that step, that field,
/// distance 1. Of a long record only the lines from a
/// little before that step on are gone through, by the same compare_lines.
ControlOutcome control_planted_ulp(const RunView& run, std::uint64_t seed);
/// `control` has the identity of `run` but for seed and seeds.* + 1 (else it fails), and differs
/// where the configuration lets a seed act:
///
///   step-0 adapter      always; with lora.init never
///   gradient            of step 1 if adapter or dropout hang on a seed; of each step that took
///                       other data
///   samples or losses   unless there are so few samples (`data` of the manifest) that both seeds
///                       may draw the same order
///
/// Where no seed acts (lora.init, dropout 0) and the same samples came, it could show nothing: it
/// did not run, which is never green.
ControlOutcome control_seed_plus_one(const RunView& run, const RunView& control);
ControlOutcome control_adapter_moved(const std::vector<RunView>& runs);
ControlOutcome control_base_unmoved(const std::vector<RunView>& runs);

}  // namespace twinrun::harness
