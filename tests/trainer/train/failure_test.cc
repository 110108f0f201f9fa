#include "trainer/train/failure.h"

#include <gtest/gtest.h>

#include <functional>
#include <stdexcept>
#include <string>
#include <utility>

#include "trainer/train/train_config.h"

namespace twinrun::trainer {
namespace {

/// What is said on stderr and returned where `call` throws.
std::pair<std::string, int> said(const std::function<void()>& call) {
  testing::internal::CaptureStderr();
  int exit_code = 0;
  try {
    call();
  } catch (...) {
    exit_code = say_current_failure();
  }
  return {testing::internal::GetCapturedStderr(), exit_code};
}

TEST(Failure, IsSaidInOneLineHoweverManyItHas) {
  const auto failed = said([] { throw std::runtime_error("CUDA error: a\nCompile with b\n"); });
  EXPECT_EQ(failed.first, "twinrun-train: CUDA error: a Compile with b \n");
  EXPECT_EQ(failed.second, kExitFailed);
  const auto refused = said([] { throw ConfigError("launch is missing"); });
  EXPECT_EQ(refused.first, "twinrun-train: launch is missing\n");
  EXPECT_EQ(refused.second, kExitUsage);
}

}  // namespace
}  // namespace twinrun::trainer
