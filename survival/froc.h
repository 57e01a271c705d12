#pragma once

#include <string>
#include <vector>

#include <Eigen/Core>

namespace clmnet::survival {

/// One case of a free-response study: its lesions with their weights, which sum to 1; none for a case without lesions.
struct FrocCase {
  std::string id;
  std::vector<double> lesion_weights;

  bool diseased() const { return !lesion_weights.empty(); }
};

/// A mark that a reader set. Marks that hit no lesion have lesion 0; lesions count from 1 within a case.
struct FrocMark {
  std::string treatment, reader, case_id;
  int lesion = 0;
  double rating = 0;
};

/// What one reader marked under one treatment. Unmarked is -infinity.
struct FrocReading {
  std::vector<std::vector<double>> false_marks;   ///< [cases], ratings of marks that hit nothing
  std::vector<std::vector<double>> lesion_rating; ///< [cases][lesions], the highest mark on it
};

struct FrocStudy {
  std::vector<std::string> treatments, readers;   ///< as make_groups orders them
  std::vector<FrocCase> cases;
  std::vector<FrocReading> readings;              ///< [treatments * readers], t * readers + r

  std::size_t lesions() const;
  std::size_t diseased_cases() const;
};

/// Readings of all treatments x readers that occur among the marks; those without a mark are readings without marks.
/// Throws std::invalid_argument naming a mark whose case or lesion is unknown or whose rating is not finite, a case that
/// stands twice, weights that are not positive or do not sum to 1 (within 1e-6), or when there is no case.
FrocStudy make_froc_study(std::vector<FrocCase> cases, const std::vector<FrocMark>& marks);

/// Equal weights for `lesions` lesions.
std::vector<double> equal_lesion_weights(int lesions);

/// Operating points from the strictest threshold to the laxest: false marks per case (NLF) and the share of lesions marked
/// (LLF) with ratings >= threshold. Denominators: all cases, all lesions.
struct FrocCurve {
  std::vector<double> threshold, nlf, llf;
};
FrocCurve froc_curve(const FrocStudy& study, std::size_t reading);

/// Share of lesions found at `false_per_case` false marks per case. step: the largest LLF whose NLF does not exceed it (0
/// before the first point); linear: between neighbouring points, from (0, 0), flat beyond the last one.
enum class FrocInterpolation { step, linear };
double sensitivity_at(const FrocCurve& curve, double false_per_case, FrocInterpolation kind);

/// Figures of merit (Chakraborty 2013, Acad Radiol 20:915; Zhao & Chakraborty for weights). In all, ties count half, also
/// between an unmarked lesion and a case without false marks.
///   afroc    P(lesion rated above the highest false mark of a case without lesions); lesions count alike
///   afroc1   as afroc, against the highest false mark of every case
///   wafroc, wafroc1   lesions by their weights, so that cases count alike
///   hr_auc   area under the ROC curve of each case's highest mark
///   max_llf  share of lesions marked; max_nlf, max_nlf_all_cases  false marks per case without lesions / per case
///   hr_se, hr_sp  share of cases with lesions that have a mark / without that have none
enum class FrocMerit { afroc, afroc1, wafroc, wafroc1, hr_auc, max_llf, max_nlf, max_nlf_all_cases, hr_se, hr_sp };

/// [treatments, readers]; NaN where the cases that it needs are missing.
Eigen::MatrixXd froc_merit(const FrocStudy& study, FrocMerit merit);

/// The figure with each case left out [cases, T * R], for jackknife_covariance and dorfman_berbaum_metz.
/// Throws std::invalid_argument for figures that are no comparison of two kinds of marks (max_…, hr_se, hr_sp).
Eigen::MatrixXd leave_one_out_merit(const FrocStudy& study, FrocMerit merit);

}  // namespace clmnet::survival
