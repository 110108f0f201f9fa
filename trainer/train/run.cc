#include "trainer/train/run.h"

#include "trainer/numerics/variables.h"
#include "trainer/train/failure.h"
#include "trainer/train/manifest.h"
#include "trainer/train/recorded_run.h"
#include "trainer/train/session.h"

namespace twinrun::trainer {
namespace {

/// Where `manifest`'s run goes on. Says so in it.
RunStart resume_point(const std::filesystem::path& run_dir, const TrainConfig& config,
                      Manifest& manifest) {
  RunStart start{manifest.run_id(), /*resume=*/true, {}};
  start.checkpoint = read_newest_checkpoint(
      run_dir, {start.run_id, config.identity_digest, arithmetic_id(config.numerics)});
  manifest.add_resumed(start.checkpoint ? start.checkpoint->state.step : 0);
  manifest.write();
  return start;
}

void train(const protocol::RunConfig& config, const std::filesystem::path& run_dir, bool resume,
           Manifest& manifest) {
  const auto typed = read_train_config(config);
  if (config.launch.contains("bench")) {  // it may force switches, which then promise nothing
    throw ConfigError("config.json: /launch/bench is for `bench`; a run takes none");
  }
  prepare_environment(typed.numerics);
  auto& fields = manifest.fields();
  const auto before = fields;
  fields["numerics"] = typed.numerics.mode;
  fields["promise"] = promises_bits(typed.numerics) ? "bitwise" : "none";
  fields["arithmetic"] = arithmetic_id(typed.numerics);
  const RunStart start =
      resume ? resume_point(run_dir, typed, manifest) : RunStart{manifest.run_id(), false, {}};
  Session session(typed, fields);
  if (const auto difference = platform_difference(before, fields);
      !difference.empty() && typed.numerics.mode != "portable") {
    fields = before;
    throw protocol::ResumeRefused("the run cannot go on here, since numerics " +
                                  typed.numerics.mode +
                                  " is tied to what it began with: " + difference);
  }
  manifest.write();
  RecordedRun run(session, run_dir, start);
  try {
    fields["head"] = protocol::to_hex(run.train());
  } catch (...) {
    fields["steps_written"] = run.steps_written();
    throw;
  }
  fields["steps_written"] = run.steps_written();
}

}  // namespace

int run_training(const protocol::RunConfig& config, const std::filesystem::path& run_dir,
                 bool resume) {
  const RunLock lock(run_dir);
  Manifest manifest = resume ? Manifest::resume(run_dir, config) : Manifest::begin(run_dir, config);
  try {
    train(config, run_dir, resume, manifest);
    return manifest.end("complete", "", kExitComplete);
  } catch (...) {
    const auto failure = current_failure();
    return manifest.end(failure.status, failure.message, failure.exit_code);
  }
}

}  // namespace twinrun::trainer
