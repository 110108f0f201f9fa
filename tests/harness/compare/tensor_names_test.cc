#include "harness/compare/tensor_names.h"

#include <gtest/gtest.h>

#include "harness/protocol/record_writer.h"
#include "tests/temp_folder.h"

namespace twinrun::harness {
namespace {

using protocol::NamedDigest;

protocol::Digest digest(int n) { return protocol::sha256(std::to_string(n)); }

std::filesystem::path run_with(const test::TempFolder& folder, const std::string& name,
                               const std::vector<protocol::TensorGroup>& groups) {
  const auto dir = folder.path() / name;
  std::filesystem::create_directory(dir);
  protocol::TensorsWriter writer(dir);
  writer.write(1, {"grad", {{"other step", digest(0)}}});
  for (const auto& group : groups) writer.write(2, group);
  return dir;
}

TEST(DifferingTensorsTest, AreNamedInTheOrderOfTheFile) {
  const test::TempFolder folder;
  const auto a =
      run_with(folder, "a", {{"grad", {{"z", digest(1)}, {"m", digest(2)}, {"b", digest(3)}}}});
  const auto b =
      run_with(folder, "b", {{"grad", {{"z", digest(9)}, {"m", digest(2)}, {"b", digest(8)}}}});
  const auto found = differing_tensors(a, b, 2, "grad");
  EXPECT_EQ(found.group, "grad");
  EXPECT_EQ(found.first, (std::vector<std::string>{"z", "b"}));
  EXPECT_EQ(found.differing, 2);
  EXPECT_EQ(found.compared, 3);
}

TEST(DifferingTensorsTest, AFieldWithoutTensorsTakesTheFirstGroupThatDiffers) {
  const test::TempFolder folder;
  const auto a = run_with(folder, "a",
                          {{"adapter", {{"x", digest(1)}}},
                           {"grad", {{"y", digest(1)}}},
                           {"batch", {{"input_ids", digest(1)}}}});
  const auto b = run_with(folder, "b",
                          {{"adapter", {{"x", digest(2)}}},
                           {"grad", {{"y", digest(2)}}},
                           {"batch", {{"input_ids", digest(1)}}}});
  EXPECT_EQ(differing_tensors(a, b, 2, "loss").group, "grad");
  EXPECT_EQ(differing_tensors(a, b, 2, "adapter").group, "adapter");
}

TEST(DifferingTensorsTest, ATensorThatOnlyOneHasDiffersAndTwentyAreNamed) {
  const test::TempFolder folder;
  std::vector<NamedDigest> many{{"same", digest(0)}};
  for (int i = 0; i < 30; ++i) many.emplace_back("t" + std::to_string(i), digest(i));
  const auto a = run_with(folder, "a", {{"grad", many}});
  const auto b = run_with(folder, "b", {{"grad", {{"same", digest(0)}, {"new", digest(0)}}}});
  const auto found = differing_tensors(a, b, 2, "grad");
  EXPECT_EQ(found.first.size(), 20u);
  EXPECT_EQ(found.first[0], "t0");
  EXPECT_EQ(found.differing, 31);
  EXPECT_EQ(found.compared, 32);
}

TEST(DifferingTensorsTest, NoFileOrGarbageNamesNone) {
  const test::TempFolder folder;
  const auto a = run_with(folder, "a", {{"grad", {{"x", digest(1)}}}});
  EXPECT_EQ(differing_tensors(a, folder.path(), 2, "grad").compared, 0);
  test::write_file(folder.path() / "tensors.jsonl",
                   "{\"step\":2,\n{\"step\":2,\"group\":\"grad\",\"tensors\":[[1]]}\n\xff");
  EXPECT_EQ(differing_tensors(a, folder.path(), 2, "grad").compared, 0);
}

}  // namespace
}  // namespace twinrun::harness
