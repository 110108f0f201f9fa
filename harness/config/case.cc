#include "harness/config/case.h"

#include <algorithm>
#include <fstream>
#include <optional>
#include <system_error>
#include <utility>

#include "harness/config/case_evaluation.h"
#include "harness/config/case_files.h"
#include "harness/config/case_inference.h"
#include "harness/config/case_sections.h"
#include "harness/config/case_statistics.h"
#include "harness/config/cores.h"
#include "harness/config/fields.h"
#include "harness/config/trainer_command.h"
#include "harness/exit_code.h"

namespace twinrun::harness {
namespace {

namespace fs = std::filesystem;
using nlohmann::json;

constexpr std::int64_t kThreadsMax = 4096;

json read_optimizer(const YamlNode& node, const CaseContext& context) {
  const NumberRange beta = {.low = 0, .high = 1, .high_open = true};
  const std::vector<Field> fields = {
      {"name", trainer_word(context, {"adamw"}, {"adam", "sgd", "adafactor", "lion"}), "adamw"},
      {"lr", number({.low = 0}), {}},
      {"beta1", number(beta), 0.9},
      {"beta2", number(beta), 0.999},
      {"eps", number({.low = 0, .low_open = true}), 1e-8},
      {"weight_decay", number({.low = 0}), 0.0}};
  return read_fields(Section(node, keys_of(fields)), fields, context.absent());
}

json read_schedule(const YamlNode& node, const CaseContext& context) {
  const std::vector<Field> fields = {
      {"name", trainer_word(context, {"constant", "linear", "cosine"}), "constant"},
      {"warmup_steps", integer(0, kCountMax), 0}};
  return read_fields(Section(node, keys_of(fields)), fields, context.absent());
}

struct TrainPart {
  json identity;
  json launch;  ///< on which the result does not depend
};

TrainPart read_train(const YamlNode& node, const CaseContext& context) {
  const std::vector<Field> fields = {
      {"batch_size", integer(1, kCountMax), {}},
      {"gradient_accumulation", integer(1, kCountMax), 1},
      {"max_grad_norm", number({.low = 0, .low_open = true}), 1.0},
      {"optimizer", [&](const YamlNode& n) { return read_optimizer(n, context); }, {}},
      {"schedule", [&](const YamlNode& n) { return read_schedule(n, context); },
       json{{"name", "constant"}, {"warmup_steps", 0}}}};
  const std::vector<Field> launch = {{"eval_every", integer(0, kCountMax), 0},
                                     {"checkpoint_every", integer(0, kCountMax), 0},
                                     {"activation_checkpointing", boolean(), false}};
  std::vector<std::string> keys = {"steps"};
  for (const auto& more : {keys_of(fields), keys_of(launch)}) {
    keys.insert(keys.end(), more.begin(), more.end());
  }
  const Section section(node, std::move(keys));
  TrainPart part{read_fields(section, fields, context.absent()),
                 read_fields(section, launch, Absent::kFallback)};
  part.identity["steps"] = integer(1, kCountMax)(section.require("steps"));
  return part;
}

json read_seeds(const Section& root, std::int64_t seed) {
  const auto derived = [&](const char* name) {
    return protocol::derive_seed(name, static_cast<std::uint64_t>(seed));
  };
  const std::vector<Field> fields = {{"lora_init", integer(0), seed},
                                     {"dropout", integer(0), derived("dropout")},
                                     {"shuffle", integer(0), derived("shuffle")}};
  return read_fields(Section(root.find_section("seeds"), keys_of(fields)), fields,
                     Absent::kFallback);
}

json device(const YamlNode& node) {
  const std::string name = text()(node);
  const bool indexed = name.rfind("cuda:", 0) == 0;
  if (!indexed) return word({"auto", "cpu", "cuda"})(node);
  const std::string index = name.substr(5);
  const bool digits = !index.empty() && index.size() <= 3 &&
                      index.find_first_not_of("0123456789") == std::string::npos;
  if (!digits || (index.size() > 1 && index[0] == '0')) {
    fail_at(node, "'" + name + "' names no device: write auto, cpu, cuda or cuda:N");
  }
  return name;
}

json read_record(const YamlNode& node) {
  const std::vector<Field> fields = {{"tensors_every", integer(0, kCountMax), 1}};
  return read_fields(Section(node, keys_of(fields)), fields, Absent::kFallback);
}

json read_verify(const YamlNode& node) {
  constexpr std::int64_t kRunsMax = 26;  // runs are named a .. z
  constexpr double kTimeoutMax_s = 1e7;
  const std::vector<Field> fields = {
      {"runs", integer(2, kRunsMax), 2},
      {"step_timeout_s", number({.low = 0, .high = kTimeoutMax_s, .low_open = true}), 600.0},
      {"controls", boolean(), true}};
  return read_fields(Section(node, keys_of(fields)), fields, Absent::kFallback);
}

std::string read_text_file(const fs::path& file) {
  std::error_code error;
  if (!fs::exists(file, error)) {
    throw UsageError(file.string() + ": no such case file");
  }
  if (fs::is_directory(file, error)) {
    throw UsageError(file.string() + ": a folder: name the case file in it");
  }
  std::ifstream stream(file, std::ios::binary);
  if (!stream) throw UsageError(file.string() + ": cannot be read: check its permissions");
  constexpr std::size_t kReadMax = 1 << 20;  // more than parse_yaml takes
  std::string text(kReadMax, '\0');
  stream.read(text.data(), static_cast<std::streamsize>(text.size()));
  text.resize(static_cast<std::size_t>(stream.gcount()));
  return text;
}

void read_trainer(const Section& root, CaseContext& context, ResolvedCase& out) {
  const YamlNode* node = root.find("trainer");
  if (node == nullptr) return;
  const Section section(*node, {"command", "params"});
  const YamlNode* command = section.find("command");
  const YamlNode* params = section.find("params");
  if (command == nullptr) {
    fail_at(*node, "trainer.command is missing: without it leave `trainer:` out, too");
  }
  context.foreign = true;
  out.foreign_trainer = true;
  out.command = read_trainer_command(*command, context.folder);
  json& identity = out.config.identity;
  identity["trainer"]["params"] = json::object();
  if (params == nullptr) return;
  if (params->kind != YamlNode::Kind::kMap) fail_at(*params, "expected a mapping (key: value)");
  identity["trainer"]["params"] = free_value(*params);
}

/// model, data, lora, train into the identity; their paths, and how often something is done besides
/// training, into `launch`.
void read_experiment(const Section& root, const CaseContext& context, json& identity,
                     json& launch) {
  json& paths = launch["paths"] = json::object();
  const auto wanted = [&](const char* key) {
    return context.foreign ? root.find(key) : &root.require(key);
  };
  std::optional<ModelPart> model;
  if (const YamlNode* node = wanted("model")) {
    model = read_model(*node, context);
    identity["model"] = model->identity;
    paths["model"] = model->path.string();
  }
  if (const YamlNode* node = wanted("data")) {
    const DataPart data = read_data(*node, context);
    identity["data"] = data.identity;
    if (data.path) paths["data"] = data.path->string();
    if (data.path && model) {
      const json files =
          digest_tokenizer(root.require("model"), model->tokenizer_folder, !context.foreign);
      if (!files.empty()) identity["tokenizer"]["files"] = files;
    }
  }
  if (const YamlNode* node = wanted("lora")) {
    const LoraPart lora = read_lora(*node, context);
    identity["lora"] = lora.identity;
    if (lora.init) paths["adapter"] = lora.init->string();
  }
  TrainPart train = read_train(root.require("train"), context);
  identity["train"] = std::move(train.identity);
  launch.update(train.launch);
}

/// What a foreign trainer can do in which mode is its own affair.
json read_numerics(const YamlNode& node, const CaseContext& context, const json& identity) {
  const json mode = word({"fast", "deterministic", "portable"})(node);
  if (context.foreign || mode != "portable") return mode;
  if (const json& dtype = identity.at("model").at("dtype"); dtype != "float32") {
    fail_at(node, "portable is float32 only so far, but model.dtype is " +
                      dtype.get<std::string>() + "; use float32, or numerics: deterministic");
  }
  return mode;
}

/// Rounding noise to test the judge with: what promises bits must not have any.
void read_shuffle_reductions(const Section& root, const json& numerics, json& launch) {
  const YamlNode* node = root.find("shuffle_reductions");
  if (node == nullptr) return;
  if (numerics != "fast") {
    fail_at(
        *node,
        "adds rounding noise, to test the judge, and so goes with numerics: fast only, not with " +
            numerics.get<std::string>());
  }
  launch["shuffle_reductions"] = integer(0)(*node);
}

/// The held-out file, and what runs that promise no bits are held to.
void read_evaluation(const Section& root, const fs::path& folder, ResolvedCase& resolved) {
  protocol::RunConfig& config = resolved.config;
  const auto every = config.launch.at("eval_every").get<std::int64_t>();
  std::optional<EvaluationPart> part;
  if (const YamlNode* node = root.find("evaluation")) {
    part = read_evaluation_section(*node, folder, config.identity, every);
    config.launch["evaluation"] = part->launch;
    config.judgement["evaluation"] = part->judgement;
    resolved.held_out_rows = part->rows;
  } else if (every != 0) {
    fail_at(*root.require("train").find("eval_every"),
            "evaluates a held-out file, and there is no `evaluation:` that names one");
  }
  // Of a mode that promises no bits the margins stand, whether they were written down or not.
  if (!root.has("statistics") && config.identity["numerics"] != "fast") return;
  const YamlNode& node = root.find_section("statistics");
  config.judgement["statistics"] = read_statistics_section(
      node, config.identity["train"]["steps"].get<std::int64_t>(), resolved.foreign_trainer);
  check_margins(node, config.judgement["statistics"], part ? &*part : nullptr);
}

/// The rest of `launch`.
void read_launch(const Section& root, const ResolvedCase& resolved, json& launch) {
  launch.update(read_fields(root,
                            {{"device", device, "auto"},
                             {"threads", integer(1, kThreadsMax), physical_cores()},
                             {"isa", word({"auto", "avx512", "avx2", "plain"}), "auto"}},
                            Absent::kFallback));
  read_shuffle_reductions(root, resolved.config.identity.at("numerics"), launch);
  launch["record"] = read_record(root.find_section("record"));
  launch["name"] = resolved.name;
  launch["case"] = resolved.case_file.string();
  launch["run"] = "a";
  launch["command"] = resolved.command;
  launch["command_files"] = digest_command_files(resolved.command);
  launch["stop_after"] = nullptr;
  launch["inject"] = json::array();
  launch["nuisance"] = json::object();
}

}  // namespace

ResolvedCase resolve_case(const fs::path& case_file, const CaseOptions& options) {
  YamlNode tree = parse_yaml(read_text_file(case_file), case_file.string());
  for (const std::string& assignment : options.overrides) apply_override(tree, assignment);
  const Section root(tree, {"schema", "name", "model", "data", "lora", "train", "seed", "seeds",
                            "numerics", "device", "threads", "isa", "shuffle_reductions", "record",
                            "evaluation", "inference", "statistics", "verify", "trainer"});
  ResolvedCase resolved;
  resolved.case_file = fs::absolute(case_file).lexically_normal();
  CaseContext context{.folder = resolved.case_file.parent_path()};
  json& identity = resolved.config.identity;
  identity["schema"] = integer(1, 1)(root.require("schema"));
  resolved.name = text()(root.require("name"));
  constexpr std::size_t kNameBytesMax = 100;  // it becomes part of a folder's name
  if (resolved.name.size() > kNameBytesMax) {
    fail_at(root.require("name"), "longer than " + std::to_string(kNameBytesMax) + " bytes");
  }
  resolved.command = {options.default_trainer.string()};
  read_trainer(root, context, resolved);
  read_experiment(root, context, identity, resolved.config.launch);
  identity["seed"] = integer(0)(root.require("seed"));
  identity["seeds"] = read_seeds(root, identity["seed"].get<std::int64_t>());
  identity["numerics"] = read_numerics(root.require("numerics"), context, identity);

  const json verify = read_verify(root.find_section("verify"));
  resolved.config.judgement = {{"schema", 1}, {"verify", verify}};
  resolved.runs = verify.at("runs").get<int>();
  resolved.controls = verify.at("controls").get<bool>();
  resolved.step_timeout_s = verify.at("step_timeout_s").get<double>();
  read_launch(root, resolved, resolved.config.launch);
  read_evaluation(root, context.folder, resolved);
  if (const YamlNode* node = root.find("inference")) {
    const InferencePart part = read_inference_section(*node, context.folder, identity);
    resolved.config.launch["inference"] = part.launch;
    resolved.config.judgement["inference"] = part.judgement;
  }
  return resolved;
}

protocol::RunConfig seed_plus_one(const protocol::RunConfig& config) {
  protocol::RunConfig control = config;
  const auto next = [](json& seed) {
    const auto value = seed.get<std::int64_t>();
    seed = value == kSafeIntegerMax ? 0 : value + 1;
  };
  next(control.identity.at("seed"));
  for (json& seed : control.identity.at("seeds")) next(seed);
  // It has to differ, and does so at once: nobody asks what it has learned.
  if (control.launch.erase("evaluation") > 0) control.launch["eval_every"] = 0;
  const auto steps = control.identity.at("train").at("steps").get<std::int64_t>();
  control.launch["stop_after"] = std::min<std::int64_t>(2, steps);
  return control;
}

}  // namespace twinrun::harness
