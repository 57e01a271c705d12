#include "tools/survival/cross_validation.h"

#include <gtest/gtest.h>

#include <cmath>
#include <map>
#include <set>

#include "tests/tools/survival/fit_fixture.h"
#include "tools/base/error.h"
#include "tools/survival/fit_figures.h"
#include "tools/survival/model_file.h"

namespace clmnet::tools {
namespace {

using survival::Outcome;

struct Drawn {
  Eigen::MatrixXd x;
  Outcome outcome;
  std::vector<std::string> patients;
};

/// n patients with p standard normal columns; the hazard ratio of the first is exp(effect).
Drawn draw(int n, int p, double effect, std::uint64_t seed) {
  survival::Random random(seed);
  Drawn data{Eigen::MatrixXd(n, p), {}, {}};
  for (int i = 0; i < n; ++i) {
    for (int j = 0; j < p; ++j) data.x(i, j) = test::normal(random);
    test::draw_time(random, effect * data.x(i, 0), data.outcome);
    data.patients.push_back(std::string("p") + std::to_string(i));
  }
  return data;
}

FeatureSet all_columns(const Drawn& data) {
  FeatureSet set{"clinical", {}};
  for (Eigen::Index j = 0; j < data.x.cols(); ++j) set.columns.push_back(j);
  return set;
}

RiskOptions options() {
  RiskOptions options;
  options.horizon = 1;
  options.trees = 60;
  options.threads = 1;
  return options;
}

/// The same columns in every fold.
DesignOfFold design_of(const Drawn& data) {
  return [&data](std::size_t, int) -> const Eigen::MatrixXd& { return data.x; };
}

CrossValidation validate(RiskMethod method, const Drawn& data, const RiskOptions& how) {
  const auto folds = repeated_folds(data.patients, labels_at(data.outcome, how.horizon), how);
  return cross_validate(method, all_columns(data), design_of(data), data.outcome, folds, how);
}

// Events at 1, 2, 4 and 9: half had happened at 2. Who was censored does not count, whatever the order.
TEST(Horizon, IsTheMedianOfTheEventTimes) {
  EXPECT_EQ(median_event_time({{9, 3, 2, 1, 50, 4}, {1, 0, 1, 1, 0, 1}}), 2);
  EXPECT_EQ(median_event_time({{9, 3, 2, 1, 50, 4}, {1, 1, 1, 1, 0, 1}}), 3);
  EXPECT_EQ(median_event_time({{7, 5}, {0, 1}}), 5);
  EXPECT_THROW(median_event_time({{7, 5}, {0, 0}}), std::invalid_argument);
}

constexpr RiskMethod kMethods[] = {RiskMethod::logistic, RiskMethod::forest, RiskMethod::cox, RiskMethod::survival_forest};

// With no effect and more columns than patients any use of the test part would show: the training AUC is 1. The AUC of one
// cohort has an error of about 0.066; over six cohorts the mean must lie within four of its own errors.
TEST(CrossValidation, WithoutAnEffectThereIsNoLeak) {
  for (const auto method : kMethods) {
    double sum = 0;
    constexpr int cohorts = 6;
    for (int k = 0; k < cohorts; ++k) {
      sum += validate(method, draw(80, 90, 0, 50 + static_cast<std::uint64_t>(k)), options()).auc.value[0];
    }
    EXPECT_NEAR(sum / cohorts, 0.5, 4 * 0.066 / std::sqrt(cohorts)) << name_of(method);
  }
}

TEST(CrossValidation, AnEffectIsFound) {
  for (const auto method : kMethods) {
    const auto result = validate(method, draw(200, 5, 1.5, 3), options());
    EXPECT_GT(result.auc.value[0], 0.75) << name_of(method);
    EXPECT_GT(result.concordance, 0.7) << name_of(method);
    EXPECT_LT(result.test.p, 1e-4) << name_of(method);
    EXPECT_GT(result.hazard_lower, 1) << name_of(method);
    EXPECT_EQ(result.risk.minCoeff() >= 0 && result.risk.maxCoeff() <= 1, true);
  }
}

TEST(CrossValidation, RepeatsAreOtherFoldsOfTheSamePatients) {
  const Drawn data = draw(60, 3, 1, 8);
  RiskOptions how = options();
  how.repeats = 3;
  const auto result = validate(RiskMethod::logistic, data, how);
  EXPECT_EQ(result.fold.size(), 3U);
  EXPECT_NE(result.fold[0], result.fold[1]);
  EXPECT_EQ(result.folds.size(), 15U);
  EXPECT_EQ(result.auc_of_repeat.size(), 3U);
  const auto again = validate(RiskMethod::logistic, data, how);
  EXPECT_EQ(result.score, again.score);
}

TEST(CrossValidation, RowsOfAPatientStayTogether) {
  std::vector<std::string> patient;
  std::vector<int> label;
  for (int i = 0; i < 60; ++i) {
    patient.push_back(std::string("p") + std::to_string(i / 3));
    label.push_back(i / 3 % 2);
  }
  std::map<std::string, std::set<int>> seen;
  const auto fold = patient_folds(patient, label, 5, 7);
  for (std::size_t i = 0; i < patient.size(); ++i) seen[patient[i]].insert(fold[i]);
  for (const auto& [name, folds] : seen) EXPECT_EQ(folds.size(), 1U) << name;
  EXPECT_THROW(patient_folds({"a", "b"}, {0, 1}, 5, 1), InputError);
}

TEST(CrossValidation, AHorizonNobodyReaches) {
  const Drawn data = draw(40, 2, 1, 2);
  RiskOptions how = options();
  how.horizon = 100;
  EXPECT_THROW(validate(RiskMethod::logistic, data, how), InputError);
}

TEST(RiskModel, PercentileAndCutAreThoseOfTheTrainingPart) {
  RiskModel model;
  model.training_risk = {0.1, 0.2, 0.2, 0.4};
  EXPECT_DOUBLE_EQ(model.percentile(0.05), 0);
  EXPECT_DOUBLE_EQ(model.percentile(0.2), 0.5);
  EXPECT_DOUBLE_EQ(model.percentile(0.3), 0.75);
  EXPECT_DOUBLE_EQ(model.percentile(0.9), 1);
}

TEST(RiskModel, MissingValuesTakeTheTrainingMedian) {
  Drawn data = draw(80, 2, 1, 5);
  const auto model = train_risk_model(RiskMethod::cox, data.x, data.outcome, options());
  Eigen::MatrixXd gap = data.x.topRows(1), filled = gap;
  gap(0, 1) = std::nan("");
  filled(0, 1) = model.median[1];
  EXPECT_EQ(model.predict(gap)[0], model.predict(filled)[0]);
}

TEST(SavedModel, SaysWhatTheModelSays) {
  const clmnet::test::TemporaryFolder folder;
  const Drawn data = draw(80, 3, 1, 6);
  for (const auto method : {RiskMethod::logistic, RiskMethod::cox}) {
    const auto model = train_risk_model(method, data.x, data.outcome, options());
    SavedModel saved = to_save(model);
    saved.source = {"a", "b", "c"};
    saved.level = {"", "", ""};
    saved.time_name = "months";
    save_model(folder / "model.json", saved);
    const auto loaded = load_model(folder / "model.json");
    const auto predictor = loaded.predictor(data.x);
    const auto risk = model.predict(data.x);
    for (Eigen::Index i = 0; i < risk.size(); ++i) EXPECT_NEAR(loaded.risk(predictor[i]), risk[i], 1e-9);
  }
  EXPECT_THROW(to_save(train_risk_model(RiskMethod::forest, data.x, data.outcome, options())), std::invalid_argument);
  EXPECT_THROW(load_model(folder.write("other.json", "{\"kind\": \"else\"}")), InputError);
  EXPECT_THROW(load_model(folder.write("none.json", "no json")), InputError);
  EXPECT_THROW(load_model(folder.write("old.json", "{\"kind\": \"clmnet survival model\"}")), InputError);
}

TEST(Comparison, TheSameRisksDoNotDiffer) {
  const Drawn data = draw(80, 3, 1, 9);
  const auto result = validate(RiskMethod::logistic, data, options());
  const auto same = compare_risks(result, result, data.outcome, data.patients, 1, 100, 1);
  EXPECT_EQ(same.auc, 0);
  EXPECT_EQ(same.auc_lower, 0);
  EXPECT_EQ(same.auc_p, 1);
}

TEST(Comparison, AnInformativeSetWins) {
  const Drawn data = draw(150, 6, 1.5, 11);
  const auto folds = repeated_folds(data.patients, labels_at(data.outcome, 1), options());
  const auto good = cross_validate(RiskMethod::cox, {"good", {0}}, design_of(data), data.outcome, folds, options());
  const auto noise = cross_validate(RiskMethod::cox, {"noise", {3, 4, 5}}, design_of(data), data.outcome, folds, options());
  const auto comparison = compare_risks(good, noise, data.outcome, data.patients, 1, 300, 1);
  EXPECT_GT(comparison.auc_lower, 0);
  EXPECT_LT(comparison.auc_p, 0.05);
  EXPECT_GT(comparison.concordance_lower, 0);
}

// Three patients die at 1, 2 and 3, two outlive 3.5: no censoring before the horizon, so the plain curve.
TEST(HorizonRoc, ByHand) {
  const Outcome outcome{{1, 2, 3, 4, 5}, {1, 1, 1, 0, 0}};
  Eigen::VectorXd score(5);
  score << 0.9, 0.4, 0.7, 0.5, 0.1;
  const auto curve = horizon_roc(outcome, score, 3.5);
  const std::vector<double> x{0, 0, 0, 0.5, 0.5, 1}, y{0, 1.0 / 3, 2.0 / 3, 2.0 / 3, 1, 1};
  ASSERT_EQ(curve.false_positive_rate.size(), 6U);
  for (std::size_t i = 0; i < 6; ++i) {
    EXPECT_NEAR(curve.false_positive_rate[i], x[i], 1e-12);
    EXPECT_NEAR(curve.true_positive_rate[i], y[i], 1e-12);
  }
}

// The area under the curve is the AUC that the library gives.
TEST(HorizonRoc, AreaIsTheAuc) {
  const Drawn data = draw(150, 1, 1, 13);
  const Eigen::VectorXd score = data.x.col(0);
  const auto curve = horizon_roc(data.outcome, score, 1);
  double area = 0;
  for (std::size_t i = 1; i < curve.false_positive_rate.size(); ++i) {
    area += (curve.false_positive_rate[i] - curve.false_positive_rate[i - 1]) *
            (curve.true_positive_rate[i] + curve.true_positive_rate[i - 1]) / 2;
  }
  EXPECT_NEAR(area, survival::cumulative_dynamic_auc(data.outcome, {score.begin(), score.end()}, {1}).value[0], 1e-9);
}

}  // namespace
}  // namespace clmnet::tools
