#pragma once

#include <Eigen/Core>
#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "survival/cox_path.h"
#include "survival/logistic_penalised.h"
#include "survival/outcome.h"
#include "survival/random_forest.h"
#include "survival/random_survival_forest.h"

namespace clmnet::tools {

/// What predicts the probability of the event by the horizon. Classifiers (logistic, forest) learn from patients whose status
/// at the horizon is known; those censored before it have no label, are given a risk like everyone else and count in AUC (by
/// weights), curves and log-rank test. Cox regression and the survival forest learn from everyone's time.
enum class RiskMethod { logistic, forest, cox, survival_forest };
/// "logistic regression", "random forest", "ridge Cox regression", "random survival forest"
const char* name_of(RiskMethod method);
/// "logistic", "forest", "cox", "rsf": for options and keys.
const char* key_of(RiskMethod method);
/// Throws InputError for another key.
RiskMethod method_of(const std::string& key);

/// Patients of a leaf of either forest, at least.
inline constexpr int kForestMinLeaf = 5;

struct RiskOptions {
  double horizon = 0;
  int folds = 5, repeats = 1;
  std::uint64_t seed = 1;
  int trees = 500;
  int threads = 0;
};

/// What one training part teaches: median of each covariate for missing values, scale, strength of the penalty, model, cut.
struct RiskModel {
  RiskMethod method = RiskMethod::logistic;
  double horizon = 0;
  Eigen::RowVectorXd median;                       ///< p, puts a value where one is missing
  survival::PenalisedLogistic logistic;
  survival::CoxPath cox;                           ///< ridge, one penalty
  survival::Baseline baseline;                     ///< of Cox regression, for the mean patient
  std::optional<survival::RandomForest> forest;
  std::optional<survival::RandomSurvivalForest> survival_forest;
  double strength = 0;                             ///< chosen by inner validation: C of logistic regression, penalty of Cox
  std::vector<double> training_risk;               ///< ascending; forests: of trees that did not see the patient
  double cut = 0;                                  ///< its median; above it is high risk
  std::size_t training_patients = 0, labelled = 0, events_by_horizon = 0;

  bool is_linear() const { return method == RiskMethod::logistic || method == RiskMethod::cox; }
  /// n x p, NaN where missing -> n probabilities of the event by the horizon.
  Eigen::VectorXd predict(const Eigen::MatrixXd& x) const;
  /// Share of the training patients with a lower risk, ties half: comparable from one fold to the next.
  double percentile(double risk) const;
  /// Of linear models: predictor = offset + x * slope on the scale of the data (log odds; log hazard ratio against the mean).
  Eigen::RowVectorXd slope() const;
  double offset() const;
};

/// When half of the events that were seen had happened (the lower of two middle ones): the horizon where none is given.
/// Throws std::invalid_argument without an event.
double median_event_time(const survival::Outcome& outcome);

/// 1 event by the horizon, 0 seen beyond it, -1 censored before it.
std::vector<int> labels_at(const survival::Outcome& outcome, double horizon);

/// Throws InputError when the labelled patients are all of one class.
RiskModel train_risk_model(RiskMethod method, const Eigen::MatrixXd& x, const survival::Outcome& outcome,
                           const RiskOptions& options);

/// Fold of each row: rows of one patient stay together, labels are spread evenly, the same for a seed.
/// Throws InputError when there are fewer patients than folds.
std::vector<int> patient_folds(const std::vector<std::string>& patient, const std::vector<int>& label, int folds,
                               std::uint64_t seed);

/// Rows of a fold, or of all others.
std::vector<Eigen::Index> rows_where(const std::vector<int>& fold, int wanted, bool equal);
survival::Outcome pick(const survival::Outcome& outcome, const std::vector<Eigen::Index>& rows);

}  // namespace clmnet::tools
