#include "harness/cli/baseline_text.h"

#include <cmath>
#include <cstdio>

#include "harness/compare/comparability.h"
#include "harness/report/text.h"

namespace twinrun::harness {
namespace {

namespace fs = std::filesystem;
using nlohmann::json;

constexpr std::size_t kLabelColumns = 13;
constexpr std::size_t kHeadDigits = 16;
constexpr std::size_t kDifferencesMax = 6;

void add(std::string& text, const std::string& label, const std::string& value) {
  const std::size_t pad = kLabelColumns - std::min(columns(label), kLabelColumns - 1);
  text += "  " + label + std::string(pad, ' ') + one_line(value) + "\n";
}

std::string plain(const json& value) {
  return value.is_string() ? value.get<std::string>() : value.dump();
}

std::string head_of(const Curve& curve) {
  return curve.summary.head ? protocol::to_hex(*curve.summary.head) : std::string();
}

std::string machine_of(const json& key) {
  std::string text =
      plain(key.value("arithmetic", json("?"))) + ", " + plain(key.value("numerics", json("?")));
  for (const char* pointer :
       {"/device/name", "/versions/torch", "/versions/cuda", "/cpu/isa", "/cpu/threads"}) {
    const json::json_pointer place(pointer);
    if (!key.contains(place) || key.at(place).is_null()) continue;
    const std::string name = std::string(pointer).substr(std::string(pointer).rfind('/') + 1);
    text += ", " + (name == "name" ? "" : name + " ") + plain(key.at(place));
  }
  return text;
}

std::string size_of(const Curve& curve) {
  const std::int64_t steps = curve.summary.end ? curve.summary.end->steps : 0;
  return count_of(steps, "step") + ", head " + head_of(curve).substr(0, kHeadDigits);
}

std::string made_of(const json& description) {
  const json& made = description.at("made_by");
  const json device = made.value("device_name", json());
  return plain(made.value("date", json("?"))) + ", twinrun " +
         plain(made.value("twinrun_version", json("?"))) +
         (device.is_null() ? "" : ", on " + plain(device));
}

std::string accepted_of(const json& description) {
  const json& accepted = description.at("accepted");
  if (accepted.is_null()) return "by nobody: written by --write-curve";
  return "by " + plain(accepted.at("who")) + ", " + plain(accepted.at("when")) + ": " +
         plain(accepted.at("why"));
}

std::string loss_text(const LossCurve& curve) {
  if (curve.losses.empty()) return "none";
  char text[80];
  std::snprintf(
      text, sizeof text, "%.9g at step %lld, %.9g at step %lld",
      static_cast<double>(curve.losses.front()), static_cast<long long>(curve.steps.front()),
      static_cast<double>(curve.losses.back()), static_cast<long long>(curve.steps.back()));
  return text;
}

std::string tokens_text(const LossCurve& curve) {
  return std::to_string(curve.tokens) + " tokens, " + std::to_string(curve.loss_tokens) +
         " of them labelled";
}

std::string bits_text(const std::string& bits, const std::optional<double>& value) {
  if (!value) return bits;
  char text[40];
  std::snprintf(text, sizeof text, "  %.17g", *value);
  return bits + text;
}

void add_parting(std::string& text, const Review& review) {
  const LineComparison& lines = review.lines;
  if (!lines.first) {
    add(text, "part",
        lines.structure_problem.empty() ? "nowhere: every line is the same"
                                        : "in their length: " + lines.structure_problem);
    return;
  }
  const Divergence& first = *lines.first;
  std::string where = "step " + std::to_string(first.step) + ", in " + first.field;
  if (first.ulps) where += " by " + count_of(static_cast<long long>(*first.ulps), "ULP");
  if (!first.other_fields.empty()) where += "; there also " + list_words(first.other_fields);
  add(text, "part", where);
  add(text, "  baseline", bits_text(first.bits_a, first.value_a));
  add(text, "  pending", bits_text(first.bits_b, first.value_b));
}

json made_without_date(const Curve& curve) {
  json made = curve.description.at("made_by");
  for (const char* field : {"date", "verdict_sha256"}) made.erase(field);
  return made;
}

void add_differences(std::string& text, const Review& review) {
  const auto list =
      json_differences(made_without_date(*review.baseline), made_without_date(review.pending));
  for (std::size_t i = 0; i < std::min(list.size(), kDifferencesMax); ++i) {
    add(text, i == 0 ? "made by" : "",
        list[i].field.substr(1) + ": " + plain(list[i].a) + ", now " + plain(list[i].b));
  }
}

json curve_json(const Curve& curve) {
  json value = {{"file", curve.file.string()},
                {"sha256", curve.sha256},
                {"head", head_of(curve)},
                {"steps", curve.summary.end ? json(curve.summary.end->steps) : json()}};
  const bool described = curve.description.is_object();
  for (const char* field : {"key", "made_by", "accepted"}) {
    value[field] = described ? curve.description.at(field) : json();
  }
  return value;
}

}  // namespace

std::string curves_text(const fs::path& folder, const std::vector<Listed>& list) {
  if (list.empty()) return "no curve in " + one_line(folder.string()) + "\n";
  std::string text;
  for (const Listed& entry : list) {
    const Curve& curve = entry.curve;
    text += to_string(entry.state) + "  " + one_line(curve.file.string()) + "\n";
    if (!entry.why.empty()) add(text, "why", entry.why);
    if (!curve.intact()) continue;
    add(text, "curve", size_of(curve));
    add(text, "key", machine_of(curve.description.at("key")));
    add(text, "made", made_of(curve.description));
    if (!entry.pending) add(text, "accepted", accepted_of(curve.description));
  }
  return text;
}

json curves_json(const fs::path& folder, const std::vector<Listed>& list) {
  json curves = json::array();
  for (const Listed& entry : list) {
    json value = curve_json(entry.curve);
    value["state"] = to_string(entry.state);
    value["pending"] = entry.pending;
    value["why"] = entry.why;
    curves.push_back(std::move(value));
  }
  return {{"schema", 1}, {"folder", folder.string()}, {"curves", std::move(curves)}};
}

std::string review_text(const Review& review, const PlotOptions& plot) {
  const Curve& pending = review.pending;
  std::string text = "pending  " + one_line(pending.file.string()) + "\n";
  add(text, "curve", size_of(pending));
  add(text, "key", machine_of(pending.description.at("key")));
  add(text, "made", made_of(pending.description));
  add(text, "loss", loss_text(review.losses));
  add(text, "tokens", tokens_text(review.losses));
  if (review.baseline) {
    text += "baseline  " + one_line(review.baseline->file.string()) + "\n";
    add(text, "curve", size_of(*review.baseline));
    add(text, "made", made_of(review.baseline->description));
    add(text, "accepted", accepted_of(review.baseline->description));
    add(text, "loss", loss_text(review.losses_before));
    add(text, "tokens", tokens_text(review.losses_before));
    text += "between them\n";
    add_parting(text, review);
    add_differences(text, review);
  } else {
    text += "baseline  none of this key yet\n";
  }
  text += "\n" + plot_curves({review.losses_before.steps, review.losses_before.losses, 'b'},
                             {review.losses.steps, review.losses.losses, 'p'}, plot);
  text += review.baseline ? "    b baseline, p pending, = both\n\n" : "    p pending\n\n";
  const std::string file = shell_quote(pending.file.string());
  return text + "to take it    twinrun baseline accept " + file + " --head " +
         head_of(pending).substr(0, kHeadDigits) + " --why '...'\n" +
         "to drop it    twinrun baseline reject " + file + "\n";
}

json review_json(const Review& review) {
  json value = {{"schema", 1},
                {"pending", curve_json(review.pending)},
                {"baseline", review.baseline ? curve_json(*review.baseline) : json()},
                {"first", nullptr},
                {"structure_problem", review.lines.structure_problem}};
  if (!review.lines.first) return value;
  const Divergence& first = *review.lines.first;
  value["first"] = {{"step", first.step},
                    {"field", first.field},
                    {"bits_baseline", first.bits_a},
                    {"bits_pending", first.bits_b},
                    {"ulps", first.ulps ? json(*first.ulps) : json()},
                    {"other_fields", first.other_fields}};
  return value;
}

}  // namespace twinrun::harness
