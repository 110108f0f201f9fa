#pragma once

#include <nlohmann/json.hpp>
#include <string>

namespace twinrun::harness {

/// How far a run may be from a reference that another implementation made; all but the share in
/// nats. docs/inference.md says where the defaults come from.
struct InferenceBounds {
  double max_logprob_diff = 0;   ///< |difference| of the log-probability of any reference token
  double mean_logprob_diff = 0;  ///< its mean over all of them
  double kl = 0;                 ///< of the reference's distribution to the run's, at any token
  double mean_kl = 0;            ///< its mean over all of them
  double top1_agreement = 1;     ///< least share of positions with the same most probable token
  double tie_gap = 0;  ///< widest gap of two tokens either of which may be the most probable one
};

/// The defaults for a compute dtype: those of float32 for "float32", else those of bfloat16.
InferenceBounds default_bounds(const std::string& dtype);

/// The six fields by name.
nlohmann::json to_json(const InferenceBounds& bounds);
/// The inverse. Throws std::runtime_error unless `object` has exactly these fields, numbers that
/// are finite and not negative, the share not above 1.
InferenceBounds bounds_from_json(const nlohmann::json& object);

}  // namespace twinrun::harness
