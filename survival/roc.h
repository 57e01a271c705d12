#pragma once

#include <cstdint>
#include <optional>
#include <span>
#include <vector>

#include "survival/groups.h"
#include "survival/kaplan_meier.h"

namespace clmnet::survival {

/// Scores of n subjects; positives are expected to score higher.
struct Scored {
  std::vector<std::uint8_t> positive;  ///< n, 1 or 0
  std::vector<double> score;           ///< n, finite
};
/// Throws std::invalid_argument when sizes differ, a score is not finite or a label is not 0 or 1.
void require_valid(const Scored& data);

/// Probability that a positive scores higher than a negative, ties half (Mann and Whitney 1947). NaN with one class only.
double auc(const Scored& data);

/// AUC with the variance of DeLong et al. 1988 from midranks (Sun and Xu 2014), O(n log n).
struct DelongAuc {
  double auc = 0, variance = 0;   ///< AUC 1 or 0 has variance 0; NaN when a class has fewer than two
  std::size_t positives = 0, negatives = 0;
  std::vector<double> positive_part, negative_part;  ///< structural components V10, V01, in the order of the data
  /// Normal on the AUC scale, cut to [0,1].
  Interval interval(double level) const;
};
DelongAuc delong(const Scored& data);

/// Difference of two AUCs.
struct AucComparison {
  double difference = 0, covariance = 0;
  double statistic = 0;  ///< z when paired, t when not
  double df = 0;         ///< infinite when paired; Welch's when not
  double p = 0;
  Interval interval{0, 0};
};
/// Both scores on the same subjects, in the same order. Throws when the labels differ.
AucComparison compare_paired(const Scored& a, const Scored& b, double level = 0.95);
AucComparison compare_unpaired(const Scored& a, const Scored& b, double level = 0.95);

/// Sensitivity against 1 - specificity, from (0,0) at threshold +infinity down; one point per distinct score. A score at or
/// above the threshold is positive.
struct RocCurve {
  std::vector<double> false_positive_rate, true_positive_rate, threshold;
};
RocCurve roc_curve(const Scored& data);

/// Area under the part with a false positive rate of at most `limit`: as it is, and standardised (McClish 1989).
struct PartialAuc {
  double area, standardised;
};
PartialAuc partial_auc(const Scored& data, double limit);

/// Precision and recall by ascending threshold, ending at (1, 0), as scikit-learn; average precision is the step sum.
struct PrecisionRecall {
  std::vector<double> precision, recall, threshold;
  double average_precision = 0;
  double trapezoid = 0;
};
PrecisionRecall precision_recall(const Scored& data);

/// What a bootstrap draws: subjects, subjects within each class (their numbers stay), or whole clusters (patients).
enum class BootstrapUnit { subject, subject_within_class, cluster };

/// Percentile interval of the AUC (numpy's linear quantile); resamples with one class are left out. Same result for a seed.
/// Bands of the curves and differences of AUC are in roc_bootstrap.h.
Interval bootstrap_auc(const Scored& data, BootstrapUnit unit, const std::optional<Groups>& clusters, int resamples,
                       std::uint64_t seed, double level = 0.95);

/// AUC within each group; NaN where a group has one class only.
std::vector<DelongAuc> delong_by_group(const Scored& data, const Groups& groups);

}  // namespace clmnet::survival
