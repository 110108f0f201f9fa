#pragma once

#include <filesystem>
#include <string>
#include <vector>

#include "harness/baseline/review.h"
#include "harness/report/curve_plot.h"

namespace twinrun::harness {

/// The curves of `folder` for people: each with its state, its machine and who accepted it.
std::string curves_text(const std::filesystem::path& folder, const std::vector<Listed>& list);

/// The same for machines: `{"schema":1,"folder":...,"curves":[...]}`.
nlohmann::json curves_json(const std::filesystem::path& folder, const std::vector<Listed>& list);

/// What somebody has to know who accepts or rejects a pending curve: both curves, where they part,
/// what else differs, and the plot. Ends with the commands for either answer.
std::string review_text(const Review& review, const PlotOptions& plot);
nlohmann::json review_json(const Review& review);

}  // namespace twinrun::harness
