#pragma once

#include <functional>
#include <string>
#include <vector>

#include "survival/discrimination.h"
#include "survival/kaplan_meier.h"
#include "survival/log_rank.h"
#include "tools/survival/risk_model.h"

namespace clmnet::tools {

/// Columns of the design that a model may use: "clinical", "vgg16", "deeplabv3", "unet", "ensemble", "both".
struct FeatureSet {
  std::string name;
  std::vector<Eigen::Index> columns;
};

/// Out-of-fold results of one method on one set of columns. No number in it was computed from a model that saw the patient.
struct CrossValidation {
  RiskMethod method = RiskMethod::logistic;
  std::string set;
  Eigen::VectorXd risk;                 ///< n, probability of the event by the horizon, mean over repeats
  Eigen::VectorXd score;                ///< n, percentile among the fold's training patients, mean over repeats; ranks patients
  std::vector<std::uint8_t> high;       ///< n, above the training median in most repeats (even: mean percentile over one half)
  std::vector<std::vector<int>> fold;   ///< repeats x n
  struct Fold {
    std::size_t training_patients = 0, labelled = 0, events_by_horizon = 0;
    double cut = 0, strength = 0;
  };
  std::vector<Fold> folds;              ///< repeats * folds
  std::vector<double> auc_of_repeat;    ///< AUC at the horizon by each repeat's own percentiles
  survival::DynamicAuc auc;             ///< at the horizon, of `score`
  double concordance = 0, concordance_std_err = 0;
  std::vector<survival::KaplanMeier> curves;  ///< low, high
  survival::LogRank test;
  double hazard_ratio = 0, hazard_lower = 0, hazard_upper = 0;  ///< high against low; NaN where undefined
};

/// Folds of each repeat: `repeats` times patient_folds with seeds seed, seed + 1, …
std::vector<std::vector<int>> repeated_folds(const std::vector<std::string>& patient, const std::vector<int>& label,
                                             const RiskOptions& options);

/// Patients x columns that a fold learns from and is tested on; repeat and fold from 0. One and the same for all folds, or
/// features of networks that each fold trained for itself.
using DesignOfFold = std::function<const Eigen::MatrixXd&(std::size_t repeat, int fold)>;

/// folds  [repeat][patient], 0 … options.folds - 1; a fold without patients teaches a model that is not applied
/// kept   what stays when the user stops it, for the message
/// Throws InputError as train_risk_model, Interrupted when the user stops it.
CrossValidation cross_validate(RiskMethod method, const FeatureSet& set, const DesignOfFold& design_of,
                               const survival::Outcome& outcome, const std::vector<std::vector<int>>& folds,
                               const RiskOptions& options, const std::string& kept = "nothing was written");

/// Two cross-validations of the same patients: AUC at the horizon and Harrell's C of `first` less those of `second`, with
/// percentile intervals and p over resamples of patients; the models stay as they are.
struct RiskComparison {
  std::string first, second;
  double auc = 0, auc_lower = 0, auc_upper = 0, auc_p = 0;
  double concordance = 0, concordance_lower = 0, concordance_upper = 0, concordance_p = 0;
};
RiskComparison compare_risks(const CrossValidation& first, const CrossValidation& second, const survival::Outcome& outcome,
                             const std::vector<std::string>& patient, double horizon, int resamples, std::uint64_t seed);

}  // namespace clmnet::tools
