#include "trainer/train/checkpoint.h"

#include <algorithm>
#include <bit>
#include <charconv>
#include <cstdio>
#include <fstream>
#include <functional>
#include <iterator>
#include <nlohmann/json.hpp>

#include "harness/protocol/append_file.h"
#include "harness/protocol/canonical_json.h"
#include "harness/protocol/strict_json.h"

namespace twinrun::trainer {
namespace {

namespace fs = std::filesystem;
using nlohmann::json;
using protocol::to_hex;

constexpr int kCheckpointSchema = 1;
constexpr const char* kAdapterFile = "adapter.safetensors";
constexpr const char* kOptimizerFile = "optimizer.safetensors";
constexpr const char* kStateFile = "checkpoint.json";
constexpr const char* kUnfinished = ".tmp";
constexpr const char* kEvalFile = "eval.jsonl";  ///< only of a run that evaluates

// Thrown and caught within this file: what is wrong with a checkpoint.
struct Damage {
  std::string what;
};

std::string bits_text(double value) {
  char text[17];
  std::snprintf(text, sizeof text, "%016llx",
                static_cast<unsigned long long>(std::bit_cast<std::uint64_t>(value)));
  return text;
}

template <typename Integer>
Integer parse_number(const json& value, int base) {
  const auto& text = value.get_ref<const std::string&>();
  Integer number{};
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), number, base);
  if (error != std::errc() || end != text.data() + text.size()) {
    throw Damage{"'" + text + "' is no number"};
  }
  return number;
}

protocol::Digest parse_digest(const json& value) {
  const auto digest = protocol::digest_from_hex(value.get_ref<const std::string&>());
  if (!digest) throw Damage{value.dump() + " is no SHA-256"};
  return *digest;
}

json to_json(const protocol::FilePosition& position) {
  return {{"bytes", position.bytes}, {"sha256", to_hex(position.sha256)}};
}

protocol::FilePosition parse_position(const json& object) {
  return {object.at("bytes"), parse_digest(object.at("sha256"))};
}

// Numbers of 64 bits as text: JSON readers, and RFC 8785, keep 53.
json to_json(const CheckpointState& state) {
  json object = {
      {"schema", kCheckpointSchema},
      {"run_id", state.owner.run_id},
      {"identity", state.owner.identity},
      {"arithmetic", state.owner.arithmetic},
      {"step", state.step},
      {"steps.jsonl", {{"bytes", state.record.bytes}, {"chain", to_hex(state.record.chain)}}},
      {"tensors.jsonl", to_json(state.tensors)},
      {"adamw",
       {{"beta1_power", bits_text(state.beta1_power)},
        {"beta2_power", bits_text(state.beta2_power)}}},
      {"dropout",
       {{"seed", std::to_string(state.dropout_seed)},
        {"draws", std::to_string(state.dropout_draws)}}},
      {"shuffle",
       {{"seed", std::to_string(state.shuffle_seed)},
        {"epoch", state.epoch},
        {"position", state.position},
        {"draws", std::to_string(state.shuffle_draws)}}}};
  if (state.evaluation.bytes > 0) object[kEvalFile] = to_json(state.evaluation);
  return object;
}

CheckpointState from_json(const json& object) {
  if (object.at("schema") != kCheckpointSchema) {
    throw Damage{"its schema is " + object.at("schema").dump() + ", this program knows " +
                 std::to_string(kCheckpointSchema)};
  }
  const auto& record = object.at("steps.jsonl");
  const auto& adamw = object.at("adamw");
  const auto& dropout = object.at("dropout");
  const auto& shuffle = object.at("shuffle");
  const auto power = [&](const char* name) {
    return std::bit_cast<double>(parse_number<std::uint64_t>(adamw.at(name), 16));
  };
  return {.owner = {object.at("run_id"), object.at("identity"), object.at("arithmetic")},
          .step = object.at("step"),
          .record = {record.at("bytes"), parse_digest(record.at("chain"))},
          .tensors = parse_position(object.at("tensors.jsonl")),
          .evaluation = object.contains(kEvalFile) ? parse_position(object.at(kEvalFile))
                                                   : protocol::FilePosition(),
          .beta1_power = power("beta1_power"),
          .beta2_power = power("beta2_power"),
          .dropout_seed = parse_number<std::uint64_t>(dropout.at("seed"), 10),
          .shuffle_seed = parse_number<std::uint64_t>(shuffle.at("seed"), 10),
          .dropout_draws = parse_number<std::int64_t>(dropout.at("draws"), 10),
          .epoch = shuffle.at("epoch"),
          .position = shuffle.at("position"),
          .shuffle_draws = parse_number<std::int64_t>(shuffle.at("draws"), 10)};
}

fs::path folder_of(const fs::path& run_dir, std::int64_t step) {
  return run_dir / "checkpoints" / ("step-" + std::to_string(step));
}

fs::path unfinished(const fs::path& folder) { return folder.string() + kUnfinished; }

/// The step of a folder that is named as a checkpoint is.
std::optional<std::int64_t> step_of(const std::string& name) {
  constexpr std::string_view kPrefix = "step-";
  if (!name.starts_with(kPrefix)) return std::nullopt;
  std::int64_t step = 0;
  const char *begin = name.data() + kPrefix.size(), *end = name.data() + name.size();
  const auto [stop, error] = std::from_chars(begin, end, step);
  if (error != std::errc() || stop != end || step < 1) return std::nullopt;
  return step;
}

std::vector<fs::path> entries(const fs::path& run_dir) {
  const fs::path folder = run_dir / "checkpoints";
  if (!fs::exists(folder)) return {};
  return {fs::directory_iterator(folder), fs::directory_iterator()};
}

/// Newest first.
std::vector<std::int64_t> steps_saved(const fs::path& run_dir) {
  std::vector<std::int64_t> steps;
  for (const auto& path : entries(run_dir)) {
    if (const auto step = step_of(path.filename().string())) steps.push_back(*step);
  }
  std::ranges::sort(steps, std::greater());
  return steps;
}

// Renamed first: whoever is killed while removing leaves no checkpoint with holes.
void remove_checkpoint(const fs::path& folder) {
  fs::remove_all(unfinished(folder));
  fs::rename(folder, unfinished(folder));
  fs::remove_all(unfinished(folder));
}

void remove_unfinished(const fs::path& run_dir) {
  for (const auto& path : entries(run_dir)) {
    if (path.extension() == kUnfinished && step_of(path.stem().string())) fs::remove_all(path);
  }
}

/// checkpoint.json, whose own digest holds and whose bytes are the only ones that it could have.
json read_state_file(const fs::path& folder) {
  std::ifstream file(folder / kStateFile, std::ios::binary);
  if (!file) throw Damage{std::string(kStateFile) + " is missing or cannot be read"};
  const std::string text((std::istreambuf_iterator<char>(file)), {});
  std::string problem;
  const auto parsed = protocol::parse_strict_json(text, problem);
  if (!parsed) throw Damage{std::string(kStateFile) + " is damaged: " + problem};
  json object = *parsed;
  const bool whole = object.is_object() && object.contains("digest") &&
                     text == protocol::canonical_json(object) + '\n';
  const json digest = whole ? object.at("digest") : json();
  if (whole) object.erase("digest");
  if (!whole || digest != to_hex(protocol::canonical_digest(object))) {
    throw Damage{std::string(kStateFile) +
                 " is damaged: it does not have the digest that it names"};
  }
  return object;
}

void check_files(const fs::path& folder, const json& files) {
  for (const char* name : {kAdapterFile, kOptimizerFile}) {
    if (!fs::is_regular_file(folder / name)) throw Damage{std::string(name) + " is missing"};
    const auto found = to_hex(protocol::sha256_file(folder / name));
    if (found == files.at(name)) continue;
    throw Damage{std::string(name) + " is damaged: its SHA-256 is " + found + ", " + kStateFile +
                 " says " + files.at(name).get<std::string>()};
  }
}

void check_owner(const CheckpointOwner& found, const CheckpointOwner& owner) {
  const auto check = [](const char* what, const std::string& its, const std::string& wanted) {
    if (its == wanted) return;
    throw Damage{"it is of another " + std::string(what) + ": " + its + ", this run's is " +
                 wanted};
  };
  check("identity", found.identity, owner.identity);
  check("arithmetic", found.arithmetic, owner.arithmetic);
  check("run id", found.run_id, owner.run_id);
}

CheckpointState read_checked(const fs::path& folder, std::int64_t step,
                             const CheckpointOwner& owner) {
  try {
    const json object = read_state_file(folder);
    check_files(folder, object.at("files"));
    CheckpointState state = from_json(object);
    check_owner(state.owner, owner);
    if (state.step != step) {
      throw Damage{"it is the checkpoint of step " + std::to_string(state.step)};
    }
    return state;
  } catch (const json::exception& error) {
    throw Damage{std::string(kStateFile) + " is not of this form: " + error.what()};
  } catch (const std::invalid_argument& error) {
    throw Damage{std::string(kStateFile) + " is damaged: " + error.what()};
  }
}

}  // namespace

void write_checkpoint(const fs::path& run_dir, const CheckpointState& state,
                      const std::vector<TensorToWrite>& adapter,
                      const std::vector<TensorToWrite>& optimizer) {
  const fs::path folder = folder_of(run_dir, state.step), made = unfinished(folder);
  fs::remove_all(made);
  fs::create_directories(made);
  write_safetensors(made / kAdapterFile, adapter, {{"format", "pt"}});
  write_safetensors(made / kOptimizerFile, optimizer, {{"format", "pt"}});
  json object = to_json(state);
  for (const char* name : {kAdapterFile, kOptimizerFile}) {
    object["files"][name] = to_hex(protocol::sha256_file(made / name));
  }
  object["digest"] = to_hex(protocol::canonical_digest(object));
  protocol::write_file_atomically(made / kStateFile, protocol::canonical_json(object) + '\n');
  protocol::sync_folder(run_dir);  // the record's own files are to be found before it is
  fs::rename(made, folder);
  protocol::sync_folder(folder.parent_path());

  const auto steps = steps_saved(run_dir);
  for (std::size_t i = kCheckpointsKept; i < steps.size(); ++i) {
    remove_checkpoint(folder_of(run_dir, steps[i]));
  }
}

fs::path adapter_file(const SavedCheckpoint& saved) { return saved.folder / kAdapterFile; }
fs::path optimizer_file(const SavedCheckpoint& saved) { return saved.folder / kOptimizerFile; }

std::optional<SavedCheckpoint> read_newest_checkpoint(const fs::path& run_dir,
                                                      const CheckpointOwner& owner) {
  remove_unfinished(run_dir);
  const auto steps = steps_saved(run_dir);
  if (steps.empty()) return std::nullopt;
  const fs::path folder = folder_of(run_dir, steps[0]);
  try {
    return SavedCheckpoint{folder, read_checked(folder, steps[0], owner)};
  } catch (const Damage& damage) {
    const std::string before =
        steps.size() > 1 ? "from step " + std::to_string(steps[1]) : "from the start";
    throw protocol::ResumeRefused("the checkpoint " + folder.string() + " is refused: " +
                                  damage.what + ". Remove that folder to resume " + before);
  }
}

}  // namespace twinrun::trainer
