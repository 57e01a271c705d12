#include "survival/linear_algebra.h"

#include <gtest/gtest.h>

#include <cmath>
#include <limits>

namespace clmnet::survival {
namespace {

// [[4, 2], [2, 5]] has the inverse [[5, -2], [-2, 4]] / 16.
TEST(LenientCholesky, ByHand) {
  const LenientCholesky factor(Eigen::Matrix2d{{4, 2}, {2, 5}});
  EXPECT_EQ(factor.kept(), (std::vector<Eigen::Index>{0, 1}));
  const Eigen::VectorXd solution = factor.solve(Eigen::Vector2d(8, 12));
  EXPECT_NEAR(solution[0], 1, 1e-15);
  EXPECT_NEAR(solution[1], 2, 1e-15);
  EXPECT_NEAR((factor.inverse() - Eigen::Matrix2d{{5, -2}, {-2, 4}} / 16).norm(), 0, 1e-15);
}

// The third column is the sum of the first two: it is left out, the others are as without it.
TEST(LenientCholesky, LeavesOutWhatEarlierColumnsExplain) {
  const LenientCholesky factor(Eigen::Matrix3d{{4, 2, 6}, {2, 5, 7}, {6, 7, 13}});
  EXPECT_EQ(factor.kept(), (std::vector<Eigen::Index>{0, 1}));
  const Eigen::VectorXd solution = factor.solve(Eigen::Vector3d(8, 12, 20));
  EXPECT_NEAR(solution[0], 1, 1e-14);
  EXPECT_NEAR(solution[1], 2, 1e-14);
  EXPECT_EQ(solution[2], 0);
  EXPECT_EQ(factor.inverse().row(2).cwiseAbs().sum(), 0);
  EXPECT_NEAR(factor.inverse()(0, 0), 5.0 / 16, 1e-14);
}

TEST(LenientCholesky, MeasuresPivotsAgainstTheLargest) {
  const Eigen::Matrix2d steep{{1, 0}, {0, 1e-13}};
  EXPECT_EQ(LenientCholesky(steep).kept().size(), 1u);
  EXPECT_EQ(LenientCholesky(steep, 1e-14).kept().size(), 2u);
}

TEST(LenientCholesky, NothingToEstimate) {
  EXPECT_TRUE(LenientCholesky(Eigen::MatrixXd(0, 0)).kept().empty());
  EXPECT_TRUE(LenientCholesky(Eigen::Matrix2d::Zero()).kept().empty());
  const double nothing = std::numeric_limits<double>::quiet_NaN();
  EXPECT_EQ(LenientCholesky(Eigen::Matrix2d{{nothing, 0}, {0, 1}}).kept(), std::vector<Eigen::Index>{1});
}

// 2 y = 4 and 3 x + y = 5: the first pivot is 0.
TEST(SolveByElimination, ExchangesRows) {
  const Eigen::VectorXd x = solve_by_elimination(Eigen::MatrixXd{{0, 2}, {3, 1}}, Eigen::VectorXd{{4, 5}});
  EXPECT_DOUBLE_EQ(x[0], 1);
  EXPECT_DOUBLE_EQ(x[1], 2);
}

TEST(SolveByElimination, SingularGivesNaN) {
  EXPECT_TRUE(solve_by_elimination(Eigen::MatrixXd{{1, 2}, {2, 4}}, Eigen::VectorXd{{1, 2}}).hasNaN());
  EXPECT_TRUE(solve_by_elimination(Eigen::MatrixXd::Zero(2, 2), Eigen::VectorXd{{1, 2}}).hasNaN());
  EXPECT_TRUE(solve_by_elimination(Eigen::MatrixXd{{1, 1}, {1, 1 + 1e-16}}, Eigen::VectorXd{{1, 2}}).hasNaN());
}

TEST(SolveByElimination, AllowsWhatRAllows) {
  const Eigen::VectorXd x = solve_by_elimination(Eigen::MatrixXd{{1, 1}, {1, 1 + 1e-14}}, Eigen::VectorXd{{1, 1}});
  EXPECT_NEAR(x[0], 1, 1e-12);
  EXPECT_NEAR(x[1], 0, 1e-12);
}

}  // namespace
}  // namespace clmnet::survival
