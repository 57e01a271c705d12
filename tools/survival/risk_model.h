#pragma once

#include <Eigen/Core>
#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "survival/discrimination.h"
#include "survival/kaplan_meier.h"
#include "survival/log_rank.h"
#include "survival/logistic_penalised.h"
#include "survival/outcome.h"
#include "survival/random_forest.h"

namespace clmnet::tools {

/// Risk of the event by the horizon. Patients censored before it have no label: they do not train a classifier, they are
/// given a risk like everyone else and count in the AUC (by weights), the curves and the log-rank test.
enum class RiskMethod { logistic, forest };
const char* name_of(RiskMethod method);

/// What one training part teaches: median of each covariate for missing values, scale, strength of the penalty, model, cut.
struct RiskModel {
  RiskMethod method = RiskMethod::logistic;
  Eigen::RowVectorXd median;                       ///< p, puts a value where one is missing
  survival::PenalisedLogistic logistic;
  std::optional<survival::RandomForest> forest;
  double inverse_strength = 0;                     ///< C, chosen by inner validation; logistic only
  double cut = 0;                                  ///< median risk of the training patients; above it is high risk
  std::size_t training_patients = 0, labelled = 0, events_by_horizon = 0;

  Eigen::VectorXd predict(const Eigen::MatrixXd& x) const;
};

struct RiskOptions {
  double horizon = 0;
  int folds = 5;
  std::uint64_t seed = 1;
  int trees = 500;
  int threads = 0;
};

/// 1 event by the horizon, 0 seen beyond it, -1 censored before it.
std::vector<int> labels_at(const survival::Outcome& outcome, double horizon);

/// Throws InputError when the labelled patients are all of one class.
RiskModel train_risk_model(RiskMethod method, const Eigen::MatrixXd& x, const survival::Outcome& outcome, const RiskOptions& options);

/// Fold of each row: rows of one patient stay together, labels are spread evenly, the same for a seed.
std::vector<int> patient_folds(const std::vector<std::string>& patient, const std::vector<int>& label, int folds, std::uint64_t seed);

/// Out-of-fold results of one method.
struct CrossValidation {
  RiskMethod method = RiskMethod::logistic;
  Eigen::VectorXd risk;                 ///< n, by a model that did not see the patient
  std::vector<std::uint8_t> high;       ///< n, risk above its fold's training median
  std::vector<int> fold;
  std::vector<RiskModel> models;        ///< one per fold
  survival::DynamicAuc auc;             ///< at the horizon
  double concordance = 0, concordance_std_err = 0;
  std::vector<survival::KaplanMeier> curves;  ///< low, high
  survival::LogRank test;
  double hazard_ratio = 0, hazard_lower = 0, hazard_upper = 0;  ///< high against low
};
CrossValidation cross_validate(RiskMethod method, const Eigen::MatrixXd& x, const survival::Outcome& outcome, const std::vector<int>& fold,
                               const RiskOptions& options);

}  // namespace clmnet::tools
