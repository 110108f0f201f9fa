#include "trainer/train/doctor.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <stdlib.h>
#include <xmmintrin.h>

#include <string>

#include "trainer/numerics/variables.h"

namespace twinrun::trainer {
namespace {

using nlohmann::json;
using ::testing::HasSubstr;

/// The answer without a configuration, with NAME=VALUE set.
json doctor_with(const char* name = "", const char* value = "") {
  for (const auto& row : numeric_variables()) unsetenv(row.name);
  if (*name != '\0') setenv(name, value, 1);
  const json answer = doctor(std::nullopt);
  if (*name != '\0') unsetenv(name);
  return answer;
}

/// The entry called `name` of a list, or null.
json entry(const json& list, const std::string& name) {
  for (const json& one : list) {
    if (one.at("name") == name) return one;
  }
  return nullptr;
}

TEST(TrainerDoctor, WithoutAConfigurationDescribesDeterministic) {
  const json numerics = doctor_with().at("numerics");
  EXPECT_EQ(numerics.at("mode"), "deterministic");
  EXPECT_EQ(entry(numerics.at("set"), "deterministic_algorithms").at("value"), true);
  EXPECT_EQ(entry(numerics.at("set"), "mkl_cbwr").at("value"), "AUTO");
  for (const json& one : numerics.at("set")) EXPECT_NE(one.at("reason"), "") << one;
  EXPECT_EQ(numerics.at("breaks"), json::array());
  EXPECT_GE(numerics.at("not_promised").size(), 3u);
}

TEST(TrainerDoctor, NamesTheVariableThatIsRefusedAndTheOneThatIsRecorded) {
  const json refused = entry(doctor_with("NVIDIA_TF32_OVERRIDE", "1").at("numerics").at("breaks"),
                             "NVIDIA_TF32_OVERRIDE");
  EXPECT_EQ(refused.at("state"), "problem");
  EXPECT_THAT(refused.at("message").get<std::string>(), HasSubstr("is 1: float32"));
  const json recorded = entry(doctor_with("CUDA_LAUNCH_BLOCKING", "1").at("numerics").at("breaks"),
                              "CUDA_LAUNCH_BLOCKING");
  EXPECT_EQ(recorded.at("state"), "ok");
}

TEST(TrainerDoctor, SaysThatDenormalsWereFlushedWhenItStarted) {
  _mm_setcsr(_mm_getcsr() | 0x8040);
  const json found = entry(doctor_with().at("numerics").at("breaks"), "flush_denormal");
  EXPECT_EQ(found.at("state"), "ok");
  EXPECT_EQ(_mm_getcsr() & 0x8040, 0u);
}

TEST(TrainerDoctor, AConfigurationThatCannotBeReadIsAProblemAndTheMachineIsStillDescribed) {
  const json answer = doctor("/nosuch/config.json");
  EXPECT_EQ(entry(answer.at("checks"), "case").at("state"), "problem");
  EXPECT_FALSE(entry(answer.at("checks"), "versions").is_null());
  EXPECT_TRUE(answer.at("numerics").is_null());
}

}  // namespace
}  // namespace twinrun::trainer
