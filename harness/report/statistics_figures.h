#pragma once

#include "harness/report/evidence.h"
#include "harness/report/statistics_charts.h"
#include "harness/report/verdict_file.h"

namespace twinrun::harness {

/// A panel a window and value of the records and the calibration beside the verdict; where those
/// could not be read again, of the losses that the verdict itself holds.
EnvelopeChart envelope_chart(const VerdictFile& verdict, const Evidence& evidence);

/// The runs of the verdict and its control among the scores of the calibration.
ScoreChart score_chart(const VerdictFile& verdict);

/// Of the whole metrics, the first kIntervalsMax; `equivalences` of the verdict has them all.
IntervalChart interval_chart(const VerdictFile& verdict);
inline constexpr std::size_t kIntervalsMax = 60;

/// Of categories of held-out rows, which decide nothing; without rows where there are more of them
/// than kSlicesMax.
IntervalChart slice_chart(const VerdictFile& verdict);
inline constexpr std::size_t kSlicesMax = 20;

}  // namespace twinrun::harness
