#include "harness/launch/step_watch.h"

#include <sys/stat.h>

#include "tests/harness/launch/launch_fixture.h"

namespace twinrun::harness {
namespace {

class Steps : public LaunchFixture {
 protected:
  void append(const std::string& text) const {
    std::ofstream(run_dir_ / "steps.jsonl", std::ios::binary | std::ios::app) << text;
  }
};

TEST_F(Steps, FileThatIsNotThereYetHasNoLines) {
  StepWatch watch(run_dir_ / "steps.jsonl");
  EXPECT_FALSE(watch.poll());
  append("{\"step\":0}\n");
  EXPECT_TRUE(watch.poll());
  EXPECT_FALSE(watch.poll()) << "nothing new";
}

TEST_F(Steps, StepIsReadFromLinesThatComeInPieces) {
  StepWatch watch(run_dir_ / "steps.jsonl");
  append("{\"schema\":1,\"steps\":99}\n{\"st");
  EXPECT_TRUE(watch.poll());
  EXPECT_EQ(watch.last_step(), 0);
  append("ep\":1");
  EXPECT_FALSE(watch.poll());
  append("7,\"loss\":");
  EXPECT_FALSE(watch.poll());
  EXPECT_EQ(watch.last_step(), 0) << "the line is not complete";
  append("1}\n");
  EXPECT_TRUE(watch.poll());
  EXPECT_EQ(watch.last_step(), 17);
}

TEST_F(Steps, EndLineKeepsTheLastStep) {
  StepWatch watch(run_dir_ / "steps.jsonl");
  append("{\"step\":5," + std::string(200000, 'x') + "}\n{\"end\":true,\"steps\":5}\n");
  EXPECT_TRUE(watch.poll());
  EXPECT_EQ(watch.last_step(), 5);
}

TEST_F(Steps, GarbageIsNoStep) {
  StepWatch watch(run_dir_ / "steps.jsonl");
  append("{\"step\":3}\n{\"step\":x}\n{\"step\":99999999999999999999999}\n\n\n");
  EXPECT_TRUE(watch.poll());
  EXPECT_EQ(watch.last_step(), 3);
}

TEST_F(Steps, FifoDoesNotBlock) {
  mkfifo((run_dir_ / "steps.jsonl").c_str(), 0600);
  StepWatch watch(run_dir_ / "steps.jsonl");
  EXPECT_FALSE(watch.poll());
}

}  // namespace
}  // namespace twinrun::harness
