#pragma once

#include <filesystem>
#include <nlohmann/json.hpp>

#include "harness/config/yaml_tree.h"

namespace twinrun::harness {

/// `inference:` of a case, resolved: launch.inference and judgement.inference of docs/protocol.md
/// section 10. What is not given comes from the reference where there is one.
struct InferencePart {
  nlohmann::json launch, judgement;
};

/// Reads the section and the files that it names (paths relative to `folder`), so that what would
/// fail after training fails before it. `identity` is the case's so far: model, tokenizer.
///
/// Throws UsageError as resolve_case does: neither prompts nor reference, a prompts file with a
/// line that is no prompt, a reference that is written wrong, of a newer schema, or of another
/// model, tokenizer, dtype or other prompts. Throws EvidenceError for a reference that is damaged.
InferencePart read_inference_section(const YamlNode& node, const std::filesystem::path& folder,
                                     const nlohmann::json& identity);

}  // namespace twinrun::harness
