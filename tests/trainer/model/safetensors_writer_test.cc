#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cstring>
#include <span>

#include "harness/protocol/sha256.h"
#include "tests/temp_folder.h"
#include "trainer/model/safetensors.h"

namespace twinrun::trainer {
namespace {

template <typename T>
std::span<const std::byte> bytes_of(const std::vector<T>& values) {
  return std::as_bytes(std::span(values));
}

// The digest is that of the file which safetensors 0.8 writes for
//   save_file({"b": torch.arange(3.), "a": torch.tensor([[1., 2.], [3., 4.]]),
//              "c": torch.tensor([7]), "d": torch.tensor(1.5, dtype=torch.bfloat16),
//              "e": torch.zeros(0, 4)}, FILE, metadata={"format": "pt"})
TEST(WriteSafetensors, WritesTheBytesOfTheReferenceWriter) {
  const test::TempFolder folder;
  const std::vector<float> a = {1, 2, 3, 4}, b = {0, 1, 2};
  const std::vector<std::int64_t> c = {7};
  const std::vector<std::uint16_t> d = {0x3FC0};
  const auto file = folder.path() / "x.safetensors";
  write_safetensors(file,
                    {{"b", "F32", {3}, bytes_of(b)},
                     {"a", "F32", {2, 2}, bytes_of(a)},
                     {"d", "BF16", {}, bytes_of(d)},
                     {"e", "F32", {0, 4}, {}},
                     {"c", "I64", {1}, bytes_of(c)}},
                    {{"format", "pt"}});
  EXPECT_EQ(protocol::to_hex(protocol::sha256_file(file)),
            "3fe185414fb0491add3cde5e51c83e96be328cd1b06eff846ecf2a0fb7763225");
}

TEST(WriteSafetensors, WritesWhatCheckpointReads) {
  const test::TempFolder folder;
  const std::vector<float> values = {1.5f, -2.5f};
  const auto file = folder.path() / "x.safetensors";
  write_safetensors(file, {{"w", "F32", {1, 2}, bytes_of(values)}}, {});
  const Checkpoint checkpoint = Checkpoint::open_file(file);
  const StoredTensor& tensor = checkpoint.tensors().at("w");
  EXPECT_EQ(tensor.shape, (std::vector<std::int64_t>{1, 2}));
  ASSERT_EQ(tensor.data.size(), 8u);
  EXPECT_EQ(std::memcmp(tensor.data.data(), values.data(), 8), 0);
  // Every header is padded so that the data begin at a multiple of 8.
  EXPECT_EQ(std::filesystem::file_size(file) % 8, 0u);
}

TEST(WriteSafetensors, RefusesDataThatDoNotFitTheirShape) {
  const test::TempFolder folder;
  const std::vector<float> values = {1, 2};
  const auto file = folder.path() / "x.safetensors";
  EXPECT_THROW(write_safetensors(file, {{"w", "F32", {3}, bytes_of(values)}}, {}),
               std::invalid_argument);
  EXPECT_THROW(write_safetensors(file, {{"w", "float32", {2}, bytes_of(values)}}, {}),
               std::invalid_argument);
  EXPECT_FALSE(std::filesystem::exists(file));
}

TEST(WriteSafetensors, NamesAPathThatCannotBeWritten) {
  const test::TempFolder folder;
  const auto file = folder.path() / "none" / "x.safetensors";
  EXPECT_THAT(test::message_of<std::runtime_error>([&] { write_safetensors(file, {}, {}); }),
              testing::HasSubstr("none"));
}

}  // namespace
}  // namespace twinrun::trainer
