#include "trainer/model/safetensors.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cstring>
#include <nlohmann/json.hpp>
#include <random>

#include "tests/temp_folder.h"
#include "trainer/model/safetensors_format.h"

namespace twinrun::trainer {
namespace {

using nlohmann::json;
using testing::HasSubstr;

std::string file_bytes(const std::string& header, const std::string& data) {
  const std::uint64_t size = header.size();
  std::string bytes(sizeof(size), '\0');
  std::memcpy(bytes.data(), &size, sizeof(size));
  return bytes + header + data;
}

json entry(const char* dtype, json shape, json offsets) {
  return {{"dtype", dtype}, {"shape", std::move(shape)}, {"data_offsets", std::move(offsets)}};
}

// Two tensors, 8 and 4 bytes.
json two_tensors() {
  return {{"a", entry("F32", {2}, {0, 8})}, {"b", entry("BF16", {1, 2}, {8, 12})}};
}
const std::string kTwelve = "0123456789ab";

std::string refusal_of_bytes(const std::string& bytes) {
  const test::TempFolder folder;
  const auto file = folder.write("model.safetensors", bytes);
  const std::string message =
      test::message_of<ModelError>([&] { Checkpoint::open(folder.path()); });
  EXPECT_TRUE(message.empty() || message.starts_with(file.string() + ": ")) << message;
  return message;
}

std::string refusal(const json& header, const std::string& data = kTwelve) {
  return refusal_of_bytes(file_bytes(header.dump(), data));
}

std::string refusal_with_a(const json& changed) {
  json header = two_tensors();
  header["a"] = changed;
  return refusal(header);
}

TEST(Safetensors, ReadsTensorsByName) {
  const test::TempFolder folder;
  json header = two_tensors();
  header["__metadata__"] = {{"format", "pt"}};
  folder.write("model.safetensors", file_bytes(header.dump() + "   ", kTwelve));
  const Checkpoint checkpoint = Checkpoint::open(folder.path());
  ASSERT_EQ(checkpoint.tensors().size(), 2u);
  const StoredTensor& b = checkpoint.tensors().at("b");
  EXPECT_EQ(b.dtype, "BF16");
  EXPECT_EQ(b.shape, (std::vector<std::int64_t>{1, 2}));
  EXPECT_EQ(std::string(reinterpret_cast<const char*>(b.data.data()), b.data.size()), "89ab");
}

TEST(Safetensors, TakesScalarsAndEmptyTensors) {
  EXPECT_EQ(refusal({{"a", entry("F32", json::array(), {0, 4})},
                     {"e", entry("F32", {0, 5}, {4, 4})},
                     {"f", entry("F32", {0}, {0, 0})},
                     {"g", entry("F64", {1}, {4, 12})}}),
            "");
  EXPECT_EQ(refusal(json::object(), ""), "");
}

TEST(Safetensors, RefusesWrongHeaders) {
  const std::string header = two_tensors().dump();
  EXPECT_THAT(refusal_of_bytes(""), HasSubstr("too short"));
  EXPECT_THAT(refusal_of_bytes("1234567"), HasSubstr("too short"));
  std::string bytes = file_bytes(header, kTwelve);
  bytes[7] = 1;
  EXPECT_THAT(refusal_of_bytes(bytes), HasSubstr("at most 100000000"));
  EXPECT_THAT(refusal_of_bytes(file_bytes(header, "").substr(0, 40)), HasSubstr("ends before"));
  EXPECT_THAT(refusal_of_bytes(file_bytes(" " + header, kTwelve)), HasSubstr("begin with '{'"));
  EXPECT_THAT(refusal_of_bytes(file_bytes("", "")), HasSubstr("begin with '{'"));
  EXPECT_THAT(refusal_of_bytes(file_bytes("{\"a\":", "")), HasSubstr("not JSON"));
  EXPECT_THAT(refusal_of_bytes(file_bytes("{\"\xff\":1}", "")), HasSubstr("not JSON"));
  EXPECT_THAT(refusal_of_bytes(file_bytes("{\"a\":1,\"a\":2}", "")), HasSubstr("twice"));
  EXPECT_THAT(refusal({{"__metadata__", {{"format", 1}}}}, ""), HasSubstr("__metadata__"));
  EXPECT_THAT(refusal({{"__metadata__", "pt"}}, ""), HasSubstr("__metadata__"));
}

TEST(Safetensors, RefusesWrongEntries) {
  EXPECT_THAT(refusal_with_a(7), HasSubstr("tensor 'a' needs exactly"));
  EXPECT_THAT(refusal_with_a({{"dtype", "F32"}, {"shape", {2}}}), HasSubstr("needs exactly"));
  EXPECT_THAT(refusal_with_a(entry("F31", {2}, {0, 8})), HasSubstr("unknown dtype \"F31\""));
  EXPECT_THAT(refusal_with_a(entry("F32", {-2}, {0, 8})), HasSubstr("shape"));
  EXPECT_THAT(refusal_with_a(entry("F32", {2.0}, {0, 8})), HasSubstr("shape"));
  EXPECT_THAT(refusal_with_a(entry("F32", "2", {0, 8})), HasSubstr("shape"));
  EXPECT_THAT(refusal_with_a(entry("F32", {2}, {8, 0})), HasSubstr("data_offsets"));
  EXPECT_THAT(refusal_with_a(entry("F32", {2}, {0})), HasSubstr("data_offsets"));
  EXPECT_THAT(refusal_with_a(entry("F32", {2}, {0, 1ull << 63})), HasSubstr("data_offsets"));
}

TEST(Safetensors, RefusesSizesThatDoNotFit) {
  EXPECT_THAT(refusal_with_a(entry("F32", {3}, {0, 8})), HasSubstr("takes 12 bytes"));
  EXPECT_THAT(refusal_with_a(entry("F4", {1}, {0, 8})), HasSubstr("no number of 64 bits"));
  // 2^61 * 32 bits wraps to 0 in 64 bits, 2^62 * 2^62 likewise.
  EXPECT_THAT(refusal_with_a(entry("F32", {1ull << 61}, {0, 0})), HasSubstr("64 bits"));
  EXPECT_THAT(refusal_with_a(entry("U8", {1ull << 62, 1ull << 62}, {0, 0})), HasSubstr("64 bits"));
}

TEST(Safetensors, RefusesHolesOverlapsAndWrongEnds) {
  json header = two_tensors();
  header["b"] = entry("BF16", {2}, {9, 13});
  EXPECT_THAT(refusal(header, kTwelve + "c"), HasSubstr("tensor 'b' begins after a hole of 1"));
  header["b"] = entry("BF16", {2}, {7, 11});
  EXPECT_THAT(refusal(header), HasSubstr("tensor 'b' overlaps"));
  header["b"] = entry("F32", {2}, {0, 8});
  EXPECT_THAT(refusal(header), HasSubstr("overlaps"));
  EXPECT_THAT(refusal(two_tensors(), kTwelve + "c"), HasSubstr("cut off or damaged"));
  EXPECT_THAT(refusal(two_tensors(), "0123456789a"), HasSubstr("cut off or damaged"));
}

TEST(Safetensors, NamesALfsPointer) {
  EXPECT_THAT(
      refusal_of_bytes("version https://git-lfs.github.com/spec/v1\noid sha256:00\nsize 1\n"),
      HasSubstr("Git LFS pointer"));
}

TEST(Safetensors, NamesAFolderWithoutWeights) {
  const test::TempFolder folder;
  EXPECT_THAT(test::message_of<ModelError>([&] { Checkpoint::open(folder.path()); }),
              HasSubstr("neither model.safetensors nor"));
  EXPECT_THAT(test::message_of<ModelError>([&] { Checkpoint::open(folder.path() / "none"); }),
              HasSubstr("no such model folder"));
  EXPECT_THAT(test::message_of<ModelError>([&] { Checkpoint::open_file(folder.path()); }),
              HasSubstr("is no file"));
  EXPECT_THAT(test::message_of<ModelError>([&] { Checkpoint::open_file(folder.path() / "none"); }),
              HasSubstr("No such file"));
}

// A folder of two shards, `a` in the first and `b` in the second, with the index `map`.
std::string refusal_of_index(const json& map) {
  const test::TempFolder folder;
  folder.write("one.safetensors", file_bytes(json{{"a", entry("U8", {1}, {0, 1})}}.dump(), "x"));
  folder.write("two.safetensors", file_bytes(json{{"b", entry("U8", {1}, {0, 1})}}.dump(), "y"));
  folder.write("twice.safetensors", file_bytes(json{{"a", entry("U8", {1}, {0, 1})}}.dump(), "z"));
  folder.write("model.safetensors.index.json", json{{"weight_map", map}}.dump());
  return test::message_of<ModelError>(
      [&] { EXPECT_EQ(Checkpoint::open(folder.path()).tensors().size(), 2u); });
}

TEST(ShardedCheckpoint, ReadsTheShardsOfItsIndex) {
  EXPECT_EQ(refusal_of_index({{"a", "one.safetensors"}, {"b", "two.safetensors"}}), "");
}

TEST(ShardedCheckpoint, RefusesAPathThatLeavesTheFolder) {
  for (const json& shard :
       {json("../one.safetensors"), json("/one.safetensors"), json("x/one.safetensors"), json(".."),
        json(""), json(1), json("one.bin"), json(std::string("one\0.safetensors", 16))}) {
    EXPECT_THAT(refusal_of_index({{"a", shard}}), HasSubstr("no name of a .safetensors file"))
        << shard;
  }
}

TEST(ShardedCheckpoint, RefusesATensorInTwoShardsOrInNone) {
  const json one = "one.safetensors", two = "two.safetensors", twice = "twice.safetensors";
  EXPECT_THAT(refusal_of_index({{"a", one}, {"b", two}, {"c", two}}),
              HasSubstr("tensor 'c' is not in two.safetensors"));
  EXPECT_THAT(refusal_of_index({{"a", two}, {"b", two}}), HasSubstr("tensor 'a' is not in"));
  EXPECT_THAT(refusal_of_index({{"a", one}, {"c", two}}), HasSubstr("tensor 'c' is not in"));
  EXPECT_THAT(refusal_of_index({{"a", one}, {"b", two}, {"c", twice}}),
              HasSubstr("tensor 'a' lies in another shard too"));
  EXPECT_THAT(refusal_of_index({{"b", two}, {"x", "three.safetensors"}}),
              HasSubstr("No such file"));
  EXPECT_THAT(refusal_of_index(json::object()), HasSubstr("has no weight_map"));
  EXPECT_THAT(refusal_of_index(json::array({1})), HasSubstr("has no weight_map"));
}

TEST(ShardedCheckpoint, RefusesATensorThatTheIndexLacks) {
  const test::TempFolder folder;
  folder.write("one.safetensors", file_bytes(two_tensors().dump(), kTwelve));
  folder.write("model.safetensors.index.json", R"({"weight_map":{"a":"one.safetensors"}})");
  EXPECT_THAT(test::message_of<ModelError>([&] { Checkpoint::open(folder.path()); }),
              HasSubstr("tensor 'b' is not in the weight_map"));
}

TEST(Require, NamesTheTensorThatIsMissingSurplusOrOfAnotherShape) {
  const test::TempFolder folder;
  json header = two_tensors();
  header["model.layers.0.self_attn.rotary_emb.inv_freq"] = entry("F32", {0}, {12, 12});
  header["lm_head.weight"] = entry("F32", {0}, {12, 12});
  folder.write("model.safetensors", file_bytes(header.dump(), kTwelve));
  const Checkpoint checkpoint = Checkpoint::open(folder.path());
  using Shapes = std::map<std::string, std::vector<std::int64_t>>;
  const auto message = [&](const Shapes& expected, bool tied) {
    return test::message_of<ModelError>([&] { checkpoint.require(expected, tied); });
  };
  EXPECT_EQ(message({{"a", {2}}, {"b", {1, 2}}}, true), "");
  EXPECT_THAT(message({{"a", {2}}, {"b", {1, 2}}}, false),
              HasSubstr("'lm_head.weight' is surplus"));
  EXPECT_THAT(message({{"a", {2}}}, true), HasSubstr("'b' is surplus"));
  EXPECT_THAT(message({{"a", {2}}, {"b", {1, 2}}, {"c", {1}}}, true), HasSubstr("'c' is missing"));
  EXPECT_THAT(message({{"a", {2}}, {"b", {2, 1}}}, true), HasSubstr("'b' has shape [1, 2]"));
}

TEST(Require, RefusesADtypeThatIsNotBuilt) {
  const test::TempFolder folder;
  const auto file = folder.write("x.safetensors",
                                 file_bytes(json{{"a", entry("I32", {1}, {0, 4})}}.dump(), "abcd"));
  EXPECT_THAT(test::message_of<ModelError>([&] {
                Checkpoint::open_file(file).require({{"a", {1}}}, true);
              }),
              HasSubstr("'a' has dtype I32"));
}

TEST(ExpectedTensors, AreThoseOfALlama) {
  ModelConfig config;
  config.vocab_size = 100;
  config.hidden_size = 12;
  config.intermediate_size = 20;
  config.num_hidden_layers = 11;
  config.num_attention_heads = 4;
  config.num_key_value_heads = 2;
  config.head_dim = 6;
  const auto untied = expected_tensors(config);
  EXPECT_EQ(untied.size(), 3u + 11 * 9);
  using Shape = std::vector<std::int64_t>;
  EXPECT_EQ(untied.at("lm_head.weight"), (Shape{100, 12}));
  EXPECT_EQ(untied.at("model.layers.10.self_attn.q_proj.weight"), (Shape{24, 12}));
  EXPECT_EQ(untied.at("model.layers.10.self_attn.v_proj.weight"), (Shape{12, 12}));
  EXPECT_EQ(untied.at("model.layers.0.self_attn.o_proj.weight"), (Shape{12, 24}));
  EXPECT_EQ(untied.at("model.layers.0.mlp.down_proj.weight"), (Shape{12, 20}));
  config.tie_word_embeddings = true;
  EXPECT_FALSE(expected_tensors(config).contains("lm_head.weight"));
}

// Whatever a damaged file holds, reading it ends in tensors that fill it or in a ModelError.
TEST(Safetensors, SurvivesMutatedBytes) {
  json header = two_tensors();
  header["__metadata__"] = {{"format", "pt"}};
  const std::string whole = file_bytes(header.dump(), kTwelve);
  std::mt19937 random(20240607);
  int refused = 0;
  for (int round = 0; round < 20000; ++round) {
    std::string bytes = whole;
    for (std::uint32_t changes = 1 + random() % 3; changes > 0; --changes) {
      bytes[random() % bytes.size()] = static_cast<char>(random());
    }
    if (random() % 8 == 0) bytes.resize(random() % bytes.size());
    const std::string message = test::message_of<ModelError>([&] {
      const FileLayout layout = read_layout("x", bytes);
      std::uint64_t end = layout.buffer;
      for (const HeaderEntry& entry : layout.entries) {
        EXPECT_EQ(layout.buffer + entry.begin, end);
        end = layout.buffer + entry.end;
      }
      EXPECT_EQ(end, bytes.size());
    });
    refused += message.empty() ? 0 : 1;
  }
  EXPECT_GT(refused, 10000);
  EXPECT_LT(refused, 20000);
}

}  // namespace
}  // namespace twinrun::trainer
