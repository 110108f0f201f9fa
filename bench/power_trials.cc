#include "bench/power_trials.h"

#include <algorithm>
#include <fstream>
#include <iterator>
#include <map>
#include <stdexcept>

#include "harness/calibrate/window.h"
#include "harness/cli/execute.h"
#include "harness/cli/judge.h"
#include "harness/cli/resolve.h"
#include "harness/cli/statistics_runs.h"
#include "harness/protocol/append_file.h"
#include "harness/stats/random.h"

namespace twinrun::bench {
namespace {

namespace fs = std::filesystem;
using harness::JudgedRun;
using nlohmann::json;

bool one_of(const std::string& word, const std::vector<std::string>& words) {
  return std::find(words.begin(), words.end(), word) != words.end();
}

const CataloguedFault& catalogued(const std::string& fault) {
  const std::string kind = fault.substr(0, fault.find('@'));
  const auto& list = fault_catalogue();
  return *std::find_if(list.begin(), list.end(),
                       [&](const CataloguedFault& known) { return known.kind == kind; });
}

std::int64_t step_of(const std::string& fault) {
  return std::stoll(fault.substr(fault.find('@') + 1));
}

/// Whether what was found is what was planted: its field (or the reason of the verdict) at its
/// step. A fault that only the envelope saw has to lie outside in a window behind its step; there
/// is no field to name.
bool cause_named(const CataloguedFault& wanted, std::int64_t step, const json& found) {
  if (!wanted.reason.empty()) return found.at("reason") == wanted.reason;
  if (found.at("field").is_string() && found.at("step").is_number_integer()) {
    // The manifest has the switch, and no step of its own.
    if (wanted.tf32) return found.at("field").get<std::string>().starts_with("switches");
    const auto at = found.at("step").get<std::int64_t>();
    return one_of(found.at("field"), wanted.fields) && (wanted.later ? at >= step : at == step);
  }
  return found.contains("outside") && found.at("outside").at(1) &&
         found.at("worst").at(1).at("step").get<std::int64_t>() >= step;
}

bool same_file(const fs::path& a, const fs::path& b) {
  return fs::exists(a) && fs::exists(b) && protocol::read_file(a) == protocol::read_file(b);
}

JudgedRun execute(const std::string& name, const fs::path& dir, int nuisance,
                  const std::vector<std::string>& faults, const harness::ResolvedCase& resolved) {
  return harness::execute_run(
      {name, dir, resolved.config, faults, harness::nuisance_of_run(nuisance)}, resolved, true);
}

/// Of runs that promise no bits: their p-values, where they lie worst, how its metrics stand
/// to those of the first.
void add_statistics(const harness::VerdictReport& report, json& line) {
  const auto& statistics = report.statistics;
  if (statistics.calibration.reason == "not_asked") return;
  line["calibration"] = statistics.calibration.reason;
  line["equivalence"] = statistics.equivalence.reason;
  if (statistics.candidates.size() < 2) return;
  const auto& found = statistics.candidates[1];
  const auto outside = [&](std::size_t run) {
    return !(statistics.candidates[run].p > statistics.settings.alpha);
  };
  line["p"] = {statistics.candidates[0].p, found.p};
  line["outside"] = {outside(0), outside(1)};
  line["worst"] = json::array();
  for (const auto& candidate : statistics.candidates) {
    line["worst"].push_back({{"window", candidate.worst.window},
                             {"channel", candidate.worst.channel},
                             {"part", candidate.worst.part},
                             {"step", candidate.worst.step}});
  }
}

}  // namespace

const std::vector<CataloguedFault>& fault_catalogue() {
  static const std::vector<CataloguedFault> list = {
      {.kind = "seed", .fields = {"adapter"}, .first_step = 0},
      {.kind = "data-order", .fields = {"samples"}},
      {.kind = "skip-batch", .fields = {"samples"}},
      {.kind = "duplicate-batch", .fields = {"samples"}, .first_step = 2},
      {.kind = "tokenizer", .fields = {"batch"}},
      {.kind = "loss-mask", .fields = {"batch"}},
      {.kind = "dropout-unseeded", .fields = {"loss", "grad", "rng"}},
      {.kind = "lora-alpha", .fields = {"loss", "grad"}},
      {.kind = "stale-checkpoint", .fields = {"loss", "grad"}, .first_step = 2},
      {.kind = "accumulation", .fields = {"loss", "rng"}, .accumulates = true},
      {.kind = "lr-0.1", .fields = {"lr"}},
      {.kind = "lr", .fields = {"lr"}},
      {.kind = "lr-5", .fields = {"lr"}},
      {.kind = "weight-decay", .fields = {"adapter"}},
      {.kind = "beta2", .fields = {"adapter", "optimizer"}},
      {.kind = "eps", .fields = {"adapter"}},
      {.kind = "no-clipping", .fields = {"adapter"}, .later = true, .clipped = true},
      {.kind = "tf32", .fields = {"loss"}, .tf32 = true},
      {.kind = "loss-ulp", .fields = {"loss"}},
      {.kind = "grad-ulp", .fields = {"grad"}},
      {.kind = "adapter-ulp", .fields = {"adapter"}},
      {.kind = "base-bit", .fields = {"loss", "grad", "base"}, .later = true},
      {.kind = "nan", .fields = {"loss"}},
      {.kind = "constant", .fields = {"adapter"}, .first_step = 0},
      {.kind = "drop-line", .reason = "missing_step"},
      {.kind = "truncate", .reason = "incomplete"},
      {.kind = "crash", .reason = "trainer_killed"}};
  return list;
}

namespace {

constexpr std::int64_t kSteps = 12, kNoisySteps = 60, kGpuSteps = 40;

std::int64_t steps_of(Study study) {
  return study == Study::kBitwise ? kSteps : study == Study::kStatistical ? kNoisySteps : kGpuSteps;
}

json small_model(std::int64_t key_value_heads, bool tied) {
  return {{"architectures", {"LlamaForCausalLM"}},
          {"model_type", "llama"},
          {"hidden_act", "silu"},
          {"vocab_size", 97},
          {"hidden_size", 32},
          {"intermediate_size", 48},
          {"num_hidden_layers", 2},
          {"num_attention_heads", 4},
          {"num_key_value_heads", key_value_heads},
          {"tie_word_embeddings", tied},
          {"rms_norm_eps", 1e-5},
          {"rope_theta", 10000.0}};
}

/// What all cases have in common, and the three parts in which they differ.
std::string case_text(Study study, const std::string& name, const std::string& dtype,
                      const std::string& lora, const std::string& train) {
  const std::string steps = std::to_string(steps_of(study));
  const bool gpu = study == Study::kGpu;
  const std::string samples = study == Study::kBitwise ? "96" : gpu ? "400" : "480";
  const std::string mode = study == Study::kBitwise ? "numerics: deterministic\n"
                           : gpu ? "numerics: fast\nstatistics: {restore_at: [0.5]}\n"
                                 : "numerics: fast\nshuffle_reductions: 5\n";
  return "schema: 1\nname: " + name + "\nmodel: {config: " + name +
         ".json, init: random, seed: 7, dtype: " + dtype +
         "}\ndata: {synthetic: {samples: " + samples + ", length: " + (gpu ? "512" : "16") +
         ", vocab_size: " + (gpu ? "2048" : "97") + ", seed: 3}}\nlora: {" + lora +
         ", target_modules: all-linear}\ntrain: {steps: " + steps + ", " + train + "}\nseed: 1\n" +
         mode + "device: " + (gpu ? "cuda" : "cpu") + "\nthreads: 1\n";
}

std::vector<PowerCase> gpu_cases() {
  json model = small_model(4, false);
  model.update({{"vocab_size", 2048},
                {"hidden_size", 512},
                {"intermediate_size", 1536},
                {"num_hidden_layers", 4},
                {"num_attention_heads", 8}});
  std::vector<PowerCase> cases;
  for (const bool half : {false, true}) {
    const std::string name = half ? "gpu-bfloat16" : "gpu-float32";
    cases.push_back(
        {name,
         case_text(Study::kGpu, name, half ? "bfloat16" : "float32",
                   "rank: 8, alpha: 16, dropout: 0.05",
                   "batch_size: 4, gradient_accumulation: 2, max_grad_norm: 0.5, optimizer: {lr: "
                   "1.0e-3, weight_decay: 0.01}, schedule: {name: cosine, warmup_steps: 4}"),
         model, true, !half});
  }
  return cases;
}

/// Whether a short run that goes on from a checkpoint has fewer steps before `step` than
/// `stale-checkpoint` or `duplicate-batch` go back.
bool soon_behind_checkpoint(std::int64_t step, Study study) {
  if (study == Study::kBitwise) return false;
  harness::StatisticsSettings settings;
  if (study == Study::kGpu) settings.restore_at = {0.5};
  const auto windows = harness::windows_of(settings, steps_of(study));
  return std::any_of(windows.begin(), windows.end(), [&](const harness::StepWindow& window) {
    const std::int64_t restored = window.restored_from;
    return restored > 0 && step > restored && step <= restored + 3;
  });
}

std::int64_t step_for(const CataloguedFault& fault, Study study, harness::Random& random) {
  if (fault.first_step == 0) return 0;
  const auto steps = static_cast<std::uint32_t>(steps_of(study) - fault.first_step + 1);
  for (;;) {
    const std::int64_t step = fault.first_step + random.below(steps);
    const bool goes_back = fault.first_step > 1;
    if (!goes_back || !soon_behind_checkpoint(step, study)) return step;
  }
}

bool fits(const CataloguedFault* fault, const PowerCase& power_case) {
  if (power_case.clipped) return fault != nullptr && fault->clipped;
  if (fault == nullptr) return true;
  if (fault->clipped) return false;
  return (!fault->accumulates || power_case.accumulates) && (!fault->tf32 || power_case.tf32);
}

}  // namespace

std::vector<PowerCase> power_cases(Study study) {
  if (study == Study::kGpu) return gpu_cases();
  const auto yaml = [&](const std::string& name, const std::string& lora,
                        const std::string& train) {
    return case_text(study, name, "float32", lora, train);
  };
  return {{"plain",
           yaml("plain", "rank: 4, alpha: 8, dropout: 0.1",
                "batch_size: 4, max_grad_norm: 0.5, optimizer: {lr: 1.0e-2}"),
           small_model(4, false)},
          {"accumulating",
           yaml("accumulating", "rank: 2, alpha: 4, dropout: 0.05",
                "batch_size: 2, gradient_accumulation: 2, optimizer: {lr: 5.0e-3, weight_decay: "
                "0.01, beta2: 0.99}, schedule: {name: cosine, warmup_steps: 2}"),
           small_model(4, true), true},
          {"grouped",
           yaml("grouped", "rank: 8, alpha: 8, dropout: 0.2",
                "batch_size: 2, gradient_accumulation: 3, max_grad_norm: 0.3, optimizer: {lr: "
                "2.0e-3, eps: 1.0e-6}, schedule: {name: linear}"),
           small_model(2, false), true},
          {"clipped",
           yaml("clipped", "rank: 4, alpha: 8, dropout: 0.1",
                "batch_size: 4, max_grad_norm: 0.02, optimizer: {lr: 1.0e-2}"),
           small_model(4, false), false, false, true}};
}

std::vector<Trial> plan_trials(std::int64_t clean, std::int64_t each, Study study,
                               std::uint64_t seed, const std::string& only) {
  const std::vector<PowerCase> cases = power_cases(study);
  harness::Random random(seed);
  std::vector<Trial> trials;
  const auto add = [&](const CataloguedFault* fault) {
    std::vector<const PowerCase*> fitting;
    for (const PowerCase& power_case : cases) {
      if (fits(fault, power_case)) fitting.push_back(&power_case);
    }
    if (fitting.empty()) return;  // a fault of a GPU, and there is none
    Trial trial;
    trial.number = static_cast<std::int64_t>(trials.size());
    trial.power_case = fitting[random.below(static_cast<std::uint32_t>(fitting.size()))]->name;
    trial.seed = study == Study::kBitwise ? 1 + random.below(1'000'000) : 1;
    if (fault != nullptr) {
      trial.fault = fault->kind + "@" + std::to_string(step_for(*fault, study, random));
    }
    trials.push_back(std::move(trial));
  };
  for (std::int64_t i = 0; i < std::max(clean, each); ++i) {
    if (i < clean) add(nullptr);
    if (i >= each) continue;
    for (const CataloguedFault& fault : fault_catalogue()) {
      if (only.empty() || fault.kind == only) add(&fault);
    }
  }
  return trials;
}

json run_trial(const Trial& trial, const harness::ResolvedCase& resolved, const fs::path& work,
               const fs::path& calibrations) {
  fs::remove_all(work);
  const std::string tag = std::to_string(trial.number);
  const std::vector<std::string> faults =
      trial.fault.empty() ? std::vector<std::string>{} : std::vector<std::string>{trial.fault};
  harness::JudgeInput input;
  input.base = input.statistics = work;
  input.without_controls = true;
  input.runs.push_back(execute("a" + tag, work / "a", 0, {}, resolved));
  input.runs.push_back(execute("b" + tag, work / "b", 1, faults, resolved));
  if (!harness::promises_bits(input.runs) && harness::all_intact(input.runs)) {
    harness::run_windows(resolved, calibrations, work, input.runs, {{}, faults}, true);
  }
  const harness::VerdictReport report = harness::judge(input);
  const auto& first = report.comparisons.at(0).comparison.first;
  json line = {{"trial", trial.number},
               {"case", trial.power_case},
               {"seed", trial.seed},
               {"fault", trial.fault},
               {"verdict", to_string(report.verdict)},
               {"reason", report.checks.at(0).reason},
               {"field", first ? json(first->field) : json()},
               {"step", first ? json(first->step) : json()}};
  add_statistics(report, line);
  // Every digest the same: the fault changed nothing that there is.
  line["bit_neutral"] =
      !trial.fault.empty() && same_file(work / "a" / "steps.jsonl", work / "b" / "steps.jsonl");
  line["named"] =
      !trial.fault.empty() && cause_named(catalogued(trial.fault), step_of(trial.fault), line);
  fs::remove_all(work);
  return line;
}

}  // namespace twinrun::bench
