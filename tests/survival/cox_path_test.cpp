#include "survival/cox_path.h"

#include <gtest/gtest.h>

#include <cmath>

#include "survival/cox.h"
#include "survival/cox_likelihood.h"

namespace clmnet::survival {
namespace {

struct Cohort {
  Eigen::MatrixXd x;
  Outcome outcome;
};

// R: x <- outer(1:n, 1:p, function(i, j) sin(1.3*i*j + 0.4*j) * j); time <- (7*(1:n)) %% (n+1) + 0.5; event <- (1:n) %% 3 != 0
Cohort waves(int n, int p, bool ties = false) {
  Cohort cohort{Eigen::MatrixXd(n, p), {}};
  for (int i = 1; i <= n; ++i) {
    for (int j = 1; j <= p; ++j) cohort.x(i - 1, j - 1) = std::sin(1.3 * i * j + 0.4 * j) * j;
    const double time = (7 * i) % (n + 1) + 0.5;
    cohort.outcome.time.push_back(ties ? std::ceil(time / 4) : time);
    cohort.outcome.event.push_back(i % 3 != 0);
  }
  return cohort;
}

CoxPathOptions at(std::vector<double> lambda, double mixing) {
  CoxPathOptions options;
  options.lambda = std::move(lambda);
  options.mixing = mixing;
  return options;
}

void expect_coefficients(const CoxPath& path, Eigen::Index place, const std::vector<double>& expected) {
  for (std::size_t j = 0; j < expected.size(); ++j) {
    EXPECT_NEAR(path.coefficient(static_cast<Eigen::Index>(j), place), expected[j], 2e-8)
        << "feature " << j << ", place " << place;
  }
}

// glmnet 4.1-6: glmnet(x, Surv(time, event), family = "cox", alpha = 1, nlambda = 5, lambda.min.ratio = 0.01, thresh = 1e-20)
TEST(CoxPath, LassoIsGlmnets) {
  const auto cohort = waves(24, 4);
  CoxPathOptions options;
  options.mixing = 1;
  options.lambdas = 5;
  options.smallest_ratio = 0.01;
  const auto path = fit_cox_path(cohort.x, cohort.outcome, options);
  EXPECT_NEAR(path.lambda[0], 0.11558681166198, 1e-13);
  EXPECT_NEAR(path.lambda[1], 0.03655175923288, 1e-13);
  EXPECT_EQ(path.nonzero(0), 0);
  EXPECT_EQ(path.nonzero(1), 2);
  expect_coefficients(path, 1, {0, -0.0161685219379, 0, 0.0476889736975});
  expect_coefficients(path, 4, {-0.06539995894240, -0.07509115212286, -0.00455120678472, 0.07296444157376});
  EXPECT_NEAR(-2 * path.log_likelihood_null, 73.6863791633, 1e-9);
  EXPECT_NEAR(1 - path.log_likelihood[1] / path.log_likelihood_null, 0.00719238710104, 1e-9);
}

// As above with alpha = 0.5, times in steps of four (ties) and lambda = c(0.3, 0.1, 0.02).
TEST(CoxPath, ElasticNetWithTiesIsGlmnets) {
  const auto cohort = waves(24, 4, true);
  const auto path = fit_cox_path(cohort.x, cohort.outcome, at({0.3, 0.1, 0.02}, 0.5));
  EXPECT_EQ(path.nonzero(0), 0);
  expect_coefficients(path, 1, {0, 0, -0.00581678942395, 0.03370530748581});
  expect_coefficients(path, 2, {-0.0523421917844, -0.0564165224881, -0.0326970932508, 0.0607245528353});
}

// alpha = 0, nlambda = 5, lambda.min.ratio = 0.01; and 25 features of ten subjects at lambda = c(5, 0.5).
TEST(CoxPath, RidgeIsGlmnets) {
  const auto cohort = waves(24, 4);
  CoxPathOptions options;
  options.lambdas = 5;
  options.smallest_ratio = 0.01;
  const auto path = fit_cox_path(cohort.x, cohort.outcome, options);
  EXPECT_NEAR(path.lambda[0], 115.58681166198, 1e-10);
  expect_coefficients(path, 1, {-0.000402790520040, -0.000738809888607, -0.000299622006584, 0.001107084701365});
  expect_coefficients(path, 4, {-0.01196369783450, -0.01855014561620, -0.00513201981029, 0.02369230232205});
  const auto wide = waves(10, 25);
  const auto wide_path = fit_cox_path(wide.x, wide.outcome, at({5, 0.5}, 0));
  expect_coefficients(wide_path, 0, {0.00382094847399, 0.03815130789628, 0.03686301208361, 0.00272548646279});
  expect_coefficients(wide_path, 1, {-0.02922396977899, 0.17866818050466, 0.19200675992032, 0.00186107422361});
}

// What makes a maximum: the gradient is lambda times the slope of the penalty, or within it where a coefficient is 0.
TEST(CoxPath, HoldsKarushKuhnTuckerWithMoreFeaturesThanSubjects) {
  const auto cohort = waves(40, 90);
  const double mixing = 0.8;
  CoxPathOptions options;
  options.mixing = mixing;
  options.lambdas = 8;
  options.smallest_ratio = 0.2;
  const auto path = fit_cox_path(cohort.x, cohort.outcome, options);
  const Eigen::MatrixXd scaled = (cohort.x.rowwise() - path.mean).array().rowwise() / path.deviation.array();
  const CoxLikelihood likelihood(scaled, cohort.outcome, nullptr, CoxTies::breslow);
  for (std::size_t k = 0; k < path.lambda.size(); ++k) {
    ASSERT_TRUE(path.converged[k]);
    const Eigen::VectorXd w = path.coefficient.col(static_cast<Eigen::Index>(k)).cwiseProduct(path.deviation.transpose());
    const Eigen::VectorXd gradient = likelihood.evaluate(w, false).gradient / 40;
    for (Eigen::Index j = 0; j < w.size(); ++j) {
      const double left = gradient[j] - path.lambda[k] * (1 - mixing) * w[j], limit = path.lambda[k] * mixing;
      if (w[j] == 0) {
        EXPECT_LE(std::abs(left), limit * (1 + 1e-6));
      } else {
        EXPECT_NEAR(left, std::copysign(limit, w[j]), 1e-6);
      }
    }
  }
  EXPECT_GT(path.nonzero(7), 3);
}

TEST(CoxPath, RidgeIgnoresTheOrderOfStrataAndGoesToCoxWithoutPenalty) {
  const auto cohort = waves(24, 2);
  std::vector<std::string> labels;
  for (int i = 0; i < 24; ++i) labels.push_back(i % 2 ? "a" : "b");
  CoxOptions cox;
  cox.ties = CoxTies::breslow;
  cox.strata = make_groups(labels);
  CoxPathOptions options = at({1e-9}, 0);
  options.strata = cox.strata;
  const auto path = fit_cox_path(cohort.x, cohort.outcome, options);
  const auto model = fit_cox(cohort.x, cohort.outcome, cox);
  EXPECT_NEAR(path.coefficient(0, 0), model.coefficient[0], 1e-6);
  EXPECT_NEAR(path.coefficient(1, 0), model.coefficient[1], 1e-6);
  EXPECT_NEAR(path.log_likelihood[0], model.log_likelihood, 1e-9);
  EXPECT_NEAR(path.predict(cohort.x, 0).mean(), 0, 1e-12);
}

// Deaths at 1 and 2 of three subjects with x = 1, 0, -1 (standardised: +-a, a = sqrt(3/2)):
// l'(w) = a [1 - (e - 1/e)/(e + 1 + 1/e)] + a [0 + (1/e)/(1 + 1/e)] with e = exp(a w), and l'(w)/3 = lambda w.
TEST(CoxPath, GradientOfRidgeByHand) {
  const Outcome outcome{{1, 2, 3}, {1, 1, 0}};
  const auto path = fit_cox_path(Eigen::Vector3d(1, 0, -1), outcome, at({0.5}, 0));
  const double a = std::sqrt(1.5), w = path.coefficient(0, 0) * path.deviation[0], e = std::exp(a * w);
  EXPECT_NEAR(path.deviation[0], std::sqrt(2.0 / 3), 1e-15);
  const double gradient = a * (1 - (e - 1 / e) / (e + 1 + 1 / e)) + a * (1 / e) / (1 + 1 / e);
  EXPECT_NEAR(gradient / 3, 0.5 * w, 1e-6);
  EXPECT_GT(w, 0.1);
}

// More features than subjects: a feature seen k times is the one feature with a penalty k times smaller.
TEST(CoxPath, RidgeOfRepeatedFeatures) {
  const auto cohort = waves(24, 1);
  Eigen::MatrixXd wide(24, 48);
  for (Eigen::Index j = 0; j < 48; ++j) wide.col(j) = cohort.x.col(0);
  const auto many = fit_cox_path(wide, cohort.outcome, at({4.8}, 0)), one = fit_cox_path(cohort.x, cohort.outcome, at({0.1}, 0));
  EXPECT_NEAR(many.coefficient.col(0).sum(), one.coefficient(0, 0), 1e-8);
  EXPECT_NEAR((many.predict(wide, 0) - one.predict(cohort.x, 0)).cwiseAbs().maxCoeff(), 0, 1e-8);
}

// Without a slope the baseline is Nelson and Aalen's: deaths over at risk, 1/3 and 1/2.
TEST(CoxPathBaseline, WithoutASlopeIsNelsonAalens) {
  const Outcome outcome{{1, 2, 3}, {1, 1, 0}};
  const Eigen::MatrixXd x = Eigen::Vector3d(1, 0, -1);
  const auto path = fit_cox_path(x, outcome, at({1e9}, 0));
  const auto baseline = path_baseline(path, 0, x, outcome).front();
  EXPECT_EQ(baseline.at(0.5), 0);
  EXPECT_NEAR(baseline.at(1), 1.0 / 3, 1e-8);
  EXPECT_NEAR(baseline.at(5), 5.0 / 6, 1e-8);
  EXPECT_NEAR(baseline.at(1, std::log(2)), 2.0 / 3, 1e-8);
}

TEST(CoxPathBaseline, WithoutPenaltyPredictsWhatCoxRegressionDoes) {
  const auto cohort = waves(24, 2);
  CoxOptions cox;
  cox.ties = CoxTies::breslow;
  const auto model = fit_cox(cohort.x, cohort.outcome, cox);
  const auto path = fit_cox_path(cohort.x, cohort.outcome, at({1e-9}, 0));
  const auto baseline = path_baseline(path, 0, cohort.x, cohort.outcome).front();
  const double predictor = path.predict(cohort.x, 0)[5];
  EXPECT_NEAR(std::exp(-baseline.at(9, predictor)), predicted_survival(model, cohort.x.row(5), 9), 1e-6);
  EXPECT_THROW(path_baseline(path, 1, cohort.x, cohort.outcome), std::invalid_argument);
  EXPECT_THROW(path_baseline(path, 0, cohort.x.leftCols(1), cohort.outcome), std::invalid_argument);
}

TEST(CoxPath, AConstantFeatureGetsNothing) {
  auto cohort = waves(24, 3);
  cohort.x.col(1).setConstant(0.1);
  for (const double mixing : {0.0, 1.0}) {
    const auto path = fit_cox_path(cohort.x, cohort.outcome, at({0.01}, mixing));
    EXPECT_EQ(path.coefficient(1, 0), 0);
    EXPECT_EQ(path.deviation[1], 1);
  }
}

// cv.glmnet(x, y, family = "cox", alpha = 0.5, lambda = c(0.3, 0.1, 0.02), foldid = rep(1:4, 6), thresh = 1e-20): cvm, cvsd;
// then with ties, alpha = 0, lambda = c(3, 0.1, 0.02).
TEST(CoxPathValidation, IsGlmnets) {
  const auto cohort = waves(24, 4), tied = waves(24, 4, true);
  std::vector<int> fold;
  for (int i = 0; i < 24; ++i) fold.push_back(i % 4);
  const auto cv = validate_cox_path(cohort.x, cohort.outcome, fold, at({0.3, 0.1, 0.02}, 0.5));
  const std::vector<double> mean{6.26344977903, 6.68167382029, 7.22735248288},
      error{0.244924973436, 0.237542327020, 0.246018852790};
  const auto ridge = validate_cox_path(tied.x, tied.outcome, fold, at({3, 0.1, 0.02}, 0));
  const std::vector<double> ridge_mean{3.87696102197, 4.65201558209, 4.88926585028},
      ridge_error{0.187762783621, 0.227595668939, 0.233424146954};
  for (std::size_t k = 0; k < 3; ++k) {
    EXPECT_NEAR(cv.mean[k], mean[k], 1e-6);
    EXPECT_NEAR(cv.std_err[k], error[k], 1e-6);
    EXPECT_NEAR(ridge.mean[k], ridge_mean[k], 5e-6);   // glmnet's descent stops that far from the maximum
    EXPECT_NEAR(ridge.std_err[k], ridge_error[k], 5e-6);
  }
  EXPECT_EQ(cv.best, 0u);
  EXPECT_EQ(cv.one_error, 0u);
}

TEST(CoxPathErrors, AreNamed) {
  const auto cohort = waves(24, 4);
  const auto refuses = [&](const Eigen::MatrixXd& x, const Outcome& outcome, const CoxPathOptions& options) {
    EXPECT_THROW(fit_cox_path(x, outcome, options), std::invalid_argument);
  };
  refuses(cohort.x.topRows(23), cohort.outcome, {});
  refuses(cohort.x.leftCols(0), cohort.outcome, {});
  refuses(cohort.x, cohort.outcome, at({1, 1}, 0));
  refuses(cohort.x, cohort.outcome, at({1, 0}, 0));
  refuses(cohort.x, cohort.outcome, at({1}, 1.5));
  refuses(Eigen::MatrixXd::Ones(24, 4), cohort.outcome, {});   // nothing to make a path from
  Outcome censored = cohort.outcome, late = cohort.outcome;
  censored.event.assign(24, 0);
  late.entry.assign(24, 0.0);
  refuses(cohort.x, censored, {});
  refuses(cohort.x, late, {});
  Eigen::MatrixXd broken = cohort.x;
  broken(3, 2) = NAN;
  refuses(broken, cohort.outcome, {});
  EXPECT_THROW(validate_cox_path(cohort.x, cohort.outcome, std::vector<int>(24, 0)), std::invalid_argument);
  EXPECT_THROW(validate_cox_path(cohort.x, cohort.outcome, std::vector<int>(23, 0)), std::invalid_argument);
  std::vector<int> gap(24, 0);
  gap[0] = 2;
  EXPECT_THROW(validate_cox_path(cohort.x, cohort.outcome, gap), std::invalid_argument);
}

}  // namespace
}  // namespace clmnet::survival
