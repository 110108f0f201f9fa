#pragma once

#include <filesystem>
#include <optional>
#include <string>
#include <vector>

#include "harness/cli/judge.h"
#include "harness/cli/nuisance.h"
#include "harness/config/case.h"
#include "harness/infer/judge_inference.h"

namespace twinrun::harness {

/// One call of the trainer's `infer`; docs/protocol.md section 10.
struct InferPlan {
  std::string name;            ///< of the run, or noop-adapter
  std::filesystem::path dir;   ///< absolute; gets inference.jsonl and infer-*.log
  std::string adapter;         ///< empty: `dir`/adapter; none; or a folder
  protocol::RunConfig config;  ///< with launch.inference; `dir`/config.json is written if missing
  Nuisance nuisance;
};

/// Starts `COMMAND... infer CONFIG --run-dir DIR [--adapter A] [--prompts FILE] [--reference FILE]`
/// with the nuisance really applied and waits for it, `step_timeout_s` a batch at most. What went
/// wrong is told by `failure` of the result, whose `run` is null.
///
/// Throws UsageError with the trainer's message if it could not be started or ended with exit 2.
OutputsSource execute_infer(const InferPlan& plan, const ResolvedCase& resolved, bool quiet);

/// What `verify` does when the case has `inference:`, after every run is found intact: outputs of
/// each run in its own folder and, with controls, those of the model without adapter in
/// `base`/controls/noop-adapter. Prompts and reference are copied to `base` first, as prompts.jsonl
/// and reference.jsonl, so that the evidence is whole. The runs are read again, since their
/// manifests name the outputs now.
InferenceInput infer_runs(const ResolvedCase& resolved, const std::filesystem::path& base,
                          std::vector<JudgedRun>& runs, bool quiet);

/// What stored runs of one `verify` left of inference: outputs in each folder, reference and
/// control beside the first run. nullopt if the first configuration that is there asks for none.
/// `with_control` false: the control is waived.
std::optional<InferenceInput> stored_inference(const std::vector<JudgedRun>& runs,
                                               const std::filesystem::path& base,
                                               bool with_control);

}  // namespace twinrun::harness
