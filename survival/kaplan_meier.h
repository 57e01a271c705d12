#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <vector>

#include "survival/groups.h"
#include "survival/outcome.h"

namespace clmnet::survival {

/// The product-limit estimate of one group, one entry per distinct time (events and censorings).
/// Kaplan and Meier 1958; variance of Greenwood 1926; cumulative hazard of Nelson 1969 and Aalen 1978.
struct KaplanMeier {
  std::vector<double> time;                   ///< ascending; times that differ only by rounding are one
  std::vector<std::uint32_t> n_risk;          ///< at risk just before: entry < time <= follow-up
  std::vector<std::uint32_t> n_event;
  std::vector<std::uint32_t> n_censor;
  std::vector<double> survival;               ///< S(t), right-continuous
  std::vector<double> std_err;                ///< Greenwood's, of S(t); NaN once S is 0
  std::vector<double> cumulative_hazard;      ///< Nelson-Aalen
  std::vector<double> cumulative_hazard_variance;  ///< sum of d / n^2 (Aalen)
  std::size_t n = 0;                          ///< subjects
  std::size_t events = 0;
  double tolerance = 0;                       ///< times closer than this are one; also for evaluation times
  std::vector<double> entry;                  ///< sorted, empty without late entry
};

/// Throws std::invalid_argument as require_valid does. Linear in n after sorting.
KaplanMeier kaplan_meier(const Outcome& outcome);
KaplanMeier kaplan_meier(const std::vector<double>& time, const std::vector<std::uint8_t>& event);

/// One curve per group, in the order of the labels; ties are merged over the whole cohort first. A group without subjects
/// gives an empty curve.
std::vector<KaplanMeier> kaplan_meier_by_group(const Outcome& outcome, const Groups& groups);

/// Scale on which the pointwise interval is symmetric. R's default is log.
enum class ConfidenceScale { plain, log, log_log };

struct Interval {
  double lower;
  double upper;
};

/// Pointwise interval for S given its error: [1,1] where S is 1, NaN where S is 0; plain is cut to [0,1], log at 1 above.
Interval survival_interval(double survival, double std_err, ConfidenceScale scale, double level);

/// The curve at one time, carried on beyond the last time.
struct CurvePoint {
  double n_risk, survival, std_err, cumulative_hazard;
};
CurvePoint evaluate(const KaplanMeier& curve, double time);

/// Time by which the fraction p has had the event, with the interval that inverts the pointwise band (Brookmeyer and Crowley
/// 1982). Where S is flat at exactly 1 - p it is the middle of the stretch. NaN: not reached.
struct Quantile {
  double time, lower, upper;
};
Quantile event_time_quantile(const KaplanMeier& curve, double p, ConfidenceScale scale, double level);

/// Area under S up to tau, at most the last time; with Greenwood's error (Klein and Moeschberger 2003, 4.5).
struct RestrictedMean {
  double tau, mean, std_err;
};
RestrictedMean restricted_mean(const KaplanMeier& curve, double tau);

/// Follow-up: the median of the reverse curve, in which censoring is the event (Schemper and Smith 1996). NaN: not reached.
double median_follow_up(const Outcome& outcome);

}  // namespace clmnet::survival
