#include "harness/infer/bounds.h"

#include <gtest/gtest.h>

#include <stdexcept>

namespace twinrun::harness {
namespace {

TEST(InferenceBoundsTest, GoThroughJsonAndBack) {
  for (const char* dtype : {"float32", "bfloat16"}) {
    const InferenceBounds bounds = default_bounds(dtype);
    EXPECT_EQ(to_json(bounds_from_json(to_json(bounds))), to_json(bounds));
  }
  EXPECT_LT(default_bounds("float32").mean_logprob_diff,
            default_bounds("bfloat16").mean_logprob_diff);
}

TEST(InferenceBoundsTest, RefusesWhatBoundsNothing) {
  const nlohmann::json good = to_json(default_bounds("float32"));
  for (const auto& [field, value] : std::vector<std::pair<std::string, nlohmann::json>>{
           {"kl", nullptr}, {"kl", -1}, {"kl", "1"}, {"top1_agreement", 1.5}, {"extra", 1}}) {
    nlohmann::json bad = good;
    bad[field] = value;
    EXPECT_THROW(bounds_from_json(bad), std::runtime_error) << field;
  }
  nlohmann::json less = good;
  less.erase("tie_gap");
  EXPECT_THROW(bounds_from_json(less), std::runtime_error);
  EXPECT_THROW(bounds_from_json(nlohmann::json::array()), std::runtime_error);
}

}  // namespace
}  // namespace twinrun::harness
