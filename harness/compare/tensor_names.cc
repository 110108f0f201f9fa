#include "harness/compare/tensor_names.h"

#include <map>
#include <optional>
#include <utility>

#include "harness/protocol/record_reader.h"
#include "harness/protocol/strict_json.h"

namespace twinrun::harness {
namespace {

using Tensors = std::vector<std::pair<std::string, std::string>>;

constexpr std::size_t kNamesMax = 20;

std::optional<std::pair<std::string, Tensors>> parse_group(std::string_view line) {
  std::string problem;
  const auto object = protocol::parse_strict_json(line, problem);
  if (!object || !object->is_object() || !object->contains("group") ||
      !object->contains("tensors") || !object->at("group").is_string() ||
      !object->at("tensors").is_array()) {
    return std::nullopt;
  }
  Tensors tensors;
  for (const auto& pair : object->at("tensors")) {
    if (!pair.is_array() || pair.size() != 2 || !pair[0].is_string() || !pair[1].is_string()) {
      return std::nullopt;
    }
    tensors.emplace_back(pair[0].get<std::string>(), pair[1].get<std::string>());
  }
  return std::pair(object->at("group").get<std::string>(), std::move(tensors));
}

std::map<std::string, Tensors> groups_of_step(const std::filesystem::path& run_dir,
                                              std::int64_t step) {
  std::map<std::string, Tensors> groups;
  const auto path = run_dir / "tensors.jsonl";
  std::error_code error;
  if (!std::filesystem::is_regular_file(path, error)) return groups;
  const std::string start = "{\"step\":" + std::to_string(step) + ",";
  protocol::LineReader reader(path);
  while (const auto line = reader.next()) {
    if (!line->starts_with(start)) continue;
    if (auto group = parse_group(*line)) groups.insert(std::move(*group));
  }
  return groups;
}

TensorDifferences compare_groups(const std::string& group, const Tensors& a, const Tensors& b) {
  TensorDifferences result{group, {}, 0, 0};
  std::map<std::string, std::string> left(b.begin(), b.end());
  const auto differs = [&result](const std::string& name) {
    ++result.differing;
    if (result.first.size() < kNamesMax) result.first.push_back(name);
  };
  for (const auto& [name, digest] : a) {
    ++result.compared;
    const auto other = left.find(name);
    if (other == left.end() || other->second != digest) differs(name);
    if (other != left.end()) left.erase(other);
  }
  for (const auto& [name, digest] : left) {
    ++result.compared;
    differs(name);
  }
  return result;
}

}  // namespace

TensorDifferences differing_tensors(const std::filesystem::path& run_a,
                                    const std::filesystem::path& run_b, std::int64_t step,
                                    const std::string& field) {
  try {
    const auto groups_a = groups_of_step(run_a, step), groups_b = groups_of_step(run_b, step);
    for (const std::string& group :
         {field, std::string("batch"), std::string("grad"), std::string("adapter"),
          std::string("optimizer"), std::string("base")}) {
      const auto a = groups_a.find(group), b = groups_b.find(group);
      if (a == groups_a.end() || b == groups_b.end()) continue;
      auto found = compare_groups(group, a->second, b->second);
      if (found.differing > 0) return found;
    }
  } catch (const std::runtime_error&) {
    // An unreadable tensors.jsonl costs names only.
  }
  return {};
}

}  // namespace twinrun::harness
