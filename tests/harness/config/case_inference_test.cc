#include "harness/config/case_inference.h"

#include <gmock/gmock.h>

#include "harness/infer/bounds.h"
#include "harness/protocol/sha256.h"
#include "tests/harness/config/case_fixture.h"
#include "tests/harness/inference_fixture.h"

namespace twinrun::harness {
namespace {

using nlohmann::json;
using test::ToyInference;
using testing::AllOf;
using testing::HasSubstr;

class CaseInference : public CaseFixture {
 protected:
  CaseInference() { write("prompts.jsonl", prompts(3)); }

  static std::string prompts(int count) {
    std::string text;
    for (int i = 0; i < count; ++i) {
      text += "{\"id\":\"greeting/" + std::to_string(i) + "\",\"prompt\":\"say\"}\n";
    }
    return text;
  }
  /// A reference for the valid case's model and for prompts(3).
  ToyInference reference(bool frozen = false) const {
    ToyInference toy = test::toy_inference();
    const json identity = resolve(valid()).config.identity;
    toy.header.model = {{"files", identity.at("model").at("files")}};
    toy.header.tokenizer = identity.at("tokenizer");
    if (!frozen) toy.header.promise = protocol::Promise::kNone;
    return toy;
  }
  static std::string with(const std::string& section) {
    return valid() + "inference: " + section + "\n";
  }
  std::string error(const std::string& section) const { return error_of(with(section)); }
};

TEST_F(CaseInference, ACaseWithoutItHasNeitherPart) {
  const ResolvedCase resolved = resolve(valid());
  EXPECT_FALSE(resolved.config.launch.contains("inference"));
  EXPECT_FALSE(resolved.config.judgement.contains("inference"));
}

TEST_F(CaseInference, DefaultsAreFilledIn) {
  const protocol::RunConfig config = resolve(with("{prompts: prompts.jsonl}")).config;
  const json& launch = config.launch.at("inference");
  EXPECT_EQ(launch.at("prompts"), (folder_ / "prompts.jsonl").string());
  EXPECT_TRUE(launch.at("reference").is_null());
  EXPECT_EQ(launch.at("max_new_tokens"), 32);
  EXPECT_EQ(launch.at("batch_size"), 8);
  EXPECT_EQ(launch.at("top"), 20);
  const json& judgement = config.judgement.at("inference");
  EXPECT_EQ(judgement.at("prompts"),
            protocol::to_hex(protocol::sha256_file(folder_ / "prompts.jsonl")));
  EXPECT_TRUE(judgement.at("bounds").is_null());
  EXPECT_EQ(judgement.at("top"), 20);
}

TEST_F(CaseInference, IsNoPartOfTheIdentity) {
  EXPECT_EQ(resolve(with("{prompts: prompts.jsonl}")).config.identity_digest(),
            resolve(valid()).config.identity_digest());
}

TEST_F(CaseInference, AReferenceSaysHowUnlessTheCaseDoes) {
  write("said.jsonl", reference().text());
  const json judgement = resolve(with("{reference: said.jsonl, batch_size: 2, bounds: {kl: 0.5}}"))
                             .config.judgement.at("inference");
  EXPECT_EQ(judgement.at("max_new_tokens"), 6);
  EXPECT_EQ(judgement.at("top"), 4);
  EXPECT_EQ(judgement.at("batch_size"), 2);
  json bounds = to_json(default_bounds("float32"));
  bounds["kl"] = 0.5;
  EXPECT_EQ(judgement.at("bounds"), bounds);
  EXPECT_EQ(judgement.at("reference"),
            protocol::to_hex(protocol::sha256_file(folder_ / "said.jsonl")));
}

TEST_F(CaseInference, AFrozenReferenceIsHeldBitForBit) {
  write("said.jsonl", reference(true).text());
  EXPECT_TRUE(resolve(with("{reference: said.jsonl}"))
                  .config.judgement.at("inference")
                  .at("bounds")
                  .is_null());
  EXPECT_THAT(error("{reference: said.jsonl, bounds: {kl: 0.5}}"), HasSubstr("bit for bit"));
  EXPECT_THAT(error("{reference: said.jsonl, batch_size: 2}"), HasSubstr("was made with 8"));
}

TEST_F(CaseInference, WrongKeysAndValuesAreNamed) {
  write("said.jsonl", reference().text());
  const std::vector<std::pair<std::string, std::string>> wrong = {
      {"{}", "give prompts: FILE"},
      {"{max_new_tokens: 3}", "give prompts: FILE"},
      {"{prompts: gone.jsonl}", "no such file"},
      {"{promts: prompts.jsonl}", "prompts"},
      {"{prompts: prompts.jsonl, top: 0}", "top"},
      {"{prompts: prompts.jsonl, max_new_tokens: 08}", "max_new_tokens"},
      {"{prompts: prompts.jsonl, bounds: {kl: 1}}", "only go with inference.reference"},
      {"{reference: said.jsonl, bounds: {kl: -1}}", "kl"},
      {"{reference: said.jsonl, bounds: {kl: .nan}}", "kl"},
      {"{reference: said.jsonl, bounds: {top1_agreement: 2}}", "top1_agreement"},
      {"{reference: said.jsonl, bounds: {kk: 1}}", "kl"},
      {"{reference: said.jsonl, max_new_tokens: 7}", "was made with 6"}};
  for (const auto& [section, part] : wrong) {
    EXPECT_THAT(error(section), HasSubstr(part)) << section;
    EXPECT_THAT(error(section), HasSubstr("case.yaml:12")) << section;
  }
}

TEST_F(CaseInference, PromptsThatAreNoneAreRefusedBeforeTraining) {
  const std::vector<std::pair<std::string, std::string>> wrong = {
      {"", "is empty"},
      {"hello\n", "prompts.jsonl:1: not JSON"},
      {"[]\n", "prompts.jsonl:1: "},
      {"{\"id\":1}\n", "has no prompt; template chatml takes 'messages', 'prompt' or 'ids'"},
      {"{\"prompt\":\"a\",\"ids\":[1]}\n", "has 'prompt' beside 'ids'"},
      {"{\"instruction\":\"a\"}\n", "prompts.jsonl:1: has 'instruction'"},
      {"{\"prompt\":\"a\",\"input\":\"b\"}\n", "has 'input'"},
      {"{\"prompt\":\"a\",\"response\":\"b\"}\n", "has 'response'"},
      {"{\"prompt\":\"\"}\n", "'prompt' is no prompt"},
      {"{\"prompt\":\"a\"}\n{\"prompt\":7}\n", "prompts.jsonl:2: field 'prompt'"},
      {"{\"messages\":[]}\n", "'messages' is no prompt"},
      {"{\"prompt\":\"a\",\"id\":[]}\n", "'id'"}};
  for (const auto& [text, part] : wrong) {
    write("prompts.jsonl", text);
    EXPECT_THAT(error("{prompts: prompts.jsonl}"), HasSubstr(part)) << text;
  }
}

TEST_F(CaseInference, PromptsAreThoseOfTheTemplate) {
  write("prompts.jsonl", "{\"instruction\":\"a\",\"input\":\"b\",\"category\":\"c\"}\n");
  std::string alpaca = with("{prompts: prompts.jsonl}");
  alpaca.replace(alpaca.find("chatml"), 6, "alpaca");
  EXPECT_EQ(error_of(alpaca), "no error");
  write("prompts.jsonl", "{\"prompt\":\"a\"}\n");
  EXPECT_THAT(error_of(alpaca), HasSubstr("has 'prompt'; template alpaca takes 'instruction'"));
}

TEST_F(CaseInference, AReferenceOfSomethingElseIsRefusedBeforeTraining) {
  const std::string section = "{prompts: prompts.jsonl, reference: said.jsonl}";
  const auto changed = [&](auto change) {
    ToyInference toy = reference();
    change(toy);
    write("said.jsonl", toy.text());
    return error(section);
  };
  EXPECT_EQ(changed([](ToyInference&) {}), "no error");
  EXPECT_THAT(changed([](auto& r) { r.header.model["files"]["config.json"] = "0"; }),
              AllOf(HasSubstr("another model"), HasSubstr("/files/config.json")));
  EXPECT_THAT(changed([](auto& r) { r.header.tokenizer["files"]["x"] = "0"; }),
              HasSubstr("another tokenizer"));
  EXPECT_THAT(changed([](auto& r) { r.header.dtype = "bfloat16"; }),
              HasSubstr("dtype bfloat16 where float32 is configured"));
  EXPECT_THAT(changed([](auto& r) { r.outputs.pop_back(), r.header.prompts = 2; }),
              HasSubstr("has 2 prompts, inference.prompts has 3"));
  EXPECT_THAT(changed([](auto& r) { std::swap(r.outputs[0].id, r.outputs[1].id); }),
              HasSubstr("for other prompts: its prompt 0 is greeting/1"));
  EXPECT_THAT(changed([](auto& r) { r.outputs[1].logprobs.pop_back(); }),
              HasSubstr("said.jsonl:3: field 'logprobs'"));
  write("said.jsonl", "{\"schema\":2,\"format\":\"twinrun-inference\"}\n");
  EXPECT_THAT(error(section), HasSubstr("said.jsonl:1: has schema 2"));
}

TEST_F(CaseInference, ADamagedReferenceIsBrokenEvidence) {
  std::string text = reference().text();
  text[text.size() / 2] ^= 1;
  write("said.jsonl", text);
  EXPECT_THROW(resolve(with("{reference: said.jsonl}")), EvidenceError);
  write("said.jsonl", text.substr(0, text.size() / 2));
  EXPECT_THROW(resolve(with("{reference: said.jsonl}")), EvidenceError);
}

}  // namespace
}  // namespace twinrun::harness
