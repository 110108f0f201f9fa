#include "trainer/data/folder_template.h"

#include <algorithm>
#include <nlohmann/json.hpp>
#include <string_view>

#include "harness/protocol/sha256.h"
#include "trainer/data/dataset.h"
#include "trainer/data/input_file.h"

namespace twinrun::trainer {
namespace {

using nlohmann::json;

/// Published templates. SmolLM2's adds a system turn of its own to conversations without one, which
/// `chatml` leaves out: data that want it have it. tests/parity/templates_parity.py renders those
/// of the folders that are there.
constexpr KnownTemplate kKnown[] = {
    // SmolLM2 Instruct
    {"872be49dbb638044ad01b60388f48d469ff2980e5f0dccdc22ec907db54d0788", "chatml", "", ""},
    // ChatML as TRL, Axolotl and many fine-tuned models write it: two spellings
    {"153280e3ff55d19da1398bdb3914ee2a51b80429bfaedde11d7d216c39db80f3", "chatml", "", ""},
    {"58c1a1f04baa7adaeaba1f90267c3d57d9396f0c1f0129bdde9e76d3c6784af7", "chatml", "", ""},
    // Meta Llama 3 Instruct; 3.1 and later say the date
    {"ba03a121d097859c7b5b9cd03af99aafe95275210d2876f642ad9929a150f122", "llama3",
     "<|begin_of_text|>", ""},
    // Mistral 7B Instruct v0.1 and v0.2, with a system message; v0.3 sets other spaces
    {"1c6594f8393552ef16bbf3ddecb67d8258fb8d66339a1a092a8f8496061f02d3", "mistral", "<s>", "</s>"},
};

/// Two ways to write a line feed in a literal, and a line feed at the end, which Jinja drops: the
/// same template.
std::string normal(std::string text) {
  for (std::size_t at = 0; (at = text.find("\\n", at)) != std::string::npos; ++at) {
    text.replace(at, 2, "\n");
  }
  if (text.ends_with('\n')) text.pop_back();
  return text;
}

json read_if_there(const std::filesystem::path& path) {
  std::error_code ignored;
  if (!std::filesystem::exists(path, ignored)) return json::object();
  try {
    return read_json_object(path);
  } catch (const std::runtime_error& error) {
    throw DataError(error.what());
  }
}

struct FolderTemplate {
  std::filesystem::path file;
  std::string text;
};

/// As transformers finds it: the file of its own wins; of a list the one named `default`.
std::optional<FolderTemplate> find_template(const std::filesystem::path& folder) {
  std::error_code ignored;
  const auto own = folder / "chat_template.jinja";
  if (std::filesystem::exists(own, ignored)) {
    try {
      return FolderTemplate{own, read_input_file(own)};
    } catch (const std::runtime_error& error) {
      throw DataError(error.what());
    }
  }
  const auto file = folder / "tokenizer_config.json";
  const json config = read_if_there(file);
  const auto found = config.find("chat_template");
  if (found == config.end() || found->is_null()) return std::nullopt;
  if (found->is_string()) return FolderTemplate{file, found->get<std::string>()};
  if (found->is_array()) {
    for (const json& one : *found) {
      if (!one.is_object() || one.value("name", json()) != "default") continue;
      if (one.value("template", json()).is_string()) return FolderTemplate{file, one["template"]};
    }
  }
  throw DataError(file.string() +
                  ": chat_template is neither text nor a list with one that is "
                  "named default");
}

/// Of `{"id":...}` or text: how tokenizer_config.json names a token.
std::string token_text(const json& token) {
  if (token.is_string()) return token.get<std::string>();
  const json content = token.is_object() ? token.value("content", json()) : json();
  return content.is_string() ? content.get<std::string>() : "";
}

/// The token with which a post-processor of tokenizer.json begins a text; empty: none.
std::string first_token(const json& processor) {
  if (!processor.is_object()) return "";
  const auto parts = processor.find("processors");
  if (parts != processor.end() && parts->is_array()) {
    for (const json& part : *parts) {
      const std::string token = first_token(part);
      if (!token.empty()) return token;
    }
    return "";
  }
  const auto single = processor.find("single");
  if (single == processor.end() || !single->is_array() || single->empty()) return "";
  const json::json_pointer id("/SpecialToken/id");
  const json& first = single->front();
  return first.contains(id) && first[id].is_string() ? first[id].get<std::string>() : "";
}

/// A template writes `bos_token` or `eos_token`: tokenizer_config.json, where it names one, has to
/// have the token that the built-in one writes.
void require_token(const std::filesystem::path& folder, const KnownTemplate& known,
                   const char* field, std::string_view written) {
  if (written.empty()) return;
  const auto file = folder / "tokenizer_config.json";
  const std::string token = token_text(read_if_there(file).value(field, json()));
  if (token.empty() || token == written) return;
  throw DataError(file.string() + ": " + field + " is " + token + ", which the model's own chat " +
                  "template writes where `" + std::string(known.name) + "` has " +
                  std::string(written) + ". Render the data with it and use `template: text`");
}

}  // namespace

std::span<const KnownTemplate> known_templates() { return kKnown; }

void require_template_of_folder(const std::filesystem::path& model_folder, const std::string& name,
                                std::span<const KnownTemplate> templates) {
  const auto own = find_template(model_folder);
  if (!own) return;
  const std::string digest = protocol::to_hex(protocol::sha256(normal(own->text)));
  const auto known = std::ranges::find(templates, digest, &KnownTemplate::sha256);
  const bool found = known != templates.end();
  if (found && known->name == name) {
    require_token(model_folder, *known, "bos_token", known->bos);
    require_token(model_folder, *known, "eos_token", known->eos);
    return;
  }
  std::string what =
      own->file.string() + ": the model's own chat template (SHA-256 " + digest + ") is ";
  what += found ? "`" + std::string(known->name) + "`, not `" + name + "`: name that one"
                : "not known to give the same as `" + name + "`";
  throw DataError(what + ". Or render the data with it and use `template: text`");
}

std::string bos_of_folder(const std::filesystem::path& model_folder) {
  std::error_code ignored;
  const auto file = model_folder / "tokenizer.json";
  if (std::filesystem::exists(file, ignored)) {
    return first_token(read_if_there(file).value("post_processor", json()));
  }
  const json config = read_if_there(model_folder / "tokenizer_config.json");
  if (config.value("add_bos_token", json()) != true) return "";
  return token_text(config.value("bos_token", json()));
}

}  // namespace twinrun::trainer
