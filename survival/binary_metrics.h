#pragma once

#include <cstdint>
#include <vector>

#include "survival/kaplan_meier.h"
#include "survival/roc.h"

namespace clmnet::survival {

/// A proportion with the intervals of Wilson 1927 and Clopper and Pearson 1934 (exact). NaN when nobody counts.
struct Proportion {
  double value = 0;
  Interval wilson{0, 0}, exact{0, 0};
};
Proportion proportion(std::size_t successes, std::size_t n, double level = 0.95);

/// What a threshold makes of scores; a score at or above it is positive.
struct Confusion {
  std::size_t true_positive = 0, false_positive = 0, true_negative = 0, false_negative = 0;
  Proportion sensitivity, specificity, positive_predictive_value, negative_predictive_value, accuracy;
  double f1 = 0, matthews = 0;
  double balanced_accuracy = 0;   ///< mean of sensitivity and specificity; of one of them where the other's class is absent
  double net_benefit = 0;      ///< for a threshold that is a probability (Vickers and Elkin 2006)
  double net_benefit_all = 0;  ///< of calling everyone positive
};
Confusion confusion(const Scored& data, double threshold, double level = 0.95);

/// The threshold with the largest sensitivity + specificity - 1 (Youden 1950); the highest of several.
struct OperatingPoint {
  double threshold = 0, sensitivity = 0, specificity = 0, youden = 0;
};
OperatingPoint youden_point(const Scored& data);
/// The highest threshold with at least this sensitivity.
OperatingPoint point_at_sensitivity(const Scored& data, double sensitivity);
/// The lowest threshold with at least this specificity.
OperatingPoint point_at_specificity(const Scored& data, double specificity);

/// Scores as probabilities of being positive. Throws std::invalid_argument when one is outside [0,1].
struct ProbabilityScores {
  double brier = 0, log_loss = 0;            ///< log loss with probabilities held 2^-52 away from 0 and 1
  double expected_calibration_error = 0;     ///< in `bins` of equal width
};
ProbabilityScores probability_scores(const Scored& data, int bins = 10);

/// Logistic recalibration on logit(p), p held `clip` away from 0 and 1 (Cox 1958; Steyerberg 2019). Iterated and ended as by
/// statsmodels' GLM with tol = 1e-14: reweighted least squares, 100 times at most, until the deviance stands; errors are from
/// the last weights. Of constant predictions the slope is that of least length.
struct Calibration {
  double slope = 0, slope_std_err = 0, intercept_with_slope = 0;
  double in_the_large = 0, in_the_large_std_err = 0;  ///< intercept with the slope held at 1
  double observed_over_expected = 0;
  /// Without a maximum the numbers are where the iterations ended and mean nothing: scores that part the classes have no slope,
  /// one class alone has no intercept either.
  bool has_slope = false, has_intercept = false;
};
Calibration calibration(const Scored& data, double clip = 1e-6);

/// Two classifiers right or wrong on the same subjects (McNemar 1947).
struct McNemar {
  std::size_t both_right = 0, only_first = 0, only_second = 0, neither = 0;
  double exact_p = 0, mid_p = 0;
  double chi_squared = 0, p = 0;                      ///< without correction
  double corrected_chi_squared = 0, corrected_p = 0;  ///< Edwards' continuity correction
};
McNemar mcnemar(const std::vector<std::uint8_t>& first_right, const std::vector<std::uint8_t>& second_right);

}  // namespace clmnet::survival
