#include "harness/bench/session_file.h"

#include <algorithm>
#include <fstream>
#include <iterator>
#include <optional>
#include <sstream>

#include "harness/exit_code.h"
#include "harness/protocol/strict_json.h"
#include "harness/report/text.h"

namespace twinrun::harness {
namespace {

namespace fs = std::filesystem;
using nlohmann::json;

constexpr const char* kFileName = "windows.jsonl";

/// The file without its torn last line.
std::string whole_lines(const fs::path& path) {
  std::ifstream stream(path, std::ios::binary);
  std::string text{std::istreambuf_iterator<char>(stream), {}};
  const std::size_t end = text.rfind('\n');
  text.resize(end == std::string::npos ? 0 : end + 1);
  return text;
}

void require_same(const json& found, const json& asked, const fs::path& folder) {
  for (const auto& [key, value] : asked.items()) {
    if (found.value(key, json()) == value) continue;
    throw UsageError("--out: '" + folder.string() + "' holds a session of something else: its '" +
                     key + "' is " + ellipsize(one_line(found.value(key, json()).dump()), 100) +
                     ", this one's is " + ellipsize(one_line(value.dump()), 100) +
                     ". Name a folder that is new");
  }
}

/// Takes the lines after the first into a state.
class Restorer {
 public:
  explicit Restorer(SessionState& state) : state_(state) {}

  void take(const json& fact) {
    const std::string kind = fact.at("kind").get<std::string>();
    if (kind == "process") return take_process(fact);
    ComparisonState& comparison = find(fact.at("comparison").get<std::string>());
    if (kind == "window") return take_window(fact, comparison);
    if (kind != "failed") throw std::runtime_error("unknown kind '" + kind + "'");
    const auto reason = fact.at("reason").get<std::string>();
    const auto message = fact.at("message").get<std::string>();
    // Without a candidate or a control there is no verdict, so who goes on wants it tried again.
    if (!comparison.spec.attribution()) return;
    comparison.failed_reason = reason;
    comparison.failed_message = message;
  }

 private:
  void take_process(const json& fact) {
    state_.processes = std::max(state_.processes, fact.at("process").get<std::int64_t>());
    if (state_.device.is_null()) state_.device = fact.at("ready").at("device");
  }

  void take_window(const json& fact, ComparisonState& comparison) {
    const auto index = static_cast<std::int64_t>(comparison.blocks.size());
    const auto position = fact.at("position").get<std::size_t>();
    // A block that was broken off is begun again, with its first window.
    if (position == 0) windows_ = 0;
    const bool in_turn = fact.at("block") == index && position == windows_ &&
                         (position == 0 || comparison.spec.name == open_);
    if (!in_turn) throw std::runtime_error("a window out of its turn");
    block_.order = fact.at("order").get<std::string>();
    if (block_.order != block_order(state_.seed, comparison.spec.name, index)) {
      throw std::runtime_error("another order of windows than the seed gives");
    }
    open_ = comparison.spec.name;
    block_.windows.at(windows_++) = window_from_json(fact);
    if (windows_ < block_.windows.size()) return;
    comparison.blocks.push_back(block_);
    windows_ = 0;
    open_.clear();
  }

  ComparisonState& find(const std::string& name) {
    for (ComparisonState& comparison : state_.comparisons) {
      if (comparison.spec.name == name) return comparison;
    }
    throw std::runtime_error("no comparison '" + name + "'");
  }

  SessionState& state_;
  Block block_;
  std::size_t windows_ = 0;  // of the block that is not whole yet
  std::string open_;         // and its comparison
};

json parse_line(const std::string& line) {
  std::string problem;
  std::optional<json> parsed = protocol::parse_strict_json(line, problem);
  if (!parsed) throw std::runtime_error(problem);
  return std::move(*parsed);
}

}  // namespace

SessionFile::SessionFile(const fs::path& folder, const json& header, const BenchSettings& settings,
                         std::uint64_t seed)
    : lock_(folder, FolderLock::IfHeld::kGiveUp) {
  if (!lock_.held()) {
    throw UsageError("--out: another twinrun bench is measuring into '" + folder.string() + "'");
  }
  state.seed = seed;
  for (const ComparisonSpec& spec : plan_comparisons(settings)) {
    state.comparisons.emplace_back().spec = spec;
  }
  const fs::path path = folder / kFileName;
  const std::string text = whole_lines(path);
  resumed_ = !text.empty();
  if (resumed_) restore(folder, text, header);
  file_ = std::make_unique<protocol::AppendFile>(path, protocol::AppendFile::Open::kContinue,
                                                 text.size());
  if (resumed_) return;
  json first = header;
  first.update({{"schema", kBenchSchema}, {"kind", "session"}, {"seed", seed}});
  append(first);
}

void SessionFile::restore(const fs::path& folder, const std::string& text, const json& header) {
  std::istringstream lines(text);
  Restorer restorer(state);
  int number = 0;
  for (std::string line; std::getline(lines, line);) {
    ++number;
    try {
      const json fact = parse_line(line);
      if (number > 1) {
        restorer.take(fact);
        continue;
      }
      if (fact.at("kind") != "session") throw std::runtime_error("no session");
      if (const json& schema = fact.at("schema"); schema != kBenchSchema) {
        throw UsageError("--out: '" + folder.string() + "' is of schema " + schema.dump() +
                         ", this twinrun knows " + std::to_string(kBenchSchema));
      }
      require_same(fact, header, folder);
      state.seed = fact.at("seed").get<std::uint64_t>();
    } catch (const UsageError&) {
      throw;
    } catch (const std::exception& error) {
      throw EvidenceError((folder / kFileName).string() + ":" + std::to_string(number) + ": " +
                          one_line(error.what()) +
                          ": not as twinrun bench wrote it; measure into a folder that is new");
    }
  }
}

void SessionFile::append(const json& fact) {
  const std::string line = fact.dump(-1, ' ', false, json::error_handler_t::replace) + "\n";
  if (!file_->append(line)) throw std::runtime_error(file_->path().string() + ": has been changed");
}

}  // namespace twinrun::harness
