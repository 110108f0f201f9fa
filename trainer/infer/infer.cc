#include "trainer/infer/infer.h"

#include <c10/core/InferenceMode.h>

#include <algorithm>
#include <chrono>
#include <iomanip>
#include <iostream>
#include <utility>

#include "harness/protocol/inference_reader.h"
#include "harness/protocol/tensor_digest.h"
#include "trainer/data/prompts.h"
#include "trainer/infer/generate.h"
#include "trainer/infer/run_outputs.h"
#include "trainer/numerics/machine.h"
#include "trainer/numerics/numerics.h"
#include "trainer/numerics/variables.h"
#include "trainer/train/failure.h"
#include "trainer/train/inputs.h"
#include "trainer/train/manifest.h"

namespace twinrun::trainer {
namespace {

using nlohmann::json;
using protocol::InferenceFile;

InferenceFile read_reference(const std::filesystem::path& path) {
  auto read = protocol::read_inference(path);
  if (const auto* problem = std::get_if<protocol::InferenceProblem>(&read)) {
    throw DataError(problem->at(path));
  }
  return std::get<InferenceFile>(std::move(read));
}

std::string name_of(std::size_t prompt, const protocol::SampleId& id) {
  std::string name = "prompt " + std::to_string(prompt);
  if (const auto* text = std::get_if<std::string>(&id)) name += " ('" + *text + "')";
  return name;
}

/// One inference, from its files to the text of inference.jsonl.
class Inference {
 public:
  Inference(const protocol::RunConfig& config, const InferOptions& options)
      : run_(config),
        config_(read_train_config(config)),
        wanted_(read_inference_config(config)),
        options_(options) {}

  std::string run() {
    const c10::InferenceMode inference;
    prepare_environment(config_.numerics);
    const auto device = resolve_device(config_.numerics.device);
    const auto dtype = compute_dtype(config_.numerics.dtype);
    const auto ops = make_ops(config_.numerics);
    apply_numerics(config_.numerics, device);
    json digests;
    model_ = open_model(config_, digests);
    tokenizer_ = open_tokenizer(config_, model_, digests);
    read_inputs();
    Adapter adapter(model_, config_.lora, device, dtype);
    load_adapter(adapter, dtype);
    Llama llama(model_, load_weights(config_, model_, dtype, device), *ops, &adapter);

    std::vector<TokenIds> ids;
    for (const auto& prompt : prompts_) ids.push_back(prompt.ids);
    const auto start = std::chrono::steady_clock::now();
    const auto answers = generate(llama, ids, generate_options_, device);
    report(answers, std::chrono::steady_clock::now() - start);
    std::vector<protocol::ForcedTokens> forced;
    if (reference_) forced = force(llama, ids, forced_inputs(), generate_options_, device);
    // A library that is loaded late may have moved one, MXCSR above all.
    require_as_wanted(read_switches(config_.numerics, device));
    return protocol::format_inference(header(adapter, device), outputs(answers, forced));
  }

 private:
  /// For people, and for bench/infer_vs_transformers.py.
  static void report(const std::vector<Generated>& answers, std::chrono::duration<double> time) {
    std::size_t tokens = 0;
    for (const auto& answer : answers) tokens += answer.tokens.size();
    std::cout << answers.size() << " prompts, " << tokens << " new tokens in " << std::fixed
              << std::setprecision(3) << time.count() << " s" << std::endl;
  }

  void read_inputs() {
    const PromptOptions from{options_.prompts.value_or(""),
                             {config_.template_name, model_.eos_token_id, config_.model_path},
                             model_.vocab_size};
    const auto* tokenizer = tokenizer_.get();
    if (options_.prompts) prompts_ = load_prompts(from, tokenizer);
    if (options_.reference) {
      reference_ = read_reference(*options_.reference);
      take_reference(tokenizer ? begin_token(from.rendering) : "");
    }
    generate_options_ = {wanted_.max_new_tokens, wanted_.batch_size, wanted_.top,
                         stop_token(from.rendering, tokenizer), model_.pad_token_id};
    if (wanted_.top > model_.vocab_size) {
      throw ConfigError("launch.inference.top is " + std::to_string(wanted_.top) +
                        ", more than the model's vocab_size " + std::to_string(model_.vocab_size));
    }
    for (std::size_t i = 0; i < prompts_.size(); ++i) {
      const auto new_tokens = std::max<std::int64_t>(
          wanted_.max_new_tokens,
          reference_ ? static_cast<std::int64_t>(reference_->outputs[i].tokens.size()) : 0);
      const auto length = static_cast<std::int64_t>(prompts_[i].ids.size()) + new_tokens;
      if (model_.max_positions && length > *model_.max_positions) {
        throw DataError(name_of(i, prompts_[i].id) + " has " +
                        std::to_string(prompts_[i].ids.size()) + " tokens, which with " +
                        std::to_string(new_tokens) +
                        " new ones are more than the model's max_position_embeddings " +
                        std::to_string(*model_.max_positions));
      }
    }
  }

  /// The reference's prompts, or that they are those of the prompts file; its ids are the model's.
  void take_reference(const std::string& begin_token) {
    const auto file = options_.reference->string();
    const auto& outputs = reference_->outputs;
    const auto refuse = [&](std::size_t prompt, const std::string& what) {
      throw DataError(file + ": " + name_of(prompt, outputs[prompt].id) + ": " + what);
    };
    if (options_.prompts && prompts_.size() != outputs.size()) {
      throw DataError(file + ": has " + std::to_string(outputs.size()) + " prompts, " +
                      options_.prompts->string() + " has " + std::to_string(prompts_.size()));
    }
    for (std::size_t i = 0; i < outputs.size(); ++i) {
      const auto& output = outputs[i];
      const auto check = [&](std::int64_t id) {
        if (id >= 0 && id < model_.vocab_size) return;
        refuse(i, "id " + std::to_string(id) + " lies outside the model's vocab_size " +
                      std::to_string(model_.vocab_size));
      };
      for (const auto& ids : {output.ids, output.tokens}) std::ranges::for_each(ids, check);
      for (const auto& top : output.top) {
        for (const auto& token : top) check(token.id);
      }
      if (output.text && tokenizer_ &&
          !are_ids_of(*output.text, output.ids, begin_token, *tokenizer_)) {
        refuse(i, "its ids are not those that this tokenizer has for its text");
      }
      if (!options_.prompts) {
        prompts_.push_back({output.id, output.text, output.ids});
      } else if (prompts_[i].ids != output.ids) {
        refuse(i, "is another prompt than that of " + options_.prompts->string());
      }
    }
  }

  void load_adapter(Adapter& adapter, at::ScalarType dtype) const {
    if (options_.base_model) {
      adapter.init(config_.seed_lora_init, dtype);
      return;
    }
    const auto folder = options_.adapter.value_or(options_.run_dir / "adapter");
    if (!std::filesystem::exists(folder)) {
      throw ConfigError(folder.string() +
                        ": no such folder; the run is not complete, or name an --adapter");
    }
    adapter.load(folder);
  }

  std::vector<ForcedInput> forced_inputs() const {
    std::vector<ForcedInput> inputs;
    for (const auto& output : reference_->outputs) {
      auto& input = inputs.emplace_back(ForcedInput{output.tokens, {}});
      for (const auto& top : output.top) {
        auto& ids = input.top.emplace_back();
        for (const auto& token : top) ids.push_back(token.id);
      }
    }
    return inputs;
  }

  protocol::InferenceHeader header(const Adapter& adapter, at::Device device) const {
    const auto machine = describe_machine(device);
    protocol::InferenceHeader header;
    header.program = "twinrun-train";
    header.versions = machine.at("versions");
    header.promise =
        promises_bits(config_.numerics) ? protocol::Promise::kBitwise : protocol::Promise::kNone;
    header.numerics = config_.numerics.mode;
    header.arithmetic = arithmetic_id(config_.numerics);
    header.platform = config_.numerics.mode == "portable" ? json::object() : platform_of(machine);
    header.dtype = config_.numerics.dtype;
    header.model = run_.identity.at("model");
    header.model.erase("dtype");
    header.tokenizer = run_.identity.value("tokenizer", json::object());
    header.adapter = protocol::to_hex(adapter.digest());
    header.prompts = static_cast<std::int64_t>(prompts_.size());
    header.max_new_tokens = wanted_.max_new_tokens;
    header.batch_size = wanted_.batch_size;
    header.top = wanted_.top;
    if (reference_) header.reference = protocol::to_hex(reference_->sha256);
    return header;
  }

  std::vector<protocol::PromptOutput> outputs(
      const std::vector<Generated>& answers,
      const std::vector<protocol::ForcedTokens>& forced) const {
    std::vector<protocol::PromptOutput> outputs;
    for (std::size_t i = 0; i < answers.size(); ++i) {
      const auto& answer = answers[i];
      auto& output = outputs.emplace_back();
      output.prompt = static_cast<std::int64_t>(i);
      output.id = prompts_[i].id;
      output.text = prompts_[i].text;
      output.ids = prompts_[i].ids;
      output.tokens = answer.tokens;
      output.finish = answer.finish;
      output.logprobs = answer.logprobs;
      output.top = answer.top;
      if (tokenizer_) output.completion = answer_text(answer, *tokenizer_);
      if (reference_) output.forced = forced[i];
    }
    return outputs;
  }

  const protocol::RunConfig& run_;
  TrainConfig config_;
  InferenceConfig wanted_;
  const InferOptions& options_;
  ModelConfig model_;
  std::unique_ptr<const Tokenizer> tokenizer_;  // null where there is none
  std::vector<Prompt> prompts_;
  std::optional<InferenceFile> reference_;
  GenerateOptions generate_options_;
};

}  // namespace

int run_inference(const protocol::RunConfig& config, const InferOptions& options) {
  try {
    const RunLock lock(options.run_dir);
    require_same_run(options.run_dir, protocol::to_hex(config.identity_digest()));
    const auto text = Inference(config, options).run();
    write_inference(options.run_dir, text);
    return kExitComplete;
  } catch (...) {
    return say_current_failure();
  }
}

}  // namespace twinrun::trainer
