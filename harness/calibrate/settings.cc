#include "harness/calibrate/settings.h"

#include "harness/protocol/canonical_json.h"

namespace twinrun::harness {

using nlohmann::json;

json to_json(const StatisticsSettings& settings) {
  return {{"alpha", settings.alpha},
          {"envelope_runs", settings.envelope_runs},
          {"calibration_runs", settings.calibration_runs},
          {"window_steps", settings.window_steps},
          {"restore_at", settings.restore_at},
          {"equivalence",
           {{"alpha", settings.equivalence_alpha},
            {"final_window_steps", settings.final_window_steps},
            {"margins", settings.margins}}}};
}

StatisticsSettings statistics_from_json(const json& object) {
  StatisticsSettings settings;
  try {
    settings.alpha = object.at("alpha").get<double>();
    settings.envelope_runs = object.at("envelope_runs").get<std::int64_t>();
    settings.calibration_runs = object.at("calibration_runs").get<std::int64_t>();
    settings.window_steps = object.at("window_steps").get<std::int64_t>();
    settings.restore_at = object.at("restore_at").get<std::vector<double>>();
    const json& equivalence = object.at("equivalence");
    settings.equivalence_alpha = equivalence.at("alpha").get<double>();
    settings.final_window_steps = equivalence.at("final_window_steps").get<std::int64_t>();
    settings.margins = equivalence.at("margins").get<std::map<std::string, double>>();
  } catch (const json::exception& error) {
    throw std::runtime_error(std::string("judgement.statistics: ") + error.what());
  }
  return settings;
}

std::string statistics_digest(const StatisticsSettings& settings) {
  return protocol::to_hex(protocol::canonical_digest(to_json(settings)));
}

}  // namespace twinrun::harness
