#pragma once

#include <Eigen/Core>
#include <vector>

#include "survival/censoring.h"
#include "survival/outcome.h"

namespace clmnet::survival {

struct IpcwOptions {
  IpcwConvention convention = IpcwConvention::r_survival;
  double level = 0.95;  ///< of the intervals, which are cut to [0,1]
};

/// A measure at several times, with its error from the influence function, the estimation of the weights included
/// (Blanche et al. 2015; Gerds and Schumacher 2006). NaN where it is undefined.
struct TimeCurve {
  std::vector<double> time, value, std_err, lower, upper;
};

/// Cumulative cases, dynamic controls: AUC of `risk` (n, larger is worse) for those with the event by t against those who
/// outlive t, cases weighed for censoring (Uno et al. 2007). O(n log n) and O(n) a time.
/// Throws std::invalid_argument as require_valid, when sizes differ, a value is not finite, times are empty or do not ascend.
struct DynamicAuc : TimeCurve {
  double mean = 0;  ///< average over `time`, weighed by the drop of the Kaplan-Meier curve (Lambert and Chevret 2016)
};
DynamicAuc cumulative_dynamic_auc(const Outcome& outcome, const std::vector<double>& risk, const std::vector<double>& times,
                                  const IpcwOptions& options = {});

/// Mean squared difference between surviving t and the predicted probability to do so, weighed for censoring (Graf et al. 1999).
/// survival: n x times. Throws as above, and when a probability is outside [0,1].
struct BrierScore : TimeCurve {
  double integrated = 0;  ///< trapezoid over `time` divided by its range; NaN for one time
};
BrierScore brier_score(const Outcome& outcome, const Eigen::Ref<const Eigen::MatrixXd>& survival,
                       const std::vector<double>& times, const IpcwOptions& options = {});

/// n x times: the Kaplan-Meier estimate for everyone, the score to beat. Times are not merged, as the weights' are not.
/// Throws as cumulative_dynamic_auc; late entry is an error.
Eigen::MatrixXd null_survival(const Outcome& outcome, const std::vector<double>& times);

/// Predicted against observed survival at one time in groups of equal size by prediction.
struct CalibrationGroup {
  double predicted, observed, std_err, lower, upper;  ///< mean prediction; Kaplan-Meier with log-log interval
  std::size_t n;
};
std::vector<CalibrationGroup> survival_calibration(const Outcome& outcome, const std::vector<double>& survival_at_time,
                                                   double time, int groups, double level = 0.95);

/// Net benefit of treating who has at least the threshold risk of an event by `time` (Vickers et al. 2008); the event rate among
/// the treated is from Kaplan-Meier.
struct DecisionPoint {
  double threshold, net_benefit, net_benefit_all;
};
std::vector<DecisionPoint> decision_curve(const Outcome& outcome, const std::vector<double>& event_risk_by_time, double time,
                                          const std::vector<double>& thresholds);

}  // namespace clmnet::survival
