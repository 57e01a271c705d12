#pragma once

#include <cstdint>
#include <vector>

#include "survival/froc.h"

namespace clmnet::survival {

/// Lesion sensitivity at a rate of false marks per case: the mean over readers, with the percentile interval over resamples
/// of cases (readers fixed). NaN where no resample has a lesion.
struct FrocSensitivity {
  double false_per_case = 0, value = 0, lower = 0, upper = 0;
};

struct FrocResampling {
  int resamples = 2000;
  std::uint64_t seed = 1;
  double level = 0.95;
};

/// One entry per rate for one treatment. The same result for a seed.
/// Throws std::invalid_argument when a rate is negative or not finite, or resamples < 1.
std::vector<FrocSensitivity> mean_sensitivity(const FrocStudy& study, std::size_t treatment, const std::vector<double>& rates,
                                              FrocInterpolation kind, const FrocResampling& options = {});

/// The mean over readers of their step curves: false marks per case ascending from 0, share of lesions found.
struct MeanFrocCurve {
  std::vector<double> nlf, llf;
};
MeanFrocCurve mean_froc_curve(const FrocStudy& study, std::size_t treatment);

}  // namespace clmnet::survival
