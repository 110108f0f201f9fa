#include "harness/baseline/review.h"

#include <stdexcept>
#include <variant>

#include "harness/baseline/curve_store.h"
#include "harness/exit_code.h"
#include "harness/launch/folder_lock.h"
#include "harness/protocol/append_file.h"
#include "harness/protocol/record_reader.h"

namespace twinrun::harness {
namespace {

namespace fs = std::filesystem;
using nlohmann::json;

Curve read_pending(const fs::path& file) {
  if (!curve_exists(file)) {
    throw UsageError("there is no pending curve '" + file.string() +
                     "'; `twinrun baseline show` lists them");
  }
  Curve curve = read_curve(file);
  if (curve.intact()) return curve;
  throw EvidenceError("the pending curve " + file.string() + " is not what verify wrote (" +
                      curve.reason + "): " + curve.problem + "; reject it and run verify again");
}

std::optional<Curve> read_baseline(const fs::path& file) {
  if (!curve_exists(file)) return std::nullopt;
  Curve curve = read_curve(file);
  if (curve.intact()) return curve;
  throw EvidenceError("the baseline " + file.string() + " is not what was accepted (" +
                      curve.reason + "): " + curve.problem +
                      "; bring back what was there, or remove both of its files by hand");
}

void require_head(const Curve& pending, const std::string& head) {
  const std::string whole = protocol::to_hex(*pending.summary.head);
  if (whole.starts_with(head)) return;
  throw UsageError("the pending curve " + pending.file.string() + " has the head " + whole +
                   " by now, which does not begin with '" + head + "'; review it again");
}

std::string experiment_of(const Curve& curve) {
  const json& key = curve.description.at("key");
  return key.contains("identity") && key.at("identity").is_string()
             ? key.at("identity").get<std::string>()
             : std::string();
}

void judge_pending(Listed& listed) {
  listed.state = CurveState::kPending;
  const Curve& curve = listed.curve;
  if (!curve.intact()) {
    // Of a pair that was being removed or never finished; what is whole but altered is broken.
    const bool half =
        curve.reason == "curve_missing" || curve.reason == "curve_description_missing";
    listed.state = half ? CurveState::kObsolete : CurveState::kBroken;
    listed.why = half ? "half of a pending curve: " + curve.problem : curve.problem;
    return;
  }
  const fs::path place = accepted_of(curve.file);
  if (!curve_exists(place)) return;
  const Curve baseline = read_curve(place);
  if (!baseline.intact() || baseline.sha256 != curve.sha256) return;
  listed.state = CurveState::kObsolete;
  listed.why = "the baseline holds the same record";
}

/// The losses of an intact record.
LossCurve read_losses(const fs::path& record) {
  LossCurve curve;
  protocol::LineReader reader(record);
  while (const auto line = reader.next()) {
    const auto parsed = protocol::parse_step(*line);
    const auto* step = std::get_if<protocol::StepRecord>(&parsed);
    if (step == nullptr) continue;
    curve.steps.push_back(step->step);
    curve.losses.push_back(step->loss);
    curve.tokens += step->tokens;
    curve.loss_tokens += step->loss_tokens;
  }
  return curve;
}

}  // namespace

fs::path accept_curve(const fs::path& pending, const Acceptance& acceptance,
                      const std::string& head) {
  if (!curve_exists(pending)) read_pending(pending);
  const FolderLock lock(protocol::folder_of(pending));
  const Curve curve = read_pending(pending);
  require_head(curve, head);
  const fs::path file = accepted_of(pending);
  read_baseline(file);
  json description = curve.description;
  description["accepted"] = {
      {"who", acceptance.who},
      {"when", acceptance.when},
      {"why", acceptance.why},
      {"verdict_sha256", curve.description.at("made_by").at("verdict_sha256")}};
  const std::string record = protocol::read_file(curve.record);
  // Read twice, so checked twice.
  if (protocol::to_hex(protocol::sha256(record)) != description.at("sha256")) {
    throw EvidenceError("the pending curve " + pending.string() + " changed while it was read");
  }
  install_curve(file, record, description);
  remove_curve(pending);
  return file;
}

void reject_curve(const fs::path& pending) {
  if (!curve_exists(pending)) read_pending(pending);
  const FolderLock lock(protocol::folder_of(pending));
  if (!curve_exists(pending)) read_pending(pending);
  remove_curve(pending);
}

std::string to_string(CurveState state) {
  switch (state) {
    case CurveState::kBaseline:
      return "baseline";
    case CurveState::kPending:
      return "pending";
    case CurveState::kObsolete:
      return "obsolete";
    case CurveState::kBroken:
      return "broken";
  }
  throw std::logic_error("no such state of a curve");
}

std::vector<Listed> list_curves(const fs::path& folder,
                                const std::optional<std::string>& identity) {
  std::vector<Listed> list;
  for (const fs::path& file : curves_in(folder)) {
    Listed listed;
    listed.curve = read_curve(file);
    listed.pending = is_pending(file);
    if (listed.pending) {
      judge_pending(listed);
    } else if (!listed.curve.intact()) {
      listed.state = CurveState::kBroken;
      listed.why = listed.curve.problem;
    }
    const bool whole = listed.curve.intact() && listed.state != CurveState::kObsolete;
    if (whole && identity && experiment_of(listed.curve) != *identity) {
      listed.state = CurveState::kObsolete;
      listed.why = "of another experiment than the case is now";
    }
    list.push_back(std::move(listed));
  }
  return list;
}

Review review_curve(const fs::path& pending) {
  Review review;
  review.pending = read_pending(pending);
  review.losses = read_losses(review.pending.record);
  review.baseline = read_baseline(accepted_of(pending));
  if (!review.baseline) return review;
  review.losses_before = read_losses(review.baseline->record);
  review.lines = compare_lines(review.baseline->record, review.pending.record);
  return review;
}

}  // namespace twinrun::harness
