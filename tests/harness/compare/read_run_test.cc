#include <gtest/gtest.h>

#include <functional>

#include "harness/compare/compare.h"
#include "harness/protocol/tensor_digest.h"
#include "tests/harness/synthetic_run.h"

namespace twinrun::harness {
namespace {

using test::SyntheticRun;

/// The folder that `change` made of a good run, as read_run sees it.
RunView view_of(const std::function<void(SyntheticRun&)>& before,
                const std::function<void(const std::filesystem::path&)>& after = {}) {
  const test::TempFolder folder;
  SyntheticRun run(4);
  if (before) before(run);
  run.write(folder.path());
  if (after) after(folder.path());
  return read_run(folder.path());
}

void expect(const RunView& view, Verdict verdict, const std::string& reason) {
  EXPECT_EQ(to_string(view.verdict), to_string(verdict)) << view.problem;
  EXPECT_EQ(view.reason, reason) << view.problem;
}

/// An adapter of one tensor and the digest that the last step has to record.
std::string adapter_text(char fill) {
  const std::string header = R"({"w":{"dtype":"U8","shape":[4],"data_offsets":[0,4]}})";
  std::string text(8, '\0');
  text[0] = static_cast<char>(header.size());
  return text + header + std::string(4, fill);
}

void with_adapter(SyntheticRun& run, char fill) {
  const std::string data(4, fill);
  const std::int64_t shape[] = {4};
  run.record.steps.back().adapter = protocol::group_digest(
      {{"w", protocol::tensor_digest("uint8", shape, std::as_bytes(std::span(data)))}});
}

TEST(ReadRunTest, AGoodRunIsComplete) {
  const auto view = view_of({});
  expect(view, Verdict::kReproduced, "complete");
  EXPECT_EQ(view.problem, "");
  EXPECT_EQ(view.summary.last_step, 4);
  EXPECT_TRUE(view.config);
}

TEST(ReadRunTest, NothingThereIsInvalid) {
  expect(read_run("/nowhere"), Verdict::kInvalid, "manifest_missing");
}

TEST(ReadRunTest, AMissingRecordIsInvalid) {
  expect(view_of({}, [](const auto& dir) { std::filesystem::remove(dir / "steps.jsonl"); }),
         Verdict::kInvalid, "missing");
}

TEST(ReadRunTest, AManifestThatIsMissingOrNoJsonIsInvalid) {
  expect(view_of({}, [](const auto& dir) { std::filesystem::remove(dir / "manifest.json"); }),
         Verdict::kInvalid, "manifest_missing");
  for (const char* text : {"", "[]", "{\"a\":1,\"a\":2}", "\xff"}) {
    expect(view_of({}, [text](const auto& dir) { test::write_file(dir / "manifest.json", text); }),
           Verdict::kInvalid, "manifest_malformed");
  }
}

TEST(ReadRunTest, AStatusThatIsNotCompleteIsInvalid) {
  expect(view_of([](auto& run) { run.manifest["status"] = "running"; }), Verdict::kInvalid,
         "incomplete");
  const auto failed = view_of([](auto& run) {
    run.manifest["status"] = "failed";
    run.manifest["message"] = "out of memory";
  });
  expect(failed, Verdict::kInvalid, "failed");
  EXPECT_NE(failed.problem.find("out of memory"), std::string::npos);
  expect(view_of([](auto& run) { run.manifest["status"] = "usage_error"; }), Verdict::kInvalid,
         "usage_error");
}

TEST(ReadRunTest, ACutRecordIsIncompleteWhateverTheManifestSays) {
  const auto view = view_of({}, [](const auto& dir) {
    test::change_file(dir / "steps.jsonl", [](std::string text) { return text.substr(0, 3000); });
  });
  expect(view, Verdict::kInvalid, "incomplete");
  EXPECT_NE(view.problem.find("good up to step 3"), std::string::npos) << view.problem;
}

TEST(ReadRunTest, ALineThatWasChangedOrRemovedBreaksTheEvidence) {
  expect(view_of({},
                 [](const auto& dir) {
                   test::change_file(dir / "steps.jsonl", [](std::string text) {
                     text.replace(text.find("\"tokens\":512"), 12, "\"tokens\":513");
                     return text;
                   });
                 }),
         Verdict::kEvidenceInvalid, "chain_broken");
  expect(view_of([](auto& run) { run.manifest["status"] = "failed"; },
                 [](const auto& dir) {
                   test::change_file(dir / "steps.jsonl", [](std::string text) {
                     const auto begin = text.find("{\"step\":2");
                     return text.erase(begin, text.find("{\"step\":3") - begin);
                   });
                 }),
         Verdict::kEvidenceInvalid, "chain_broken");
}

TEST(ReadRunTest, AStepThatWasLeftOutIsInvalid) {
  expect(view_of([](auto& run) { run.record.steps.erase(run.record.steps.begin() + 1); }),
         Verdict::kInvalid, "missing_step");
}

TEST(ReadRunTest, AnotherHeadInTheManifestBreaksTheEvidence) {
  expect(view_of([](auto& run) { run.manifest["head"] = std::string(64, '0'); }),
         Verdict::kEvidenceInvalid, "head_mismatch");
  expect(view_of([](auto& run) { run.manifest["head"] = nullptr; }), Verdict::kInvalid,
         "incomplete");
}

TEST(ReadRunTest, TheRunEndsWhereItWasToldTo) {
  const auto stopped = [](std::int64_t stop_after) {
    return [stop_after](SyntheticRun& run) {
      run.config.launch["stop_after"] = stop_after;
      run.record.steps.resize(2);
      run.record.end.steps = 2;
    };
  };
  expect(view_of(stopped(2)), Verdict::kReproduced, "complete");
  expect(view_of(stopped(3)), Verdict::kInvalid, "incomplete");
  expect(view_of([](auto& run) { run.config.launch["stop_after"] = 2; }), Verdict::kInvalid,
         "incomplete");
  expect(view_of([](auto& run) {
           run.record.steps.resize(2);
           run.record.end.steps = 2;
         }),
         Verdict::kInvalid, "incomplete");
  expect(view_of([](auto& run) { run.config.identity["train"]["steps"] = 5; }), Verdict::kInvalid,
         "steps_not_as_configured");
}

TEST(ReadRunTest, FilesThatTheManifestNamesHaveItsDigests) {
  const auto named = [](const std::string& name) {
    return [name](SyntheticRun& run) {
      run.manifest["files"][name] = protocol::to_hex(protocol::sha256(std::string_view("text")));
    };
  };
  const auto holding = [](const std::string& text) {
    return
        [text](const std::filesystem::path& dir) { test::write_file(dir / "tensors.jsonl", text); };
  };
  expect(view_of(named("tensors.jsonl"), holding("text")), Verdict::kReproduced, "complete");
  expect(view_of(named("tensors.jsonl"), holding("Text")), Verdict::kEvidenceInvalid,
         "file_replaced");
  expect(view_of(named("tensors.jsonl")), Verdict::kEvidenceInvalid, "file_replaced");
  for (const char* outside : {"../tensors.jsonl", "/etc/hostname", "", "a/../../x"}) {
    const auto view = view_of(named(outside));
    expect(view, Verdict::kEvidenceInvalid, "file_replaced");
    EXPECT_NE(view.problem.find("outside"), std::string::npos) << outside;
  }
}

TEST(ReadRunTest, TheAdapterIsTheOneThatTheLastStepRecorded) {
  const auto save = [](const std::string& text) {
    return [text](const std::filesystem::path& dir) {
      std::filesystem::create_directory(dir / "adapter");
      test::write_file(dir / "adapter" / "adapter_model.safetensors", text);
    };
  };
  const auto recorded = [](SyntheticRun& run) { with_adapter(run, 'x'); };
  expect(view_of(recorded), Verdict::kReproduced, "complete");
  expect(view_of(recorded, save(adapter_text('x'))), Verdict::kReproduced, "complete");
  expect(view_of(recorded, save(adapter_text('y'))), Verdict::kEvidenceInvalid, "adapter_replaced");
  expect(view_of(recorded, save("garbage")), Verdict::kEvidenceInvalid, "adapter_replaced");
}

TEST(ReadRunTest, RecordManifestAndConfigNameOneIdentity) {
  expect(view_of({},
                 [](const auto& dir) {
                   auto other = SyntheticRun(4).config;
                   other.identity["seed"] = 43;
                   test::write_file(dir / "config.json", other.to_text());
                 }),
         Verdict::kEvidenceInvalid, "identity_mismatch");
  expect(view_of([](auto& run) { run.manifest["identity"] = std::string(64, '0'); }),
         Verdict::kEvidenceInvalid, "identity_mismatch");
  expect(view_of({}, [](const auto& dir) { test::write_file(dir / "config.json", "{}"); }),
         Verdict::kInvalid, "config_malformed");
}

TEST(ReadRunTest, SeedsAndInputsAreThoseThatWereConfigured) {
  expect(view_of([](auto& run) { run.manifest["seeds"]["dropout"] = 3; }), Verdict::kInvalid,
         "seeds_not_as_configured");
  expect(view_of([](auto& run) { run.manifest["seeds"] = nullptr; }), Verdict::kReproduced,
         "complete");
  const auto with_files = [](const char* part, const std::string& digest) {
    return [part, digest](SyntheticRun& run) {
      run.config.identity[part] = {{"files", {{"f", "aa"}}}};
      run.manifest["digests"][part]["f"] = digest;
    };
  };
  for (const char* part : {"model", "tokenizer"}) {
    expect(view_of(with_files(part, "aa")), Verdict::kReproduced, "complete");
    expect(view_of(with_files(part, "bb")), Verdict::kInvalid, "inputs_not_as_configured");
  }
  expect(view_of([](auto& run) {
           run.config.identity["lora"]["init"] = {{"adapter_config.json", "aa"}};
           run.manifest["digests"]["adapter"]["adapter_config.json"] = "bb";
         }),
         Verdict::kInvalid, "inputs_not_as_configured");
  expect(view_of([](auto& run) {
           run.config.identity["data"] = {{"sha256", "aa"}};
           run.manifest["digests"]["data"] = "bb";
         }),
         Verdict::kInvalid, "inputs_not_as_configured");
}

TEST(ReadRunTest, ManifestFieldsOfAnyTypeDoNotThrow) {
  const nlohmann::json values = {nullptr, 1, "x", {1, 2}, {{"a", 1}}, -1.5, true};
  SyntheticRun names(1);
  names.manifest["digests"] = nullptr;
  names.manifest["identity"] = names.manifest["head"] = names.manifest["message"] = nullptr;
  for (const auto& item : names.manifest.items()) {
    for (const auto& value : values) {
      const auto view = view_of([&](auto& run) { run.manifest[item.key()] = value; });
      EXPECT_NE(view.reason, "unreadable") << item.key() << ' ' << view.problem;
    }
  }
}

TEST(ReadRunTest, LikeAnotherRunItSaysTheSame) {
  const test::TempFolder folder;
  const auto dir_a = folder.path() / "a", dir_b = folder.path() / "b";
  SyntheticRun(3000).write(dir_a);
  const auto a = read_run(dir_a);
  for (const std::size_t at : {std::size_t{0}, std::size_t{2500}, std::size_t{2999}}) {
    SyntheticRun other(3000, "run-b");
    other.record.steps[at].loss = 7;
    other.write(dir_b);
    const auto alone = read_run(dir_b), like = read_run(dir_b, &a);
    ASSERT_TRUE(like.shared);
    EXPECT_EQ(like.shared->dir, dir_a);
    EXPECT_EQ(like.reason, alone.reason);
    EXPECT_EQ(like.summary.head, alone.summary.head);
    EXPECT_EQ(like.summary.last_adapter, alone.summary.last_adapter);
    test::change_file(dir_b / "steps.jsonl", [](std::string text) {
      text[text.size() - 3000] ^= 1;
      return text;
    });
    expect(read_run(dir_b, &a), Verdict::kEvidenceInvalid, "chain_broken");
  }
}

}  // namespace
}  // namespace twinrun::harness
