#include "harness/config/case_sections.h"

#include <algorithm>
#include <utility>

#include "harness/config/case_files.h"

namespace twinrun::harness {
namespace {

namespace fs = std::filesystem;
using nlohmann::json;

fs::path read_path(const YamlNode& node, const CaseContext& context) {
  return (context.folder / text()(node).get<std::string>()).lexically_normal();
}

/// A switch that came after the first cases: it stands in the identity only where it is on, so that
/// theirs stays what it was.
void set_if_true(const Section& section, const char* key, json& identity) {
  const YamlNode* node = section.find(key);
  if (node != nullptr && boolean()(*node)) identity[key] = true;
}

json target_modules(const YamlNode& node, const CaseContext& context) {
  static const std::vector<std::string> kLinears = {"q_proj",    "k_proj",  "v_proj",   "o_proj",
                                                    "gate_proj", "up_proj", "down_proj"};
  if (node.kind == YamlNode::Kind::kScalar && node.scalar == "all-linear") return node.scalar;
  if (node.kind != YamlNode::Kind::kList || node.items.empty()) {
    fail_at(node, "expected all-linear or a list of module names, such as [q_proj, v_proj]");
  }
  std::vector<std::string> modules;
  for (const YamlNode& item : node.items) {
    modules.push_back(trainer_word(context, kLinears)(item));
    if (std::count(modules.begin(), modules.end(), modules.back()) > 1) {
      fail_at(item, "'" + modules.back() + "' is listed twice");
    }
  }
  std::sort(modules.begin(), modules.end());
  return modules;
}

}  // namespace

Parse trainer_word(const CaseContext& context, std::vector<std::string> built,
                   std::vector<std::string> not_built) {
  return context.foreign ? text() : word(std::move(built), std::move(not_built));
}

ModelPart read_model(const YamlNode& node, const CaseContext& context) {
  const Section section(node, {"path", "dtype", "config", "init", "seed"});
  ModelPart part;
  part.identity =
      read_fields(section, {{"dtype", trainer_word(context, {"float32", "bfloat16"}), "float32"}},
                  context.absent());
  if (section.has("path") == section.has("config")) {
    fail_at(node, "give either path: FOLDER or config: FILE with init: random and seed: N");
  }
  if (const YamlNode* path = section.find("path")) {
    for (const char* key : {"init", "seed"}) {
      if (const YamlNode* other = section.find(key)) fail_at(*other, "only goes with model.config");
    }
    part.path = read_path(*path, context);
    part.tokenizer_folder = part.path;
    part.identity["files"] = digest_model_folder(*path, part.path);
    return part;
  }
  part.path = read_path(section.require("config"), context);
  part.tokenizer_folder = part.path.parent_path();
  part.identity["init"] = word({"random"})(section.require("init"));
  part.identity["seed"] = integer(0)(section.require("seed"));
  part.identity["config"] = digest_file(section.require("config"), part.path);
  return part;
}

DataPart read_data(const YamlNode& node, const CaseContext& context) {
  const Section section(node,
                        {"path", "template", "max_length", "loss_on", "packing", "synthetic"});
  DataPart part;
  if (const YamlNode* synthetic = section.find("synthetic")) {
    for (const char* key : {"path", "template", "max_length", "loss_on", "packing"}) {
      if (const YamlNode* other = section.find(key)) {
        fail_at(*other, "does not go with data.synthetic: every position of it is labelled");
      }
    }
    const std::vector<Field> fields = {{"samples", integer(1, kCountMax), {}},
                                       {"length", integer(2, kCountMax), {}},
                                       {"vocab_size", integer(2, kCountMax), {}},
                                       {"seed", integer(0), {}}};
    part.identity["synthetic"] =
        read_fields(Section(*synthetic, keys_of(fields)), fields, Absent::kFallback);
    return part;
  }
  const YamlNode* path = section.find("path");
  if (path == nullptr) fail_at(node, "give either path: FILE or synthetic: {...}");
  part.path = read_path(*path, context);
  part.identity = read_fields(
      section,
      {{"template",
        trainer_word(context, {"chatml", "llama3", "mistral", "alpaca", "text"}, {"llama2"}),
        {}},
       {"max_length", integer(2, kCountMax), {}},
       {"loss_on", trainer_word(context, {"response", "all"}), "response"}},
      context.absent());
  set_if_true(section, "packing", part.identity);
  part.identity["sha256"] = digest_file(*path, *part.path);
  return part;
}

LoraPart read_lora(const YamlNode& node, const CaseContext& context) {
  const std::vector<Field> fields = {
      {"rank", integer(1, kCountMax), {}},
      {"alpha", number({.low = 0, .low_open = true}), {}},
      {"dropout", number({.low = 0, .high = 1, .high_open = true}), 0.0},
      {"target_modules", [&](const YamlNode& n) { return target_modules(n, context); }, {}}};
  std::vector<std::string> keys = keys_of(fields);
  keys.insert(keys.end(), {"use_rslora", "init"});
  const Section section(node, std::move(keys));
  LoraPart part{read_fields(section, fields, context.absent()), {}};
  set_if_true(section, "use_rslora", part.identity);
  if (const YamlNode* init = section.find("init")) {
    part.init = read_path(*init, context);
    part.identity["init"] = digest_adapter_folder(*init, *part.init);
  }
  return part;
}

}  // namespace twinrun::harness
