#include "survival/agreement.h"

#include <cmath>

#include <gtest/gtest.h>

#include "survival/distributions.h"
#include "survival/random.h"

namespace clmnet::survival {
namespace {

Eigen::MatrixXd random_table(int k, std::uint64_t seed) {
  Random random(seed);
  Eigen::MatrixXd table(k, k);
  for (int i = 0; i < k; ++i) {
    for (int j = 0; j < k; ++j) table(i, j) = random.below(10) + (i == j ? 20 : 0);
  }
  return table;
}

double share_kappa(const Eigen::MatrixXd& p, int power) {   // by disagreement: 1 - sum v p / sum v p_i p_j
  double seen = 0, chance = 0;
  for (Eigen::Index i = 0; i < p.rows(); ++i) {
    for (Eigen::Index j = 0; j < p.cols(); ++j) {
      const double v = power == 0 ? i != j : std::pow(std::abs(double(i - j)), power);
      seen += v * p(i, j);
      chance += v * p.row(i).sum() * p.col(j).sum();
    }
  }
  return 1 - seen / chance;
}

/// Delta method with numerical slopes: counts are multinomial with shares q.
double slow_std_err(const Eigen::MatrixXd& q, double n, int power) {
  double mean = 0, squares = 0;
  for (Eigen::Index i = 0; i < q.rows(); ++i) {
    for (Eigen::Index j = 0; j < q.cols(); ++j) {
      constexpr double kStep = 1e-6;
      Eigen::MatrixXd up = q, down = q;
      up(i, j) += kStep;
      down(i, j) -= kStep;
      const double slope = (share_kappa(up / up.sum(), power) - share_kappa(down / down.sum(), power)) / (2 * kStep);
      mean += q(i, j) * slope;
      squares += q(i, j) * slope * slope;
    }
  }
  return std::sqrt((squares - mean * mean) / n);
}

// Observed 35/50, by chance 0.5 * 0.6 + 0.5 * 0.4 = 0.5: kappa = 0.4.
TEST(CohenKappa, TwoByTwoByHand) {
  Eigen::MatrixXd table(2, 2);
  table << 20, 5, 10, 15;
  const Kappa kappa = cohen_kappa(table);
  EXPECT_NEAR(kappa.kappa, 0.4, 1e-14);
  EXPECT_NEAR(kappa.observed, 0.7, 1e-14);
  EXPECT_NEAR(kappa.expected, 0.5, 1e-14);
  EXPECT_NEAR(kappa.upper - kappa.lower, 2 * 1.959963984540054 * kappa.std_err, 1e-12);
  for (const auto weight : {KappaWeight::linear, KappaWeight::quadratic}) {   // with two categories weights change nothing
    EXPECT_NEAR(cohen_kappa(table, weight).kappa, 0.4, 1e-14);
    EXPECT_NEAR(cohen_kappa(table, weight).std_err, kappa.std_err, 1e-14);
  }
}

TEST(CohenKappa, ErrorsAgreeWithNumericalDeltaMethod) {
  for (int k = 2; k <= 5; ++k) {
    const Eigen::MatrixXd table = random_table(k, 10 + k);
    const Eigen::MatrixXd p = table / table.sum();
    const Eigen::MatrixXd independent = p.rowwise().sum() * p.colwise().sum();
    for (const auto& [weight, power] :
         {std::pair{KappaWeight::unweighted, 0}, {KappaWeight::linear, 1}, {KappaWeight::quadratic, 2}}) {
      const Kappa kappa = cohen_kappa(table, weight);
      EXPECT_NEAR(kappa.kappa, share_kappa(p, power), 1e-12);
      EXPECT_NEAR(kappa.std_err, slow_std_err(p, table.sum(), power), 1e-7);
      EXPECT_NEAR(kappa.std_err_null, slow_std_err(independent, table.sum(), power), 1e-7);
    }
  }
}

TEST(CohenKappa, EmptyCategoriesChangeNothing) {
  const Eigen::MatrixXd table = random_table(3, 1);
  Eigen::MatrixXd wider = Eigen::MatrixXd::Zero(5, 5);
  wider.topLeftCorner(3, 3) = table;
  for (const auto weight : {KappaWeight::unweighted, KappaWeight::linear, KappaWeight::quadratic}) {
    EXPECT_NEAR(cohen_kappa(wider, weight).kappa, cohen_kappa(table, weight).kappa, 1e-13);
    EXPECT_NEAR(cohen_kappa(wider, weight).std_err, cohen_kappa(table, weight).std_err, 1e-13);
  }
}

TEST(CohenKappa, FullAgreementIsOneWithoutError) {
  const Eigen::MatrixXd table = Eigen::Vector3d(4, 5, 6).asDiagonal();
  const Kappa kappa = cohen_kappa(table);
  EXPECT_NEAR(kappa.kappa, 1, 1e-15);
  EXPECT_NEAR(kappa.std_err, 0, 1e-7);
}

TEST(CohenKappa, OneCategoryOnlyIsUndefined) {
  Eigen::MatrixXd table = Eigen::MatrixXd::Zero(3, 3);
  table(1, 1) = 30;
  const Kappa kappa = cohen_kappa(table);
  EXPECT_TRUE(std::isnan(kappa.kappa));
  EXPECT_TRUE(std::isnan(kappa.std_err));
  EXPECT_EQ(kappa.observed, 1);
  EXPECT_TRUE(std::isnan(cohen_kappa(Eigen::MatrixXd::Zero(2, 2)).kappa));
  EXPECT_TRUE(std::isnan(cohen_kappa(Eigen::MatrixXd::Constant(1, 1, 5)).kappa));
}

TEST(CohenKappa, OneConstantRaterAgreesByChanceOnly) {
  Eigen::MatrixXd table(2, 2);
  table << 12, 0, 8, 0;   // the second rater always says 0
  EXPECT_NEAR(cohen_kappa(table).kappa, 0, 1e-15);
}

TEST(CohenKappa, RefusesWhatIsNoTable) {
  EXPECT_THROW(cohen_kappa(Eigen::MatrixXd::Zero(2, 3)), std::invalid_argument);
  Eigen::MatrixXd table = random_table(2, 1);
  EXPECT_THROW(cohen_kappa(table, KappaWeight::linear, 1.0), std::invalid_argument);
  table(0, 1) = -1;
  EXPECT_THROW(cohen_kappa(table), std::invalid_argument);
  table(0, 1) = NAN;
  EXPECT_THROW(cohen_kappa(table), std::invalid_argument);
  EXPECT_THROW(agreement_table({0, 1}, {0}, 2), std::invalid_argument);
  EXPECT_THROW(agreement_table({0, 2}, {0, 1}, 2), std::invalid_argument);
  EXPECT_THROW(agreement_table({0, -1}, {0, 1}, 2), std::invalid_argument);
}

// Fleiss 1971 as given in many textbooks: 10 subjects, 14 raters, 5 categories; kappa 0.210.
TEST(FleissKappa, Published) {
  Eigen::MatrixXd counts(10, 5);
  counts << 0, 0, 0, 0, 14, 0, 2, 6, 4, 2, 0, 0, 3, 5, 6, 0, 3, 9, 2, 0, 2, 2, 8, 1, 1, 7, 7, 0, 0, 0, 3, 2, 6, 3, 0, 2,
      5, 3, 2, 2, 6, 5, 2, 1, 0, 0, 2, 2, 3, 7;
  const FleissKappa fleiss = fleiss_kappa(counts);
  EXPECT_NEAR(fleiss.kappa, 0.210, 5e-4);
  EXPECT_NEAR(fleiss.observed, 0.378, 5e-4);
  EXPECT_NEAR(fleiss.expected, 0.213, 5e-4);
  EXPECT_EQ(fleiss.raters, 14);
}

// Under random ratings kappa / error must be standard normal: mean 0 and standard deviation 1 over many studies.
TEST(FleissKappa, ErrorUnderChance) {
  Random random(5);
  double sum = 0, squares = 0;
  constexpr int kStudies = 800;
  for (int study = 0; study < kStudies; ++study) {
    Eigen::MatrixXd counts = Eigen::MatrixXd::Zero(400, 3);
    for (int i = 0; i < 400; ++i) {
      for (int rater = 0; rater < 4; ++rater) {
        const double u = random.uniform();
        counts(i, u < 0.5 ? 0 : u < 0.8 ? 1 : 2) += 1;
      }
    }
    const double z = fleiss_kappa(counts).z;
    sum += z;
    squares += z * z;
  }
  EXPECT_NEAR(sum / kStudies, 0, 0.15);
  EXPECT_NEAR(std::sqrt(squares / kStudies), 1, 0.08);
}

TEST(FleissKappa, UndefinedAndRefused) {
  EXPECT_TRUE(std::isnan(fleiss_kappa(Eigen::MatrixXd(0, 3)).kappa));
  Eigen::MatrixXd counts(2, 2);
  counts << 3, 0, 3, 0;
  EXPECT_TRUE(std::isnan(fleiss_kappa(counts).kappa));
  counts << 1, 0, 0, 1;   // one rater
  EXPECT_TRUE(std::isnan(fleiss_kappa(counts).kappa));
  counts << 2, 1, 1, 1;
  EXPECT_THROW(fleiss_kappa(counts), std::invalid_argument);
}

// Newcombe 1998 (Stat Med 17:857): 81/263 Wilson 0.2553-0.3662, exact 0.2527-0.3676; 0/20 Wilson 0-0.1611, exact 0-0.1684.
TEST(ConcordanceRateTest, Published) {
  const ConcordanceRate p = concordance_rate(81, 263);
  EXPECT_NEAR(p.wilson_lower, 0.2553, 5e-5);
  EXPECT_NEAR(p.wilson_upper, 0.3662, 5e-5);
  EXPECT_NEAR(p.exact_lower, 0.2527, 5e-5);
  EXPECT_NEAR(p.exact_upper, 0.3676, 5e-5);
  const ConcordanceRate none = concordance_rate(0, 20);
  EXPECT_EQ(none.wilson_lower, 0);
  EXPECT_NEAR(none.wilson_upper, 0.1611, 5e-5);
  EXPECT_NEAR(none.exact_upper, 0.1684, 5e-5);
  EXPECT_EQ(concordance_rate(20, 20).wilson_upper, 1);
  EXPECT_EQ(concordance_rate(20, 20).exact_upper, 1);
}

TEST(ConcordanceRateTest, UndefinedAndRefused) {
  EXPECT_TRUE(std::isnan(concordance_rate(0, 0).rate));
  EXPECT_TRUE(std::isnan(concordance_rate(0, 0).exact_upper));
  EXPECT_THROW(concordance_rate(3, 2), std::invalid_argument);
  EXPECT_THROW(concordance_rate(-1, 2), std::invalid_argument);
  EXPECT_THROW(concordance_rate(NAN, 2.0), std::invalid_argument);
  EXPECT_THROW(concordance_rate(1, 2, 0), std::invalid_argument);
  EXPECT_THROW(concordance_rate(Eigen::MatrixXd::Ones(2, 3)), std::invalid_argument);
}

}  // namespace
}  // namespace clmnet::survival
