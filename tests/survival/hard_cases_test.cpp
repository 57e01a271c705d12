// Data on which statistics programs part: late entry, drifting and zero times, separation, nothing to estimate, constants.
// Expected values are R 4.2.2's (survival 3.5-3, stats) or scikit-survival's, by the call above each test.
#include <gtest/gtest.h>

#include <cmath>

#include "survival/agreement.h"
#include "survival/binary_metrics.h"
#include "survival/concordance.h"
#include "survival/cox.h"
#include "survival/discrimination.h"
#include "survival/kaplan_meier.h"
#include "survival/log_rank.h"
#include "survival/logistic.h"
#include "survival/method_comparison.h"
#include "survival/rank_tests.h"

namespace clmnet::survival {
namespace {

Eigen::MatrixXd column(const std::vector<double>& values) {
  return Eigen::Map<const Eigen::VectorXd>(values.data(), static_cast<Eigen::Index>(values.size()));
}

const std::vector<double> kTwelve{1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12};

// f <- coxph(Surv(c(0,0,1,2,2,0,3,5,4,1), c(2,3,4,3,6,7,5,9,8,9), c(1,0,1,1,1,0,1,1,0,1)) ~ c(5,1,4,3,3,2,6,1,2,4));
// concordance(f)
TEST(HardCases, LateEntryInCoxAndConcordance) {
  const Outcome outcome{{2, 3, 4, 3, 6, 7, 5, 9, 8, 9}, {1, 0, 1, 1, 1, 0, 1, 1, 0, 1}, {0, 0, 1, 2, 2, 0, 3, 5, 4, 1}};
  const auto model = fit_cox(column({5, 1, 4, 3, 3, 2, 6, 1, 2, 4}), outcome);
  EXPECT_NEAR(model.coefficient[0], 0.442255633127701, 1e-12);
  ASSERT_TRUE(model.concordance.has_value());
  EXPECT_EQ(model.concordance->concordant, 15);
  EXPECT_EQ(model.concordance->discordant, 4);
  EXPECT_EQ(model.concordance->tied_risk, 2);
  EXPECT_EQ(model.concordance->tied_time, 1);
  EXPECT_NEAR(model.concordance->c, 0.761904761904762, 1e-14);
  EXPECT_NEAR(model.concordance->std_err, 0.130202967981457, 1e-14);
}

// coxph(Surv(1:12, rep(1, 12)) ~ rep(1:0, each = 6), control = coxph.control(eps = 1e-14)): stops after 20 steps of about 1.
TEST(HardCases, SeparatedCoxStopsWhereRDoesAndSaysSo) {
  const auto model = fit_cox(column({1, 1, 1, 1, 1, 1, 0, 0, 0, 0, 0, 0}), {kTwelve, std::vector<std::uint8_t>(12, 1)});
  EXPECT_FALSE(model.converged);
  EXPECT_EQ(model.diverging, std::vector<Eigen::Index>{0});
  EXPECT_NEAR(model.coefficient[0], 22.3178758932643, 1e-6);
  EXPECT_NEAR(model.log_likelihood, -13.1585024270041, 1e-9);
  EXPECT_NEAR(model.score.chi_squared, 12.0939842006702, 1e-11);
  EXPECT_NEAR(model.concordance->c, 0.772727272727273, 1e-14);
}

const Outcome kEight{{1, 2, 3, 4, 5, 6, 7, 8}, {1, 1, 0, 1, 1, 1, 0, 1}};
const std::vector<double> kSecond{0.3, -1, 0.5, 0.2, 1.1, -0.7, 0.4, 0.9};

Eigen::MatrixXd beside_second(const std::vector<double>& first) {
  Eigen::MatrixXd x(8, 2);
  x << column(first), column(kSecond);
  return x;
}

// t <- 1:8; e <- c(1,1,0,1,1,1,0,1); x <- c(9.5,8,7.2,6,5.5,4,3.1,2); z <- kSecond
// coxph(Surv(t, e) ~ x + z, control = coxph.control(eps = 1e-14)): x orders the deaths. R leaves it after 20 steps, halved where
// exp(x beta) leaves the range of doubles, with errors from the diagonal of the information.
TEST(HardCases, CoxOfAnOrderedCovariateEndsWhereRDoes) {
  const auto model = fit_cox(beside_second({9.5, 8, 7.2, 6, 5.5, 4, 3.1, 2}), kEight);
  EXPECT_FALSE(model.converged);
  EXPECT_EQ(model.diverging.size(), 2u);
  EXPECT_NEAR(model.coefficient[0] / 21.43676230374710, 1, 1e-6);
  EXPECT_NEAR(model.coefficient[1] / -7.56285361005103, 1, 1e-6);
  EXPECT_NEAR(model.log_likelihood, -3.35520127237032e-08, 1e-12);
  EXPECT_NEAR(model.covariance(0, 0) / 37725371.1838344, 1, 1e-5);
  EXPECT_EQ(model.covariance(0, 1), 0);
}

// g <- c(0,0,1,0,0,0,1,0): a group without events beside an ordinary covariate, whose own numbers stay sound.
TEST(HardCases, CoxWithAGroupWithoutEventsEndsWhereRDoes) {
  const auto model = fit_cox(beside_second({0, 0, 1, 0, 0, 0, 1, 0}), kEight);
  EXPECT_EQ(model.diverging, std::vector<Eigen::Index>{0});
  EXPECT_NEAR(model.coefficient[0], -20.475790664864221, 1e-6);
  EXPECT_NEAR(model.coefficient[1], -0.396686989336643, 1e-9);
  EXPECT_NEAR(model.covariance(1, 1), 0.322845896200066, 1e-9);
  EXPECT_NEAR(model.log_likelihood, -6.33267133757368, 1e-9);
  EXPECT_NEAR(model.wald.chi_squared, 0.48741782089312, 1e-6);
}

// x <- 1e6 + z: the hazard at x = 0 leaves the range of doubles, that of a subject does not.
// summary(survfit(f, newdata = data.frame(x = 1e6 + 0.3)), times = c(2, 5))$surv
TEST(HardCases, CoxPredictsFarFromZero) {
  Eigen::MatrixXd x = column(kSecond);
  x.array() += 1e6;
  const auto model = fit_cox(x, kEight);
  EXPECT_NEAR(model.coefficient[0], -0.607279321016413, 1e-8);
  const Eigen::VectorXd one = Eigen::VectorXd::Constant(1, 1e6 + 0.3);
  EXPECT_NEAR(predicted_survival(model, one, 2), 0.794796450316945, 1e-8);
  EXPECT_NEAR(predicted_survival(model, one, 5), 0.512424593991488, 1e-8);
}

// concordance(Surv(c(3,1,4,5,2), c(0,0,1,0,0)) ~ 1:5, timewt = "n/G2")$count: one event has nothing to be weighed against.
TEST(HardCases, OneEventIsNotWeighed) {
  ConcordanceOptions options;
  options.inverse_censoring_weights = true;
  const auto pairs = concordance({{3, 1, 4, 5, 2}, {0, 0, 1, 0, 0}}, {5, 4, 3, 2, 1}, options);
  EXPECT_EQ(pairs.concordant, 1);
  EXPECT_EQ(pairs.discordant, 0);
}

// coxph(Surv(1:6, rep(0, 6)) ~ x): three tests of 0 on 0 degrees of freedom, p = 1; no pair of subjects can be compared.
TEST(HardCases, CoxWithoutEvents) {
  const auto model = fit_cox(column({0.1, 0.5, 0.2, 0.9, 0.1, 0.15}), {{1, 2, 3, 4, 5, 6}, std::vector<std::uint8_t>(6, 0)});
  EXPECT_TRUE(std::isnan(model.coefficient[0]));
  EXPECT_EQ(model.likelihood_ratio.chi_squared, 0);
  EXPECT_EQ(model.likelihood_ratio.df, 0);
  EXPECT_EQ(model.likelihood_ratio.p, 1);
  EXPECT_TRUE(std::isnan(model.concordance->c));
}

// A column that is the sum of two others has no coefficient, but its Schoenfeld residual is the sum of theirs.
TEST(HardCases, CollinearCovariateKeepsItsResiduals) {
  Eigen::MatrixXd x(8, 3);
  x << 1, 0, 1, 4, 1, 5, 2, 1, 3, 5, 0, 5, 3, 1, 4, 1, 0, 1, 2, 1, 3, 4, 0, 4;
  const Outcome outcome{{5, 3, 8, 1, 6, 2, 7, 4}, {1, 1, 0, 1, 1, 0, 1, 1}};
  const auto model = fit_cox(x, outcome);
  EXPECT_TRUE(std::isnan(model.coefficient[2]));
  const auto residuals = cox_residuals(model, x, outcome, {});
  ASSERT_EQ(residuals.schoenfeld.rows(), 6);
  EXPECT_GT(std::abs(residuals.schoenfeld(0, 2)), 0.1);
  EXPECT_NEAR((residuals.schoenfeld.col(2) - residuals.schoenfeld.col(0) - residuals.schoenfeld.col(1)).norm(), 0, 1e-12);
}

// survfit(Surv(c(cumsum(rep(.1, 6)), .1 * 1:6, 1:6 / 10), event) ~ 1): three ways to the same six times.
TEST(HardCases, TimesThatDriftAreOne) {
  std::vector<double> time;
  double sum = 0;
  for (int k = 1; k <= 6; ++k) time.push_back(sum += 0.1);
  for (int k = 1; k <= 6; ++k) time.push_back(0.1 * k);
  for (int k = 1; k <= 6; ++k) time.push_back(k / 10.0);
  const auto curve = kaplan_meier(time, {1, 0, 1, 1, 0, 1, 0, 1, 1, 0, 1, 0, 1, 1, 0, 1, 0, 0});
  ASSERT_EQ(curve.time.size(), 6u);
  EXPECT_NEAR(curve.survival[2], 0.641975308641975, 1e-14);
  EXPECT_NEAR(evaluate(curve, 0.3).survival, 0.641975308641975, 1e-14);
  EXPECT_NEAR(evaluate(curve, 0.1 * 3).survival, 0.641975308641975, 1e-14);
  EXPECT_NEAR(event_time_quantile(curve, 0.5, ConfidenceScale::log, 0.95).time, 0.4, 1e-12);
}

// time <- c(0,0,0,1,2,2,3,5); event <- c(1,0,1,1,0,1,1,0); survfit, quantile, survmean(rmean = 4), survdiff(~ rep(1:2, each = 4))
TEST(HardCases, EventsAtTimeZero) {
  const Outcome outcome{{0, 0, 0, 1, 2, 2, 3, 5}, {1, 0, 1, 1, 0, 1, 1, 0}};
  const auto curve = kaplan_meier(outcome);
  EXPECT_DOUBLE_EQ(curve.survival[0], 0.75);
  EXPECT_DOUBLE_EQ(evaluate(curve, 0).survival, 0.75);
  EXPECT_EQ(evaluate(curve, 0).n_risk, 8);
  EXPECT_DOUBLE_EQ(event_time_quantile(curve, 0.25, ConfidenceScale::log, 0.95).time, 0.5);
  EXPECT_DOUBLE_EQ(event_time_quantile(curve, 0.5, ConfidenceScale::log, 0.95).time, 2);
  EXPECT_NEAR(restricted_mean(curve, 4).mean, 2.025, 1e-14);
  EXPECT_NEAR(restricted_mean(curve, 4).std_err, 0.56162431838374, 1e-13);
  EXPECT_NEAR(log_rank(outcome, make_groups({"1", "1", "1", "1", "2", "2", "2", "2"})).chi_squared, 5.50485436893204, 1e-12);
}

// survdiff(Surv(1:9, c(1,1,0,1,1,0,0,0,0)) ~ rep(1:3, each = 3)): the third group has no event and counts.
TEST(HardCases, LogRankKeepsAGroupWithoutEvents) {
  const auto test = log_rank({{1, 2, 3, 4, 5, 6, 7, 8, 9}, {1, 1, 0, 1, 1, 0, 0, 0, 0}},
                             make_groups({"1", "1", "1", "2", "2", "2", "3", "3", "3"}));
  EXPECT_EQ(test.df, 2);
  EXPECT_NEAR(test.expected[2], 1.808333333333333, 1e-14);
  EXPECT_NEAR(test.chi_squared, 6.33167132364014, 1e-12);
  const auto censored = log_rank({{1, 2, 3, 4}, {0, 0, 0, 0}}, make_groups({"1", "1", "2", "2"}));
  EXPECT_TRUE(std::isnan(censored.chi_squared));
  EXPECT_TRUE(std::isnan(censored.p));
}

// glm(rep(0:1, each = 6) ~ c(1:6, 8:13), binomial): 25 steps, fitted probabilities of 0 and 1.
TEST(HardCases, SeparatedLogisticStopsWhereRDoesAndSaysSo) {
  const auto model = fit_logistic(column({1, 2, 3, 4, 5, 6, 8, 9, 10, 11, 12, 13}), {0, 0, 0, 0, 0, 0, 1, 1, 1, 1, 1, 1});
  EXPECT_TRUE(model.separated);
  EXPECT_NEAR(model.coefficient[1], 22.7112889663241, 1e-4);
  EXPECT_NEAR(model.deviance, 5.47868417262404e-10, 1e-14);
  EXPECT_NEAR(model.std_err[1] / 36646.19670304, 1, 1e-4);
  EXPECT_GT(model.p_value()[1], 0.99);
}

// y <- c(0,1,0,1,1,0,1,1,0,1,0,1,1,0); x2 is 1 wherever y is: summary(glm(y ~ x1 + x2, binomial)) after R's 18 steps. The weights
// of the four rows with x2 = 0 are 3e-9 by then.
TEST(HardCases, QuasiSeparatedLogisticKeepsItsDigits) {
  Eigen::MatrixXd x(14, 2);
  x.col(0) << .3, 1.2, -.5, .7, .1, .9, -1.1, .4, -.2, .6, 1.5, -.8, .2, -.4;
  x.col(1) << 0, 1, 0, 1, 1, 1, 1, 1, 0, 1, 0, 1, 1, 1;
  const auto model = fit_logistic(x, {0, 1, 0, 1, 1, 0, 1, 1, 0, 1, 0, 1, 1, 0});
  EXPECT_TRUE(model.separated);
  EXPECT_NEAR(model.deviance, 9.98321871236318, 1e-9);
  EXPECT_NEAR(model.coefficient[0], -19.5228041551775, 1e-6);
  EXPECT_NEAR(model.coefficient[1], -0.178610899305475, 1e-9);
  EXPECT_NEAR(model.coefficient[2], 20.9460171103366, 1e-6);
  EXPECT_NEAR(model.covariance(2, 2) / 28822296.9350791, 1, 1e-6);
  EXPECT_NEAR(model.covariance(1, 1), 1.30489774115086, 1e-7);
  EXPECT_NEAR(model.covariance(1, 2), -0.074233450997137, 1e-4);
}

// kaplan_meier_estimator and brier_score of scikit-survival take times as they are: 2 + 1e-9 is after 2, where R's survfit has
// one time.
TEST(HardCases, NullSurvivalTakesTimesAsTheyAre) {
  const Outcome outcome{{1, 2, 2 + 1e-9, 3}, {1, 1, 1, 0}};
  EXPECT_DOUBLE_EQ(null_survival(outcome, {2})(0, 0), 0.5);
  EXPECT_DOUBLE_EQ(evaluate(kaplan_meier(outcome), 2).survival, 0.25);
  EXPECT_THROW(null_survival({{1, 2}, {1, 1}, {0, 0}}, {2}), std::invalid_argument);
}

// statsmodels' cohens_kappa on a rater who always says 2: kappa 0 with errors of exactly 0, whatever the weights.
TEST(HardCases, KappaOfAConstantRaterHasNoScatter) {
  const std::vector<int> first{0, 1, 2, 0, 2, 1, 1}, second(7, 2);
  for (const auto weight : {KappaWeight::linear, KappaWeight::quadratic}) {
    const auto kappa = cohen_kappa(agreement_table(first, second, 4), weight);
    EXPECT_NEAR(kappa.kappa, 0, 1e-15);
    EXPECT_NEAR(kappa.std_err, 0, 1e-14);
    EXPECT_NEAR(kappa.std_err_null, 0, 1e-14);
  }
}

// Scores that part the classes and a single class have no recalibration; nearly parted ones have.
TEST(HardCases, CalibrationWithoutAMaximumSaysSo) {
  const auto parted = calibration({{0, 0, 0, 1, 1, 1}, {0.1, 0.2, 0.3, 0.6, 0.7, 0.9}});
  EXPECT_FALSE(parted.has_slope);
  EXPECT_TRUE(parted.has_intercept);
  EXPECT_TRUE(std::isfinite(parted.in_the_large));
  const auto alone = calibration({{1, 1, 1}, {0.2, 0.5, 0.7}});
  EXPECT_FALSE(alone.has_intercept);
  EXPECT_FALSE(alone.has_slope);
  EXPECT_NEAR(alone.observed_over_expected, 3 / 1.4, 1e-14);
  EXPECT_TRUE(calibration({{0, 1, 0, 1, 0, 1}, {0.1, 0.2, 0.3, 0.6, 0.7, 0.9}}).has_slope);
}

// statsmodels 0.15: GLM(y, add_constant(logit(p)), Binomial()).fit() and GLM(y, ones, Binomial(), offset=logit(p)).fit(): bse is
// from the weights before the last step, so its sixth digit is not that of the maximum.
TEST(HardCases, CalibrationErrorsAreStatsmodels) {
  const auto found = calibration({{0, 0, 1, 0, 1, 0, 1, 1}, {0.1, 0.3, 0.25, 0.4, 0.55, 0.6, 0.8, 0.95}});
  EXPECT_NEAR(found.slope / 1.05896849712967, 1, 1e-9);
  EXPECT_NEAR(found.slope_std_err / 0.8269554257020061, 1, 1e-9);
  EXPECT_NEAR(found.intercept_with_slope / 0.04330468146483124, 1, 1e-9);
  EXPECT_NEAR(found.in_the_large / 0.03511367284064769, 1, 1e-9);
  EXPECT_NEAR(found.in_the_large_std_err / 0.8376120946856719, 1, 1e-9);
}

// One prediction for all: intercept and slope of least length, 0 and 0 for one half (statsmodels takes the pseudo-inverse).
TEST(HardCases, CalibrationOfAConstant) {
  const auto half = calibration({{0, 1, 1, 0, 1}, {0.5, 0.5, 0.5, 0.5, 0.5}});
  EXPECT_EQ(half.slope, 0);
  EXPECT_EQ(half.slope_std_err, 0);
  EXPECT_FALSE(half.has_slope);
  EXPECT_NEAR(half.intercept_with_slope, std::log(1.5), 1e-12);
  const auto other = calibration({{0, 1, 1, 0, 1}, {0.8, 0.8, 0.8, 0.8, 0.8}});
  const double k = std::log(4.0);
  EXPECT_NEAR(other.intercept_with_slope + k * other.slope, std::log(1.5), 1e-12);
  EXPECT_NEAR(other.slope, k * other.intercept_with_slope, 1e-12);
}

// scikit-learn averages the recall of the classes that occur.
TEST(HardCases, BalancedAccuracyOfOneClass) {
  const auto found = confusion({{1, 1, 1, 1}, {0.9, 0.2, 0.8, 0.7}}, 0.5);
  EXPECT_DOUBLE_EQ(found.balanced_accuracy, 0.75);
  EXPECT_TRUE(std::isnan(found.specificity.value));
  EXPECT_DOUBLE_EQ(confusion({{0, 0}, {0.9, 0.2}}, 0.5).balanced_accuracy, 0.5);
}

// As many right by the first alone as by the second alone: one of two tables on the tie, P = 1/2, of which half counts (Fagerland
// et al. 2013); statsmodels' mcnemar([[., 1], [1, .]], exact=False, correction=True) is (|1 - 1| - 1)^2 / 2.
TEST(HardCases, McNemarOnATie) {
  const auto test = mcnemar({1, 0}, {0, 1});
  EXPECT_EQ(test.exact_p, 1);
  EXPECT_NEAR(test.mid_p, 0.75, 1e-14);
  EXPECT_EQ(test.chi_squared, 0);
  EXPECT_EQ(test.corrected_chi_squared, 0.5);
  EXPECT_NEAR(test.corrected_p, 0.479500122186953, 1e-14);
}

// scipy 1.17: wilcoxon of pairs that agree is 1 while it is exact (13 pairs) and undefined beyond; spearmanr of three in order
// has p = 0.
TEST(HardCases, ComparisonsWithNothingBetween) {
  EXPECT_EQ(wilcoxon_signed_rank(kTwelve, kTwelve).p, 1);
  EXPECT_TRUE(std::isnan(wilcoxon_signed_rank(std::vector<double>(14, 1), std::vector<double>(14, 1)).p));
  EXPECT_EQ(spearman({1, 2, 4}, {1.5, 2.6, 3}).r, 1);
  EXPECT_EQ(spearman({1, 2, 4}, {1.5, 2.6, 3}).p, 0);
}

}  // namespace
}  // namespace clmnet::survival
