#include "bench/power_table.h"

#include <algorithm>
#include <map>

#include "bench/power_trials.h"
#include "harness/report/text.h"
#include "harness/stats/binomial.h"

namespace twinrun::bench {
namespace {

using harness::number_text;
using nlohmann::json;

struct Counts {
  std::int64_t trials = 0, neutral = 0, found = 0, named = 0;
};

std::string share(std::int64_t count, std::int64_t of) {
  if (of == 0) return "-";
  const harness::Interval interval = harness::binomial_interval(count, of, 0.95);
  return std::to_string(count) + " of " + std::to_string(of) + " (" +
         number_text("%.1f", 100 * interval.low) + " to " +
         number_text("%.1f", 100 * interval.high) + " %)";
}

bool found(const json& line) { return line.at("verdict") != "REPRODUCED"; }

/// Of runs that promise no bits INCONCLUSIVE names nothing, and is no alarm.
bool alarmed(const json& line) { return found(line) && line.at("verdict") != "INCONCLUSIVE"; }

std::string bound(std::int64_t count, std::int64_t of) {
  if (of == 0) return "-";
  return std::to_string(count) + " of " + std::to_string(of) + ", below " +
         number_text("%.2g", 100 * harness::binomial_upper(count, of, 0.95)) + " %";
}

std::string clean_rows(const std::vector<json>& lines, bool noisy) {
  std::int64_t clean = 0, alarms = 0, runs = 0, outside = 0, not_equivalent = 0, green = 0;
  for (std::size_t i = 0; i < lines.size(); ++i) {
    if (!lines[i].contains("trial")) continue;
    const bool faulty = lines[i].at("fault") != "";
    // The first run of a faulty pair is a clean one, too.
    const json found = lines[i].value("outside", json::array());
    for (std::size_t run = 0;
         run < (faulty ? std::min<std::size_t>(1, found.size()) : found.size()); ++run) {
      ++runs;
      outside += found[run].get<bool>() ? 1 : 0;
    }
    if (faulty) continue;
    ++clean;
    alarms += alarmed(lines[i]) ? 1 : 0;
    green += lines[i].at("verdict") == "REPRODUCED" ? 1 : 0;
    not_equivalent += lines[i].value("equivalence", "") == "not_equivalent" ? 1 : 0;
  }
  std::string text = "| clean | false alarms, upper bound at 95 % |\n|---|---|\n";
  if (!noisy) return text + "| pairs in which a bit differs | " + bound(alarms, clean) + " |\n";
  return text + "| runs outside the envelope (nominal 1 %) | " + bound(outside, runs) +
         " |\n| pairs whose final loss is not equivalent | " + bound(not_equivalent, clean) +
         " |\n| pairs NOT_REPRODUCED for any reason, either run | " + bound(alarms, clean) +
         " |\n\nClean pairs REPRODUCED: " + share(green, clean) +
         "; what is neither is INCONCLUSIVE.\n";
}

std::string fault_rows(const std::vector<json>& lines) {
  std::map<std::string, Counts> counts;
  for (std::size_t i = 0; i < lines.size(); ++i) {
    if (!lines[i].contains("trial")) continue;
    const auto fault = lines[i].at("fault").get<std::string>();
    if (fault.empty()) continue;
    Counts& count = counts[fault.substr(0, fault.find('@'))];
    ++count.trials;
    const bool neutral = lines[i].at("bit_neutral").get<bool>();
    count.neutral += neutral ? 1 : 0;
    const bool seen = alarmed(lines[i]);
    count.found += !neutral && seen ? 1 : 0;
    count.named += !neutral && seen && lines[i].at("named").get<bool>() ? 1 : 0;
  }
  std::string text =
      "| fault | trials | changed no bit | found | found, and cause and step named |\n"
      "|---|---|---|---|---|\n";
  for (const CataloguedFault& fault : fault_catalogue()) {
    const auto entry = counts.find(fault.kind);
    if (entry == counts.end()) continue;
    const Counts& count = entry->second;
    const std::int64_t changed = count.trials - count.neutral;
    text += "| `" + fault.kind + "` | " + std::to_string(count.trials) + " | " +
            std::to_string(count.neutral) + " | " + share(count.found, changed) + " | " +
            share(count.named, changed) + " |\n";
  }
  return text;
}

}  // namespace

std::string power_table(const std::vector<json>& lines) {
  const bool noisy = lines.at(0).at("study") != "bitwise";
  return clean_rows(lines, noisy) + "\n" + fault_rows(lines);
}

}  // namespace twinrun::bench
