#include "harness/calibrate/calibration_file.h"

#include <algorithm>
#include <cmath>
#include <stdexcept>

#include "harness/compare/compare.h"
#include "harness/protocol/append_file.h"
#include "harness/protocol/canonical_json.h"
#include "harness/protocol/strict_json.h"
#include "harness/report/verdict_json.h"

namespace twinrun::harness {
namespace {

namespace fs = std::filesystem;
using nlohmann::json;

constexpr const char* kFormat = "twinrun-calibration";

json to_json(const ChannelEnvelope& envelope) {
  return {{"centre", envelope.centre}, {"width", envelope.width}};
}

json to_json(const CalibratedWindow& calibrated) {
  const StepWindow& window = calibrated.window;
  return {{"name", window.name},
          {"first_step", window.first},
          {"last_step", window.last},
          {"restored_from", window.restored_from},
          {"checkpoint", calibrated.checkpoint.empty() ? json() : json(calibrated.checkpoint)},
          {"discrete", calibrated.discrete},
          {"loss", to_json(calibrated.loss)},
          {"grad_norm", to_json(calibrated.grad_norm)}};
}

json body_of(const Calibration& calibration) {
  json windows = json::array();
  for (const CalibratedWindow& window : calibration.windows) windows.push_back(to_json(window));
  return {{"schema", kCalibrationSchema},
          {"format", kFormat},
          {"key", calibration.key},
          {"fingerprint", fingerprint(calibration.key)},
          {"statistics", to_json(calibration.settings)},
          {"statistics_digest", statistics_digest(calibration.settings)},
          {"windows", windows},
          {"scores", calibration.scores},
          {"chains", calibration.chains},
          {"made_by", calibration.made_by},
          {"ended", calibration.ended},
          {"accepted", calibration.accepted}};
}

void require(bool holds, const std::string& what) {
  if (!holds) throw std::runtime_error(what);
}

std::vector<double> finite_list(const json& list, std::size_t size, const std::string& what) {
  const auto values = list.get<std::vector<double>>();
  require(values.size() == size, what + " has " + std::to_string(values.size()) + " values where " +
                                     std::to_string(size) + " belong");
  require(std::all_of(values.begin(), values.end(), [](double x) { return std::isfinite(x); }),
          what + " is not finite");
  return values;
}

ChannelEnvelope envelope_from(const json& object, std::size_t steps, const std::string& what) {
  ChannelEnvelope envelope{finite_list(object.at("centre"), steps, what + " centre"),
                           finite_list(object.at("width"), steps, what + " width")};
  require(std::all_of(envelope.width.begin(), envelope.width.end(), [](double w) { return w > 0; }),
          what + " width is not above 0");
  return envelope;
}

CalibratedWindow window_from(const json& object) {
  CalibratedWindow result;
  StepWindow& window = result.window;
  window = {object.at("name").get<std::string>(), object.at("restored_from").get<std::int64_t>(),
            object.at("first_step").get<std::int64_t>(),
            object.at("last_step").get<std::int64_t>()};
  require(window.first == window.restored_from + 1 && window.last >= window.first,
          "window " + window.name + " has no such steps");
  const auto steps = static_cast<std::size_t>(window.length());
  if (!object.at("checkpoint").is_null()) {
    result.checkpoint = object.at("checkpoint").get<std::string>();
  }
  require(result.checkpoint.empty() == (window.restored_from == 0),
          "window " + window.name + " and its checkpoint do not go together");
  result.discrete = object.at("discrete").get<std::vector<std::string>>();
  require(result.discrete.size() == steps + 1, "discrete is not of every step of the window");
  result.loss = envelope_from(object.at("loss"), steps, "loss");
  result.grad_norm = envelope_from(object.at("grad_norm"), steps, "grad_norm");
  return result;
}

Calibration from_json(const json& file) {
  Calibration calibration;
  calibration.key = file.at("key");
  require(calibration.key.is_object(), "key is no object");
  calibration.settings = statistics_from_json(file.at("statistics"));
  require(file.at("statistics_digest") == statistics_digest(calibration.settings),
          "statistics_digest is not that of statistics");
  for (const json& window : file.at("windows")) {
    calibration.windows.push_back(window_from(window));
  }
  require(!calibration.windows.empty(), "windows is empty");
  require(calibration.windows.front().window.restored_from == 0,
          "the first window is not that of the start");
  const auto scored = static_cast<std::size_t>(calibration.settings.calibration_runs);
  calibration.scores = finite_list(file.at("scores"), scored, "scores");
  require(std::is_sorted(calibration.scores.begin(), calibration.scores.end()),
          "scores do not ascend");
  calibration.chains = file.at("chains").get<std::vector<std::string>>();
  calibration.made_by = file.at("made_by");
  calibration.ended = file.at("ended").get<std::string>();
  calibration.accepted = file.at("accepted");
  return calibration;
}

}  // namespace

std::string calibration_text(const Calibration& calibration) {
  json file = body_of(calibration);
  file["sha256"] = protocol::to_hex(protocol::canonical_digest(file));
  return json_text(file);
}

std::variant<Calibration, CalibrationProblem> read_calibration(const fs::path& file) {
  const auto problem = [&](const char* reason, const std::string& what) {
    return CalibrationProblem{reason, file.string() + ": " + what};
  };
  std::error_code ignored;
  if (!fs::exists(file, ignored)) return problem("calibration_missing", "no such file");
  try {
    std::string not_json;
    const json object =
        protocol::parse_strict_json(protocol::read_file(file), not_json).value_or(nullptr);
    require(not_json.empty(), not_json);
    require(object.is_object() && object.value("format", json()) == kFormat,
            "is no calibration of twinrun");
    const json schema = object.value("schema", json());
    require(schema.is_number_integer(), "has no schema");
    if (schema.get<std::int64_t>() > kCalibrationSchema) {
      return problem("calibration_newer_schema",
                     "has schema " + schema.dump() + ", and this program knows " +
                         std::to_string(kCalibrationSchema) + ": use a newer twinrun");
    }
    json body = object;
    body.erase("sha256");
    if (object.at("sha256") != protocol::to_hex(protocol::canonical_digest(body))) {
      return problem("calibration_edited",
                     "is not what was written: its SHA-256 is another than it states; take it from "
                     "version control, or calibrate again");
    }
    Calibration calibration = from_json(object);
    const std::string name = file.filename().string();
    if (name.rfind(fingerprint(calibration.key) + ".", 0) != 0) {
      return problem("calibration_key_mismatch",
                     "is the calibration of " + fingerprint(calibration.key));
    }
    return calibration;
  } catch (const std::exception& error) {
    return problem("calibration_malformed", error.what());
  }
}

fs::path calibration_file(const fs::path& folder, const std::string& fingerprint) {
  return folder / (fingerprint + ".json");
}

fs::path pending_calibration_file(const fs::path& folder, const std::string& fingerprint) {
  return folder / (fingerprint + ".pending.json");
}

}  // namespace twinrun::harness
