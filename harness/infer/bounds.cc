#include "harness/infer/bounds.h"

#include <array>
#include <cmath>
#include <stdexcept>

namespace twinrun::harness {
namespace {

struct BoundField {
  const char* name;
  double InferenceBounds::*value;
};

constexpr std::array kFields = {
    BoundField{"max_logprob_diff", &InferenceBounds::max_logprob_diff},
    BoundField{"mean_logprob_diff", &InferenceBounds::mean_logprob_diff},
    BoundField{"kl", &InferenceBounds::kl},
    BoundField{"mean_kl", &InferenceBounds::mean_kl},
    BoundField{"top1_agreement", &InferenceBounds::top1_agreement},
    BoundField{"tie_gap", &InferenceBounds::tie_gap}};

}  // namespace

InferenceBounds default_bounds(const std::string& dtype) {
  if (dtype == "float32") {
    return {.max_logprob_diff = 2e-4,
            .mean_logprob_diff = 7e-5,
            .kl = 1e-5,
            .mean_kl = 2e-7,
            .top1_agreement = 0.99,
            .tie_gap = 4e-4};
  }
  return {.max_logprob_diff = 0.9,
          .mean_logprob_diff = 0.06,
          .kl = 0.2,
          .mean_kl = 0.0055,
          .top1_agreement = 0.9,
          .tie_gap = 1.0};
}

nlohmann::json to_json(const InferenceBounds& bounds) {
  nlohmann::json object = nlohmann::json::object();
  for (const BoundField& field : kFields) object[field.name] = bounds.*field.value;
  return object;
}

InferenceBounds bounds_from_json(const nlohmann::json& object) {
  if (!object.is_object() || object.size() != kFields.size()) {
    throw std::runtime_error("bounds of inference: not an object of " +
                             std::to_string(kFields.size()) + " numbers");
  }
  InferenceBounds bounds;
  for (const BoundField& field : kFields) {
    const auto found = object.find(field.name);
    const bool number = found != object.end() && found->is_number();
    const double value = number ? found->get<double>() : -1;
    if (!(std::isfinite(value) && value >= 0)) {
      throw std::runtime_error("bounds of inference: " + std::string(field.name) +
                               " is no number from 0");
    }
    bounds.*field.value = value;
  }
  if (!(bounds.top1_agreement <= 1)) {
    throw std::runtime_error("bounds of inference: top1_agreement is above 1");
  }
  return bounds;
}

}  // namespace twinrun::harness
