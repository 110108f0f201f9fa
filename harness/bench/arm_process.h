#pragma once

#include <filesystem>
#include <memory>
#include <string>

#include "harness/bench/session.h"
#include "harness/config/case.h"

namespace twinrun::harness {

/// The judge got SIGINT or SIGTERM while it waited for an arm; interrupt_signal() says which.
struct BenchInterrupted {};

/// Arms that are trainers: `COMMAND... bench CONFIG.json --run-dir DIR` with CONFIG and DIR in
/// `folder`/arms/NUMBER-NAME, which keeps their stderr.
class TrainerArms : public ArmSource {
 public:
  /// `resolved` is the case with the mode of the reference; an arm's own replaces it.
  TrainerArms(ResolvedCase resolved, std::filesystem::path folder);

  /// Also throws UsageError where the program cannot be started or ended with exit code 2 (but for
  /// an arm that forces switches: those may be unknown to a trainer), and BenchInterrupted.
  /// ArmError `timed_out` if no line comes for `verify.step_timeout_s`, `trainer_failed` or
  /// `trainer_killed` if it ended.
  std::unique_ptr<Arm> start(const ArmSpec& spec, std::int64_t process) override;
  double now_s() override;

 private:
  ResolvedCase resolved_;
  std::filesystem::path folder_;
  std::int64_t begin_ns_;
};

}  // namespace twinrun::harness
