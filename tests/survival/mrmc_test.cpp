#include "survival/mrmc.h"

#include <gtest/gtest.h>

#include <cmath>
#include <functional>

namespace clmnet::survival {
namespace {

/// Every reader reads every case under every treatment; the first `diseased` cases are diseased.
std::vector<Rating> readings(int treatments, int readers, int cases, int diseased,
                             const std::function<double(int treatment, int reader, int case_number)>& rate) {
  std::vector<Rating> rows;
  for (int t = 0; t < treatments; ++t) {
    for (int r = 0; r < readers; ++r) {
      for (int c = 0; c < cases; ++c) {
        rows.push_back({std::to_string(t), std::to_string(r), std::to_string(c), c < diseased, rate(t, r, c)});
      }
    }
  }
  return rows;
}

ObuchowskiRockette analyse(const ReaderStudy& study, AucCovariance method) {
  return obuchowski_rockette(reader_auc(study), reader_auc_covariance(study, method));
}

// Diseased 3, 1; healthy 2, 1: pairs 3>2, 3>1, 1<2, 1=1 make (1 + 1 + 0 + 1/2) / 4.
TEST(ReaderStudy, AreaByHand) {
  const double rating[] = {3, 1, 2, 1};
  const auto study = make_reader_study(readings(1, 1, 4, 2, [&](int, int, int c) { return rating[c]; }));
  EXPECT_DOUBLE_EQ(reader_auc(study)(0, 0), 0.625);
  const Eigen::MatrixXd left_out = leave_one_out_auc(study);
  EXPECT_DOUBLE_EQ(left_out(0, 0), 0.25);   // without the 3
  EXPECT_DOUBLE_EQ(left_out(1, 0), 1);      // without the diseased 1
  EXPECT_DOUBLE_EQ(left_out(2, 0), 0.75);   // without the 2
}

// Placements of the diseased 1 and 1/4, of the healthy 1/2 and 3/4: variances 9/32 / 2 and 1/32 / 2.
TEST(ReaderStudy, DelongVarianceByHand) {
  const double rating[] = {3, 1, 2, 1};
  const auto study = make_reader_study(readings(1, 1, 4, 2, [&](int, int, int c) { return rating[c]; }));
  EXPECT_DOUBLE_EQ(reader_auc_covariance(study, AucCovariance::delong)(0, 0), 10.0 / 64);
}

// The same readings under both treatments: no difference, and no doubt about it. The variance of a reader and the covariance
// with itself must be one number to the last bit, or the square root of the rest would be an error of 1e-9.
TEST(ReaderStudy, SameReadingsHaveNoDifference) {
  const auto study = make_reader_study(readings(2, 3, 23, 10, [](int, int r, int c) { return (c * 7 + r * r * c) % 5; }));
  for (const auto method : {AucCovariance::jackknife, AucCovariance::delong}) {
    const auto result = analyse(study, method);
    EXPECT_GT(result.var_error, 0);
    EXPECT_EQ(result.var_error, result.cov1);
    const auto& difference = result.fixed_readers_random_cases.differences.at(0);
    EXPECT_EQ(difference.estimate, 0);
    EXPECT_LT(difference.std_err, 1e-12);
  }
}

// All readers always right: areas of 1 without variance, and nothing to divide by.
TEST(ReaderStudy, PerfectReaders) {
  const auto study = make_reader_study(readings(2, 3, 10, 5, [](int, int, int c) { return c < 5; }));
  const auto result = analyse(study, AucCovariance::delong);
  EXPECT_EQ(result.fom.minCoeff(), 1);
  EXPECT_EQ(result.var_error, 0);
  EXPECT_TRUE(std::isnan(result.random_readers_random_cases.statistic));
  EXPECT_TRUE(std::isnan(result.random_readers_random_cases.p));
}

// Readers who agree less than by chance: covariances between readers below those between treatments count as 0 (Hillis 2007).
TEST(ReaderStudy, CovarianceBetweenReadersIsNotNegative) {
  const Eigen::MatrixXd fom{{0.7, 0.8}, {0.75, 0.95}};
  Eigen::MatrixXd covariance = Eigen::MatrixXd::Identity(4, 4) * 0.01;
  covariance(0, 1) = covariance(1, 0) = covariance(2, 3) = covariance(3, 2) = -0.002;   // other reader, same treatment
  const auto result = obuchowski_rockette(fom, covariance);
  EXPECT_DOUBLE_EQ(result.cov2, -0.002);
  EXPECT_DOUBLE_EQ(result.random_readers_random_cases.denominator, result.ms_tr);
  EXPECT_DOUBLE_EQ(result.random_readers_random_cases.df2, 1);
  EXPECT_DOUBLE_EQ(result.fixed_readers_random_cases.denominator, 0.01);
}

// Limits of a mean area are symmetric around it and are not cut at 1, as in the Iowa program, RJafroc and MRMCaov.
TEST(ReaderStudy, LimitsAreNotCut) {
  const auto result = obuchowski_rockette(Eigen::MatrixXd{{0.99, 0.95}, {0.90, 0.97}}, Eigen::MatrixXd::Identity(4, 4) * 0.01);
  const auto& first = result.fixed_readers_random_cases.single.at(0);
  EXPECT_GT(first.upper, 1);
  EXPECT_NEAR(first.upper - first.estimate, first.estimate - first.lower, 1e-15);
}

TEST(ReaderStudy, OneTreatmentOrOneReader) {
  const auto rate = [](int t, int r, int c) { return double((c * 5 + t + 2 * r) % 7); };
  const auto one_treatment = analyse(make_reader_study(readings(1, 3, 12, 6, rate)), AucCovariance::jackknife);
  EXPECT_TRUE(std::isnan(one_treatment.ms_t));
  EXPECT_TRUE(one_treatment.random_readers_random_cases.differences.empty());
  EXPECT_GT(one_treatment.random_readers_random_cases.single.at(0).std_err, 0);
  const auto one_reader = analyse(make_reader_study(readings(2, 1, 12, 6, rate)), AucCovariance::jackknife);
  EXPECT_TRUE(std::isnan(one_reader.random_readers_random_cases.statistic));
  EXPECT_GE(one_reader.fixed_readers_random_cases.p, 0);
}

TEST(ReaderStudy, RefusesWhatIsNotCrossed) {
  const auto rate = [](int, int, int c) { return double(c); };
  const auto good = readings(2, 2, 4, 2, rate);
  EXPECT_NO_THROW(make_reader_study(good));
  EXPECT_THROW(make_reader_study({}), std::invalid_argument);
  auto missing = good;
  missing.pop_back();
  EXPECT_THROW(make_reader_study(missing), std::invalid_argument);
  auto twice = good;
  twice.push_back(good.front());
  EXPECT_THROW(make_reader_study(twice), std::invalid_argument);
  auto contradiction = good;
  contradiction.front().diseased = false;
  EXPECT_THROW(make_reader_study(contradiction), std::invalid_argument);
  auto nothing = good;
  nothing.front().rating = std::nan("");
  EXPECT_THROW(make_reader_study(nothing), std::invalid_argument);
  EXPECT_THROW(obuchowski_rockette(Eigen::MatrixXd(2, 2), Eigen::MatrixXd(3, 3)), std::invalid_argument);
}

}  // namespace
}  // namespace clmnet::survival
