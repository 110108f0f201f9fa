// Evaluation on the way of a run (docs/protocol.md section 13): a tiny Llama with a tokenizer on
// the CPU, evaluated after steps 2, 4 and 6.

#include <gmock/gmock.h>

#include "harness/protocol/eval_reader.h"
#include "tests/e2e/text_case.h"

namespace twinrun {
namespace {

namespace fs = std::filesystem;
using nlohmann::json;
using protocol::EvalFile;
using testing::AllOf;
using testing::HasSubstr;

using Args = std::vector<std::string>;

class TrainerEval : public TextCase {
 protected:
  ProcessResult train(const std::string& run, const Args& more = {}) const {
    Args args = {"train", "case.yaml", "--run-dir", run, "--quiet"};
    args.insert(args.end(), more.begin(), more.end());
    return twinrun(args);
  }
  void train_well(const std::string& run, const Args& more = {}) const {
    const auto result = train(run, more);
    ASSERT_EQ(result.exit_code, 0) << result.out << result.err;
  }
  EvalFile evaluations(const std::string& run) const {
    auto read = protocol::read_eval(path(run + "/eval.jsonl"));
    if (const auto* problem = std::get_if<protocol::EvalProblem>(&read)) {
      throw std::runtime_error(problem->reason + ": " + problem->at(run + "/eval.jsonl"));
    }
    return std::get<EvalFile>(std::move(read));
  }
  static Args mode(const std::string& numerics) {
    Args args = {"--set", "numerics=" + numerics};
    if (numerics == "fast") args.insert(args.end(), {"--set", "shuffle_reductions=7"});
    return args;
  }
  /// Takes `evaluation:` and eval_every out of the case.
  void without_evaluation() const {
    std::string text = read("case.yaml");
    const std::size_t begin = text.find("evaluation:");
    text.erase(begin, text.find('\n', begin) + 1 - begin);
    text.replace(text.find("eval_every: 2"), 13, "eval_every: 0");
    write("case.yaml", text);
  }
};

TEST_F(TrainerEval, LossesAndAnswersOfEveryRowAreWritten) {
  train_well("run");
  const EvalFile file = evaluations("run");
  const json manifest = read_json("run/manifest.json");
  EXPECT_EQ(file.header.identity, manifest.at("identity"));
  EXPECT_EQ(file.header.data, protocol::to_hex(protocol::sha256(read("heldout.jsonl"))));
  EXPECT_EQ(file.header.items, 5);
  EXPECT_EQ(file.header.every, 2);
  EXPECT_EQ(file.header.last, 6);
  EXPECT_EQ(file.header.max_new_tokens, 5);
  EXPECT_EQ(file.header.batch_size, 2);
  EXPECT_EQ(file.header.max_length, 96);
  EXPECT_EQ(manifest.at("files").at("eval.jsonl"),
            protocol::to_hex(protocol::sha256(read("run/eval.jsonl"))));
  const auto rows = file.at(6);
  ASSERT_EQ(rows.size(), 5u);
  EXPECT_EQ(rows[0].id, protocol::SampleId("world"));
  EXPECT_EQ(rows[1].id, protocol::SampleId(std::int64_t{1}));
  EXPECT_EQ(rows[3].id, protocol::SampleId(std::int64_t{7}));
  EXPECT_EQ(rows[0].category, "greetings");
  EXPECT_EQ(rows[1].category, std::nullopt);
  EXPECT_EQ(rows[2].cluster, "tale");
  EXPECT_EQ(rows[0].cluster, std::nullopt);
  EXPECT_EQ(rows[2].reference, "ate");
  for (std::size_t row = 0; row < rows.size(); ++row) {
    EXPECT_GT(rows[row].nll, 0);
    EXPECT_TRUE(rows[row].answer.has_value());
    EXPECT_NE(rows[row].nll, file.at(2)[row].nll) << "training must show";
  }
}

// Nothing that a step reads may hang on what lies between two steps, dropout included.
TEST_F(TrainerEval, NoByteOfTheRecordHangsOnIt) {
  for (const char* numerics : {"deterministic", "portable", "fast"}) {
    train_well(std::string("with-") + numerics, mode(numerics));
  }
  without_evaluation();
  for (const std::string numerics : {"deterministic", "portable", "fast"}) {
    train_well("without-" + numerics, mode(numerics));
    for (const char* file :
         {"/steps.jsonl", "/tensors.jsonl", "/adapter/adapter_model.safetensors"}) {
      EXPECT_TRUE(read("with-" + numerics + file) == read("without-" + numerics + file))
          << numerics << file;
    }
    EXPECT_FALSE(fs::exists(path("without-" + numerics + "/eval.jsonl")));
  }
}

TEST_F(TrainerEval, TwinsHaveTheSameBytesAndTheSeedControlNone) {
  const auto result = verify();
  ASSERT_EQ(result.exit_code, 0) << result.out << result.err;
  EXPECT_TRUE(read("out/a/eval.jsonl") == read("out/b/eval.jsonl"));
  EXPECT_EQ(evaluations("out/a").header.last, 6);
  EXPECT_FALSE(fs::exists(path("out/controls/seed-plus-one/eval.jsonl")));
  // Of the run's files: a changed one is broken evidence.
  write("out/b/eval.jsonl", read("out/b/eval.jsonl") + "\n");
  EXPECT_EQ(twinrun({"compare", "out/a", "out/b"}).exit_code, 5);
}

TEST_F(TrainerEval, AnswersAreThoseOfInferAndLossesAloneNeedNone) {
  train_well("run");
  write("prompts.jsonl", "{\"prompt\":\"hello\"}\n{\"prompt\":\"where is the cat?\"}\n" +
                             long_prompt_ +
                             "{\"prompt\":\"don't worry\"}\n{\"prompt\":\"things\"}\n");
  json config = read_json("run/config.json");
  config["launch"]["inference"] = {{"prompts", nullptr},
                                   {"reference", nullptr},
                                   {"max_new_tokens", 5},
                                   {"batch_size", 2},
                                   {"top", 1}};
  write("infer.json", config.dump() + "\n");
  const auto infer =
      run_process({.command = {TWINRUN_BIN_DIR "/twinrun-train", "infer", path("infer.json"),
                               "--run-dir", path("run"), "--prompts", path("prompts.jsonl")},
                   .cwd = path(""),
                   .environment = {},
                   .before_exec = {}});
  ASSERT_EQ(infer.exit_code, 0) << infer.err;
  const auto said = lines("run/inference.jsonl");
  const EvalFile file = evaluations("run");
  const auto rows = file.at(6);
  for (std::size_t row = 0; row < rows.size(); ++row) {
    EXPECT_EQ(*rows[row].answer, json::parse(said[row + 1]).at("completion"));
    EXPECT_EQ(protocol::to_string(*rows[row].finish), json::parse(said[row + 1]).at("finish"));
  }
  train_well("losses", {"--set", "evaluation.max_new_tokens=0"});
  const EvalFile losses = evaluations("losses");
  for (std::size_t i = 0; i < losses.items.size(); ++i) {
    EXPECT_FALSE(losses.items[i].answer.has_value());
    EXPECT_EQ(losses.items[i].nll, file.items[i].nll);
  }
}

TEST_F(TrainerEval, AtTheEndOnlyAndBehindTheLastOfAStoppedRun) {
  train_well("end", {"--set", "train.eval_every=0"});
  EXPECT_EQ(evaluations("end").items.size(), 5u);
  EXPECT_EQ(evaluations("end").items.front().step, 6);
  train_well("odd", {"--set", "train.eval_every=4"});
  EXPECT_EQ(evaluations("odd").at(4).size(), 5u);
  EXPECT_EQ(evaluations("odd").at(6).size(), 5u);
  json config = read_json("odd/config.json");
  config["launch"]["stop_after"] = 3;
  fs::create_directory(path("stopped"));
  write("stopped/config.json", config.dump() + "\n");
  const auto stopped =
      run_process({.command = {TWINRUN_BIN_DIR "/twinrun-train", "train",
                               path("stopped/config.json"), "--run-dir", path("stopped")},
                   .cwd = path(""),
                   .environment = {},
                   .before_exec = {}});
  ASSERT_EQ(stopped.exit_code, 0) << stopped.err;
  EXPECT_EQ(evaluations("stopped").header.last, 3);
  EXPECT_EQ(evaluations("stopped").items.size(), 5u);
}

// Killed and cut anywhere, resumed with and without a checkpoint: the bytes of a run that was never
// stopped, and no evaluation twice.
TEST_F(TrainerEval, AResumedRunHasEveryEvaluationOnce) {
  train_well("whole");
  const std::string whole = read("whole/eval.jsonl");
  int run = 0;
  for (const int every : {0, 2, 3}) {
    const Args checkpoints = {"--set", "train.checkpoint_every=" + std::to_string(every)};
    for (const double kept : {0.0, 0.4, 0.99, 1.0}) {
      const std::string name = "run-" + std::to_string(run++);
      Args killed = checkpoints;
      killed.insert(killed.end(), {"--inject", "crash@6"});
      ASSERT_EQ(train(name, killed).exit_code, 3);
      // All that a checkpoint stands on has been synced before it; what lies behind may be lost.
      const std::string left = read(name + "/eval.jsonl");
      std::size_t synced = 0;
      for (const int step : {3, 4}) {
        const std::string file =
            name + "/checkpoints/step-" + std::to_string(step) + "/checkpoint.json";
        if (fs::exists(path(file))) synced = read_json(file).at("eval.jsonl").at("bytes");
      }
      const auto cut = static_cast<std::size_t>(kept * static_cast<double>(left.size() - synced));
      write(name + "/eval.jsonl", left.substr(0, synced + cut));
      EXPECT_TRUE(std::holds_alternative<protocol::EvalProblem>(
          protocol::read_eval(path(name + "/eval.jsonl"))));
      Args resumed = checkpoints;
      resumed.push_back("--resume");
      train_well(name, resumed);
      EXPECT_TRUE(read(name + "/eval.jsonl") == whole) << every << ", " << kept;
      EXPECT_TRUE(read(name + "/steps.jsonl") == read("whole/steps.jsonl"));
    }
  }
}

TEST_F(TrainerEval, AResumedRunGoesOnWithTheSameEvaluationOnly) {
  const Args checkpoints = {"--set", "train.checkpoint_every=2"};
  Args killed = checkpoints;
  killed.insert(killed.end(), {"--inject", "crash@6"});
  ASSERT_EQ(train("run", killed).exit_code, 3);
  const auto resume = [&](const std::string& set) {
    Args args = checkpoints;
    args.insert(args.end(), {"--resume", "--set", set});
    return train("run", args);
  };
  for (const char* set : {"train.eval_every=3", "evaluation.max_new_tokens=6"}) {
    const auto result = resume(set);
    EXPECT_EQ(result.exit_code, 2) << set;
    EXPECT_THAT(result.err, HasSubstr("cannot go on with another record or evaluation")) << set;
  }
  // A line that was changed before the checkpoint is not sealed.
  std::string changed = read("run/eval.jsonl");
  changed.replace(changed.find("hello world"), 11, "hello night");
  write("run/eval.jsonl", changed);
  const auto result = resume("name=text");
  EXPECT_EQ(result.exit_code, 2);
  EXPECT_THAT(result.err, HasSubstr("are not those that it had at the checkpoint"));
}

TEST_F(TrainerEval, RowsThatCannotBeUsedAreRefusedBeforeTraining) {
  const auto refused = [&](const std::string& rows, const std::string& says) {
    write("heldout.jsonl", rows);
    fs::remove_all(path("refused"));
    const auto result = train("refused");
    EXPECT_EQ(result.exit_code, 2) << rows;
    EXPECT_THAT(result.err, HasSubstr(says));
    EXPECT_FALSE(fs::exists(path("refused/steps.jsonl")));
  };
  refused(R"({"prompt":"hello"})", "heldout.jsonl:1: the sample has no 'response'");
  refused(R"({"prompt":"hello","response":")" + std::string(100, 'x') + "\"}",
          "heldout.jsonl:1: has ");
  refused("", "is empty");
  write("heldout.jsonl", "{\"prompt\":\"hello\",\"response\":\"hi\"}\n");
  fs::remove_all(path("refused"));
  const auto room = train("refused", {"--set", "evaluation.max_new_tokens=125"});
  EXPECT_EQ(room.exit_code, 2);
  EXPECT_THAT(room.err, AllOf(HasSubstr("heldout.jsonl:1: comes to "),
                              HasSubstr("max_position_embeddings 128")));
}

// A loss that is not finite is no loss: the run fails, and its step stands in the record.
TEST_F(TrainerEval, WhatIsNotFiniteFailsTheRunBehindItsStep) {
  const auto result = train("run", {"--inject", "nan@2"});
  EXPECT_EQ(result.exit_code, 3);
  EXPECT_THAT(read_json("run/manifest.json").at("message").get<std::string>(),
              AllOf(HasSubstr("evaluation after step 2"), HasSubstr("is not finite")));
  EXPECT_EQ(lines("run/steps.jsonl").size(), 4u);
  const auto read = protocol::read_eval(path("run/eval.jsonl"));
  ASSERT_TRUE(std::holds_alternative<protocol::EvalProblem>(read));
  EXPECT_EQ(std::get<protocol::EvalProblem>(read).reason, "incomplete");
}

}  // namespace
}  // namespace twinrun
