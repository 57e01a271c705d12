#include "survival/pivoted_qr.h"

#include <gtest/gtest.h>

#include <Eigen/Dense>

#include "survival/random.h"

namespace clmnet::survival {
namespace {

using Columns = std::vector<Eigen::Index>;

constexpr double kTolerance = 1e-11;

// A line through (0, 1), (1, 2), (2, 4): X'X = [3 3; 3 5], its inverse [5 -3; -3 3] / 6, X'y = (7, 10).
TEST(PivotedQr, LineByHand) {
  Eigen::MatrixXd x(3, 2);
  x << 1, 0, 1, 1, 1, 2;
  const PivotedQr factor(x, kTolerance);
  EXPECT_EQ(factor.rank(), 2);
  EXPECT_EQ(factor.columns(), (Columns{0, 1}));
  const Eigen::VectorXd coefficient = factor.solve(Eigen::VectorXd{{1, 2, 4}});
  EXPECT_NEAR(coefficient[0], 5.0 / 6, 1e-15);
  EXPECT_NEAR(coefficient[1], 1.5, 1e-15);
  EXPECT_NEAR((factor.inverse_of_square() - Eigen::MatrixXd{{5. / 6, -.5}, {-.5, .5}}).norm(), 0, 1e-15);
}

TEST(PivotedQr, ExplainedColumnsGoToTheEndAndGetNoCoefficient) {
  Eigen::MatrixXd x(4, 5);
  x << 1, 3, 0, 0, 5,
       1, 3, 1, 0, 2,
       1, 3, 2, 0, 7,
       1, 3, 5, 0, 1;
  const PivotedQr factor(x, kTolerance);   // 3 is three times the first, the fourth is 0
  EXPECT_EQ(factor.rank(), 3);
  EXPECT_EQ(factor.columns(), (Columns{0, 2, 4, 1, 3}));
  const Eigen::VectorXd coefficient = factor.solve(x.col(0) * 2 - x.col(2) + x.col(4) / 2);
  EXPECT_NEAR((coefficient - Eigen::VectorXd{{2, 0, -1, 0, .5}}).norm(), 0, 1e-14);
  EXPECT_EQ(factor.inverse_of_square().rows(), 3);
}

TEST(PivotedQr, ToleranceDecidesWhatIsExplained) {
  Eigen::MatrixXd x(3, 2);
  x << 1, 1, 1, 1 + 1e-9, 1, 1;
  EXPECT_EQ(PivotedQr(x, 1e-11).rank(), 2);
  EXPECT_EQ(PivotedQr(x, 1e-7).rank(), 1);
}

TEST(PivotedQr, NothingButZerosHasRankZero) {
  const PivotedQr factor(Eigen::MatrixXd::Zero(3, 2), kTolerance);
  EXPECT_EQ(factor.rank(), 0);
  EXPECT_EQ(factor.solve(Eigen::VectorXd::Ones(3)), Eigen::VectorXd::Zero(2));
}

TEST(PivotedQr, MoreColumnsThanRowsFitExactly) {
  Eigen::MatrixXd x(2, 3);
  x << 1, 2, 3, 1, 4, 1;
  const PivotedQr factor(x, kTolerance);
  EXPECT_EQ(factor.rank(), 2);
  const Eigen::VectorXd right{{5, 9}}, coefficient = factor.solve(right);
  EXPECT_EQ(coefficient[2], 0);
  EXPECT_NEAR((x * coefficient - right).norm(), 0, 1e-14);
}

TEST(PivotedQr, AgreesWithEigen) {
  Random random(5);
  Eigen::MatrixXd x(40, 7);
  Eigen::VectorXd right(40);
  for (double& value : x.reshaped()) value = random.uniform() - 0.3;
  for (double& value : right) value = random.uniform();
  const PivotedQr factor(x, kTolerance);
  EXPECT_NEAR((factor.solve(right) - x.householderQr().solve(right)).norm(), 0, 1e-12);
  EXPECT_NEAR((factor.inverse_of_square() - (x.transpose() * x).inverse()).norm(), 0, 1e-12);
}

}  // namespace
}  // namespace clmnet::survival
