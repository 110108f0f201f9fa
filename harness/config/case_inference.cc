#include "harness/config/case_inference.h"

#include <optional>
#include <string>
#include <vector>

#include "harness/config/case_files.h"
#include "harness/config/fields.h"
#include "harness/exit_code.h"
#include "harness/infer/bounds.h"
#include "harness/infer/infer_text.h"
#include "harness/infer/judge_inference.h"
#include "harness/infer/prompts_file.h"
#include "harness/protocol/inference_reader.h"

namespace twinrun::harness {
namespace {

namespace fs = std::filesystem;
using nlohmann::json;
using protocol::InferenceFile;
using protocol::SampleId;

struct NamedFile {
  fs::path path;
  std::string sha256;
};

std::optional<NamedFile> named_file(const Section& section, const char* key,
                                    const fs::path& folder) {
  const YamlNode* node = section.find(key);
  if (node == nullptr) return std::nullopt;
  const fs::path path = (folder / text()(*node).get<std::string>()).lexically_normal();
  return NamedFile{path, digest_file(*node, path)};
}

InferenceFile read_reference(const YamlNode& node, const fs::path& path) {
  auto read = protocol::read_inference(path);
  if (const auto* problem = std::get_if<protocol::InferenceProblem>(&read)) {
    if (problem->damaged()) throw EvidenceError("inference.reference: " + problem->at(path));
    fail_at(node, problem->at(path));
  }
  return std::get<InferenceFile>(std::move(read));
}

void check_prompts(const YamlNode& node, const InferenceFile& reference,
                   const std::vector<SampleId>& ids) {
  const auto& outputs = reference.outputs;
  if (outputs.size() != ids.size()) {
    fail_at(node, "has " + std::to_string(outputs.size()) + " prompts, inference.prompts has " +
                      std::to_string(ids.size()));
  }
  for (std::size_t i = 0; i < ids.size(); ++i) {
    if (outputs[i].id == ids[i]) continue;
    fail_at(node, "is for other prompts: its prompt " + std::to_string(i) + " is " +
                      sample_id_text(outputs[i].id) + ", in inference.prompts " +
                      sample_id_text(ids[i]));
  }
}

json read_bounds(const YamlNode* node, const std::string& dtype) {
  const json defaults = to_json(default_bounds(dtype));
  if (node == nullptr) return defaults;
  std::vector<Field> fields;
  for (const auto& item : defaults.items()) {
    const bool share = item.key() == "top1_agreement";
    fields.push_back({item.key(), number({.low = 0, .high = share ? 1 : 1e6}), item.value()});
  }
  return read_fields(Section(*node, keys_of(fields)), fields, Absent::kFallback);
}

/// Keys that stand in the case beside a reference have to agree with it. Returns the bounds; null
/// where the reference promises bits.
json settings_of_reference(const Section& section, const protocol::InferenceHeader& reference) {
  const bool frozen = kind_of(reference) == ReferenceKind::kFrozen;
  for (const auto& [key, made_with, matters] :
       {std::tuple{"max_new_tokens", reference.max_new_tokens, true},
        std::tuple{"batch_size", reference.batch_size, frozen},
        std::tuple{"top", reference.top, frozen}}) {
    const YamlNode* given = section.find(key);
    if (given != nullptr && matters && integer(1, protocol::kInferenceMax)(*given) != made_with) {
      fail_at(*given, "the reference was made with " + std::to_string(made_with));
    }
  }
  const YamlNode* bounds = section.find("bounds");
  if (!frozen) return read_bounds(bounds, reference.dtype);
  if (bounds != nullptr) {
    fail_at(*bounds, "do not go with a reference that promises bits: it is held bit for bit");
  }
  return nullptr;
}

}  // namespace

InferencePart read_inference_section(const YamlNode& node, const fs::path& folder,
                                     const json& identity) {
  const Section section(node,
                        {"prompts", "reference", "max_new_tokens", "batch_size", "top", "bounds"});
  const auto prompts = named_file(section, "prompts", folder);
  const auto reference = named_file(section, "reference", folder);
  if (!prompts && !reference) {
    fail_at(node, "give prompts: FILE, reference: FILE (whose prompts are taken), or both");
  }
  std::vector<SampleId> ids;
  if (prompts) {
    PromptsFile file = read_prompts_file(prompts->path, identity);
    if (!file.problem.empty()) fail_at(section.require("prompts"), file.problem);
    ids = std::move(file.ids);
  }
  protocol::InferenceHeader like;
  like.max_new_tokens = protocol::kInferenceNewTokens;
  like.batch_size = protocol::kInferenceBatchSize;
  like.top = protocol::kInferenceTop;
  json bounds;
  if (reference) {
    const YamlNode& named = section.require("reference");
    const InferenceFile file = read_reference(named, reference->path);
    const std::string other = made_with_another(file.header, identity);
    if (!other.empty()) fail_at(named, "the reference was made with " + other);
    if (prompts) check_prompts(named, file, ids);
    like = file.header;
    bounds = settings_of_reference(section, like);
  } else if (const YamlNode* given = section.find("bounds")) {
    fail_at(*given, "only go with inference.reference");
  }
  const json settings =
      read_fields(section,
                  {{"max_new_tokens", integer(1, protocol::kInferenceMax), like.max_new_tokens},
                   {"batch_size", integer(1, protocol::kInferenceMax), like.batch_size},
                   {"top", integer(1, protocol::kInferenceMax), like.top}},
                  Absent::kFallback);
  InferencePart part;
  part.launch = settings;
  part.judgement = settings;
  part.judgement["bounds"] = bounds;
  for (const auto& [key, file] : {std::pair{"prompts", &prompts}, {"reference", &reference}}) {
    part.launch[key] = *file ? json((*file)->path.string()) : json();
    part.judgement[key] = *file ? json((*file)->sha256) : json();
  }
  return part;
}

}  // namespace twinrun::harness
