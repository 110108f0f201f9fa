#include "harness/report/statistics_words.h"

#include <algorithm>
#include <map>
#include <set>

#include "harness/report/describe_parts.h"
#include "harness/report/json_fields.h"
#include "harness/report/text.h"

namespace twinrun::harness {
namespace {

using nlohmann::json;

/// `value` by `format`; "not finite" for what is no number.
std::string words(const char* format, const json& value) {
  return value.is_number() ? number_text(format, value.get<double>()) : "not finite";
}

/// `a b` of `a_b`.
std::string spaced(std::string name) {
  std::replace(name.begin(), name.end(), '_', ' ');
  return name;
}

std::string alpha_words(const VerdictFile& verdict) {
  return words("%g", at(verdict.value, "/statistics/settings/alpha"));
}

std::string with_unit(const std::string& number, const std::string& metric) {
  const std::string unit = metric_unit(metric);
  return number + (unit.empty() ? "" : " " + unit);
}

std::string reason_of(const VerdictFile& verdict, const std::string& check) {
  return text_at(check_named(verdict, check), "/reason");
}

std::string message_of(const VerdictFile& verdict, const std::string& check) {
  return text_at(check_named(verdict, check), "/message");
}

/// Whether its p-value is one of a run within; one that is no number is not.
bool within(const json& candidate, const json& alpha) {
  const json p = at(candidate, "/p");
  return p.is_number() && alpha.is_number() && p.get<double>() > alpha.get<double>();
}

std::string outside_sentence(const VerdictFile& verdict) {
  const json alpha = at(verdict.value, "/statistics/settings/alpha");
  std::string text;
  for (const json& candidate : list_at(verdict.value, "/statistics/candidates")) {
    if (within(candidate, alpha)) continue;
    text += (text.empty() ? "" : " ") + ("Run " + text_at(candidate, "/name")) +
            " lies outside the envelope: farthest in the " +
            channel_words(text_at(candidate, "/channel")) + " of step " +
            grouped(integer_at(candidate, "/step").value_or(0)) + " (window " +
            window_words(text_at(candidate, "/window")) + "), " +
            part_words(text_at(candidate, "/part")) + ", with score " +
            words("%.3g", at(candidate, "/score")) +
            " and p = " + words("%.3g", at(candidate, "/p")) +
            ", at alpha = " + words("%g", alpha) + ".";
  }
  return text;
}

/// `final loss, runs a and b: -1e-07 to 2.5e-08 nats a token, margin 0.001`.
std::string with_interval(const json& found) {
  const std::string interval =
      words("%.3g", at(found, "/low")) + " to " + words("%.3g", at(found, "/high"));
  return equivalence_name(found) + ": " + with_unit(interval, text_at(found, "/metric")) +
         ", margin " + words("%g", at(found, "/margin"));
}

/// Of one that is not equivalent.
std::string equivalence_sentence(const json& found) {
  const std::string outcome = text_at(found, "/outcome"), note = text_at(found, "/note");
  const std::string end = note.empty() ? "." : "; " + note + ".";
  if (outcome == "different") return "Not equivalent, " + with_interval(found) + end;
  if (outcome == "not_finite" || outcome == "missing")
    return "Not tested, " + equivalence_name(found) + end;
  if (!at(found, "/low").is_number()) {
    return "Undecided, " + equivalence_name(found) + ": there is no interval" + end;
  }
  return "Undecided, since the interval reaches across the margin, " + with_interval(found) + end;
}

/// Parts of the held-out rows in which more differs than chance explains, a sentence; or empty.
std::string slices_sentence(const VerdictFile& verdict) {
  constexpr std::size_t kNamed = 5;
  const json alpha = at(verdict.value, "/statistics/settings/equivalence/alpha");
  std::map<std::string, std::set<std::string>> parts;
  for (const json& found : list_at(verdict.value, "/statistics/equivalences")) {
    const json p = at(found, "/p_holm");
    if (!is_slice(found) || !p.is_number() || !alpha.is_number() || !(p <= alpha)) continue;
    parts[metric_words(text_at(found, "/metric"))].insert(text_at(found, "/slice"));
  }
  std::string text;
  for (const auto& [metric, slices] : parts) {
    std::vector<std::string> names(slices.begin(), slices.end());
    if (names.size() > kNamed) {
      names.resize(kNamed);
      names.push_back(std::to_string(slices.size() - kNamed) + " more");
    }
    text += (text.empty() ? "" : "; ") + metric + " of " + list_words(names);
  }
  return text.empty() ? ""
                      : "Of parts of the held-out rows, which decide nothing, more differs than "
                        "chance explains (Holm): " +
                            text + ".";
}

}  // namespace

bool without_bits(const VerdictFile& verdict) {
  return at(verdict.value, "/statistics").is_object();
}

bool across_machines(const VerdictFile& verdict) {
  return at(verdict.value, "/statistics/across").is_object();
}

std::string kinds_words(const VerdictFile& verdict) {
  const auto kinds = integer_at(verdict.value, "/statistics/across/kinds").value_or(0);
  return (kinds == 2   ? "two"
          : kinds == 3 ? "three"
                       : std::to_string(kinds)) +
         std::string(" kinds of machine");
}

bool is_slice(const json& found) { return !text_at(found, "/slice").empty(); }

std::string closeness_sentence(const VerdictFile& verdict) {
  if (!without_bits(verdict) || verdict.verdict != Verdict::kReproduced) return {};
  const json margins = list_at(verdict.value, "/statistics/settings/equivalence/margins");
  std::vector<std::string> parts;
  for (const auto& item : margins.items()) {
    parts.push_back(with_unit(words("%g", item.value()), item.key()) +
                    (margins.size() > 1 ? " in " + metric_words(item.key()) : ""));
  }
  if (across_machines(verdict)) {
    return "equivalent within " + list_words(parts) + " on " + kinds_words(verdict);
  }
  return "no detectable difference at alpha = " + alpha_words(verdict) +
         (parts.empty() ? "" : ", equivalent within " + list_words(parts));
}

std::string envelope_sentence(const VerdictFile& verdict) {
  const std::string reason = reason_of(verdict, "calibration");
  const auto scores = static_cast<long long>(list_at(verdict.value, "/statistics/scores").size());
  if (reason == "within_envelope") {
    return "No detectable difference at alpha = " + alpha_words(verdict) +
           ": each run scatters as " + count_of(scores, "calibrated run") + " did.";
  }
  if (reason == "across") {
    return "No envelope was asked for: a calibration is of one kind of machine and does not say "
           "how "
           "far two of them are apart. Results are compared, not single steps.";
  }
  if (reason == "outside_envelope") return outside_sentence(verdict);
  const std::string message = message_of(verdict, "calibration");
  if (reason == "uncalibrated") {
    return "Not judged: there is no accepted calibration of this machine, library and case, so "
           "that nothing says how far apart runs of this kind lie when nothing is wrong.";
  }
  if (reason == "discrete_differs") {
    return "Another training than the calibrated one: " + message + ".";
  }
  return message.empty() ? "Not judged." : "Not judged: " + message + ".";
}

std::vector<std::string> equivalence_sentences(const VerdictFile& verdict) {
  const std::string reason = reason_of(verdict, "equivalence");
  std::vector<json> list;
  for (const json& found : list_at(verdict.value, "/statistics/equivalences")) {
    if (!is_slice(found)) list.push_back(found);
  }
  std::vector<std::string> sentences;
  const std::string slices = slices_sentence(verdict);
  if (reason == "equivalent") {
    sentences = {list.size() == 1 ? "Equivalent: " + with_interval(list.front()) + "."
                                  : "Equivalent: each of " + std::to_string(list.size()) +
                                        " intervals of a difference lies within its margin."};
    if (!slices.empty()) sentences.push_back(slices);
    return sentences;
  }
  if (reason == "metric_missing" || list.empty()) {
    const std::string message = message_of(verdict, "equivalence");
    sentences.push_back("Equivalence was not tested" + (message.empty() ? "" : ": " + message) +
                        ".");
  }
  for (const json& found : list) {
    if (text_at(found, "/outcome") == "equivalent") continue;
    sentences.push_back(equivalence_sentence(found));
  }
  if (!slices.empty()) sentences.push_back(slices);
  return sentences;
}

std::string missing_commands(const VerdictFile& verdict) {
  const std::string reason = reason_of(verdict, "calibration");
  if (reason != "uncalibrated" && reason != "other_settings") return {};
  return "twinrun calibrate CASE.yaml\n"
         "twinrun calibrate CASE.yaml --accept --why 'what was looked at'\n"
         "twinrun verify CASE.yaml";
}

std::string channel_words(const std::string& channel) {
  return channel == "grad_norm" ? "gradient norm" : channel;
}

std::string part_words(const std::string& part) {
  if (part == "peak") return "by a jump of that step";
  if (part == "spread") return "by the spread of all steps of the window";
  if (part == "drift") return "by a drift to one side over the window";
  return part == "non-finite" ? "by a value that is not finite" : part;
}

std::string window_words(const std::string& window) {
  const std::string restored = "restored-";
  if (window == "start") return "from the start";
  if (!window.starts_with(restored)) return window;
  return "from the checkpoint of step " + window.substr(restored.size());
}

std::string metric_words(const std::string& metric) {
  static const std::map<std::string, std::string> names = {{"heldout_loss_nats", "held-out loss"},
                                                           {"token_f1_points", "token F1"},
                                                           {"macro_f1_points", "macro F1"}};
  if (const auto found = names.find(metric); found != names.end()) return found->second;
  const std::string unit = metric_unit(metric).empty() ? "" : metric.substr(metric.rfind('_'));
  return spaced(metric.substr(0, metric.size() - unit.size()));
}

std::string outcome_words(const std::string& outcome) { return spaced(outcome); }

std::string metric_unit(const std::string& metric) {
  return metric.ends_with("_nats") ? "nats a token" : metric.ends_with("_points") ? "points" : "";
}

std::string equivalence_name(const json& found) {
  const std::string slice = text_at(found, "/slice");
  return metric_words(text_at(found, "/metric")) + (slice.empty() ? "" : ", " + slice) + ", runs " +
         text_at(found, "/a") + " and " + text_at(found, "/b");
}

}  // namespace twinrun::harness
