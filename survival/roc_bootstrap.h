#pragma once

#include <cstdint>
#include <optional>
#include <vector>

#include "survival/roc.h"

namespace clmnet::survival {

/// What is drawn: subjects within each class, or with `clusters` (patients) whole clusters. Resamples that lack a class are
/// left out. The same result for a seed.
struct ResampleOptions {
  std::optional<Groups> clusters;
  int resamples = 2000;
  std::uint64_t seed = 1;
  double level = 0.95;
};

/// A pointwise percentile band (numpy's linear quantile) at 101 values from 0 to 1.
struct CurveBand {
  std::vector<double> x, lower, upper;
};

/// Sensitivity by false positive rate; between points of a curve by the straight line, on a vertical its upper end.
/// Throws std::invalid_argument as require_valid, when clusters and scores differ in size, or resamples < 1.
CurveBand roc_band(const Scored& data, const ResampleOptions& options);
/// Precision by recall: that of the highest threshold which reaches the recall.
CurveBand precision_recall_band(const Scored& data, const ResampleOptions& options);

/// AUC of `a` less that of `b` over common resamples. p is twice the smaller share of differences on one side of 0, those
/// at 0 and the estimate itself counted on both sides (Davison and Hinkley 1997, 4.2).
struct ResampledDifference {
  Interval interval{0, 0};
  double p = 0;
};
/// Throws as roc_band, and when the labels of the two differ.
ResampledDifference resampled_auc_difference(const Scored& a, const Scored& b, const ResampleOptions& options);

}  // namespace clmnet::survival
