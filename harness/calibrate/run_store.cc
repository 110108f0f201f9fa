#include "harness/calibrate/run_store.h"

#include <bit>
#include <cstdio>
#include <fstream>

#include "harness/compare/comparability.h"
#include "harness/exit_code.h"
#include "harness/protocol/record_reader.h"

namespace twinrun::harness {
namespace {

namespace fs = std::filesystem;
using nlohmann::json;

fs::path file_of(const fs::path& folder) { return folder / "runs.jsonl"; }

json bits_of(const std::vector<float>& values) {
  json list = json::array();
  for (const float value : values) {
    char text[9];
    std::snprintf(text, sizeof text, "%08x", std::bit_cast<std::uint32_t>(value));
    list.push_back(text);
  }
  return list;
}

std::vector<float> floats_of(const json& list) {
  std::vector<float> values;
  for (const json& bits : list) {
    const auto text = bits.get<std::string>();
    std::size_t read = 0;
    const unsigned long value = std::stoul(text, &read, 16);
    if (text.size() != 8 || read != 8) throw std::invalid_argument("bits of a float32");
    values.push_back(std::bit_cast<float>(static_cast<std::uint32_t>(value)));
  }
  return values;
}

std::string line_of(const CalibrationRun& run) {
  const json line = {{"run", run.run},
                     {"window", run.window},
                     {"chain", run.curves.chain},
                     {"loss", bits_of(run.curves.loss)},
                     {"grad_norm", bits_of(run.curves.grad_norm)},
                     {"discrete", run.curves.discrete}};
  return line.dump() + "\n";
}

CalibrationRun run_of(const json& line) {
  return {
      line.at("run").get<std::int64_t>(),
      line.at("window").get<std::string>(),
      {floats_of(line.at("loss")), floats_of(line.at("grad_norm")),
       line.at("discrete").get<std::vector<std::string>>(), line.at("chain").get<std::string>()}};
}

}  // namespace

json stored_runs_of(const fs::path& folder) {
  const fs::path path = file_of(folder);
  if (!fs::exists(path)) return nullptr;
  protocol::LineReader reader(path);
  const auto line = reader.next();
  if (!line || reader.torn()) return nullptr;
  const json of = json::parse(*line, nullptr, false);
  return of.is_object() ? of : json(nullptr);
}

RunStore::RunStore(const fs::path& folder, const json& of) {
  const fs::path path = file_of(folder);
  const bool known = fs::exists(path);
  file_.emplace(path,
                known ? protocol::AppendFile::Open::kContinue : protocol::AppendFile::Open::kNew);
  if (!file_->append(of.dump() + "\n")) {
    const auto differences = json_differences(stored_runs_of(folder), of);
    throw UsageError(path.string() + ": holds the runs of another calibration" +
                     (differences.empty() ? "" : ", which differs in " + differences[0].field) +
                     "; give another folder with --work, or remove this one");
  }
  if (!known) return;
  std::ifstream stream(path, std::ios::binary);
  std::string line;
  std::getline(stream, line);
  for (std::int64_t number = 2; std::getline(stream, line); ++number) {
    try {
      runs_.push_back(run_of(json::parse(line)));
      if (!file_->append(line + "\n")) throw std::runtime_error("it changed while it was read");
    } catch (const std::exception& error) {
      throw UsageError(path.string() + ", line " + std::to_string(number) +
                       ": is no run of a calibration (" + error.what() +
                       "); remove the folder to begin anew");
    }
  }
}

const CalibrationRun* RunStore::find(std::int64_t run, const std::string& window) const {
  for (const CalibrationRun& stored : runs_) {
    if (stored.run == run && stored.window == window) return &stored;
  }
  return nullptr;
}

void RunStore::add(CalibrationRun run) {
  if (!file_->append(line_of(run))) {
    throw std::runtime_error(file_->path().string() + ": somebody else writes to it");
  }
  file_->sync();
  runs_.push_back(std::move(run));
}

}  // namespace twinrun::harness
