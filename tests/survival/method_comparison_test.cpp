#include "survival/method_comparison.h"

#include <algorithm>
#include <bit>
#include <cmath>
#include <numeric>

#include <gtest/gtest.h>

#include "survival/random.h"
#include "survival/rank_tests.h"

namespace clmnet::survival {
namespace {

using Values = std::vector<double>;

// Shrout & Fleiss 1979, table 2 (six targets, four judges) and table 4; intervals as printed for these data by R's psych.
TEST(Icc, PublishedSixForms) {
  Eigen::MatrixXd values(6, 4);
  values << 9, 2, 5, 8, 6, 1, 3, 2, 8, 4, 6, 8, 7, 1, 2, 6, 10, 5, 6, 9, 6, 2, 4, 7;
  const IccTable t = icc(values);
  EXPECT_NEAR(t.icc1.value, 0.17, 5e-3);
  EXPECT_NEAR(t.icc2.value, 0.29, 5e-3);
  EXPECT_NEAR(t.icc3.value, 0.71, 6e-3);
  EXPECT_NEAR(t.icc1k.value, 0.44, 5e-3);
  EXPECT_NEAR(t.icc2k.value, 0.62, 5e-3);
  EXPECT_NEAR(t.icc3k.value, 0.91, 5e-3);
  EXPECT_NEAR(t.ms_rows, 11.24, 5e-3);
  EXPECT_NEAR(t.ms_columns, 32.49, 5e-3);
  EXPECT_NEAR(t.ms_error, 1.02, 5e-3);
  EXPECT_NEAR(t.ms_within, 6.26, 5e-3);
  EXPECT_NEAR(t.icc1.lower, -0.133, 1e-3);
  EXPECT_NEAR(t.icc1.upper, 0.72, 5e-3);
  EXPECT_NEAR(t.icc2.lower, 0.019, 1e-3);
  EXPECT_NEAR(t.icc2.upper, 0.76, 5e-3);
  EXPECT_NEAR(t.icc3.lower, 0.342, 1e-3);
  EXPECT_NEAR(t.icc3.upper, 0.95, 5e-3);
  EXPECT_NEAR(t.icc3k.lower, 0.676, 1e-3);
}

TEST(Icc, ShiftedRatersAreConsistentButDoNotAgree) {
  Eigen::MatrixXd values(4, 2);
  values << 1, 11, 2, 12, 3, 13, 5, 15;
  const IccTable t = icc(values);
  EXPECT_NEAR(t.icc3.value, 1, 1e-12);
  EXPECT_LT(t.icc2.value, 0.1);
}

TEST(Icc, UndefinedAndRefused) {
  EXPECT_TRUE(std::isnan(icc(Eigen::MatrixXd::Ones(1, 3)).icc1.value));
  EXPECT_TRUE(std::isnan(icc(Eigen::MatrixXd::Ones(5, 1)).icc2.value));
  EXPECT_TRUE(std::isnan(icc(Eigen::MatrixXd::Ones(5, 3)).icc3.value));   // nothing varies
  Eigen::MatrixXd values = Eigen::MatrixXd::Ones(3, 3);
  values(1, 1) = NAN;
  EXPECT_THROW(icc(values), std::invalid_argument);
}

// {1, 2, 3} against itself + 1: variance 2/3, shift 1, ccc = 2 (2/3) / (4/3 + 1) = 4/7; with n - 1: 2 / (2 + 1) = 2/3.
TEST(LinCcc, ByHand) {
  const auto ccc = lin_ccc({1, 2, 3}, {2, 3, 4});
  EXPECT_NEAR(ccc.moments_n, 4.0 / 7, 1e-14);
  EXPECT_NEAR(ccc.moments_n1, 2.0 / 3, 1e-14);
  EXPECT_EQ(lin_ccc({1, 2, 3}, {1, 2, 3}).moments_n, 1);
}

TEST(LinCcc, IntervalCoversTheTruth) {
  Random random(4);
  int covered = 0;
  constexpr int kStudies = 400;
  for (int study = 0; study < kStudies; ++study) {
    Values a, b;
    for (int i = 0; i < 80; ++i) {   // variance 2 each, covariance 1, shift 0.5: ccc = 2 / (4 + 0.25)
      const auto normal = [&] {
        return std::sqrt(-2 * std::log(1 - random.uniform())) * std::cos(6.283185307179586 * random.uniform());
      };
      const double common = normal();
      a.push_back(common + normal());
      b.push_back(common + normal() + 0.5);
    }
    const auto ccc = lin_ccc(a, b);
    covered += ccc.lower <= 2 / 4.25 && 2 / 4.25 <= ccc.upper;
  }
  EXPECT_NEAR(covered / double(kStudies), 0.95, 0.035);
}

// Differences -1, 0, 1, 4: mean 1, squared deviations 4 + 1 + 0 + 9 = 14, sd sqrt(14/3).
TEST(BlandAltmanTest, ByHand) {
  const auto ba = bland_altman({1, 2, 3, 4}, {2, 2, 2, 0});
  EXPECT_DOUBLE_EQ(ba.bias, 1);
  EXPECT_NEAR(ba.sd, std::sqrt(14.0 / 3), 1e-14);
  EXPECT_NEAR(ba.loa_upper, 1 + 1.96 * std::sqrt(14.0 / 3), 1e-14);
  EXPECT_NEAR(ba.bias_upper - ba.bias, 3.182446305284263 * std::sqrt(14.0 / 3) / 2, 1e-10);   // t(0.975, 3)
  EXPECT_EQ(bland_altman({1, 2, 3}, {1, 2, 3}).sd, 0);
  EXPECT_TRUE(std::isnan(bland_altman({1}, {2}).sd));
}

TEST(Correlations, ByHand) {
  EXPECT_NEAR(pearson({1, 2, 3, 4}, {1, 3, 2, 4}).r, 0.8, 1e-14);
  EXPECT_NEAR(pearson({1, 2, 3, 4}, {1, 3, 2, 4}).p, 0.2, 1e-12);   // t = 0.8 sqrt(2 / 0.36), 2 df: p = 1 - |r|
  EXPECT_NEAR(spearman({1, 20, 300, 4000}, {1, 3, 2, 4}).r, 0.8, 1e-14);
  EXPECT_NEAR(kendall_tau_b({1, 2, 3, 4}, {1, 3, 2, 4}).r, 4.0 / 6, 1e-14);
  EXPECT_NEAR(kendall_tau_b({1, 1, 2}, {1, 2, 3}).r, 2 / std::sqrt(2.0 * 3), 1e-14);   // one tie among three pairs
  EXPECT_NEAR(pearson({1, 2}, {5, 3}).r, -1, 1e-15);
}

TEST(Correlations, ConstantColumnIsUndefined) {
  const Values constant{0.1, 0.1, 0.1}, other{1, 2, 4};
  EXPECT_TRUE(std::isnan(pearson(constant, other).r));
  EXPECT_TRUE(std::isnan(spearman(constant, other).p));
  EXPECT_TRUE(std::isnan(kendall_tau_b(constant, other).r));
  EXPECT_EQ(lin_ccc(constant, other).moments_n, 0);
  EXPECT_TRUE(std::isnan(lin_ccc(constant, constant).moments_n));
}

TEST(Comparison, RefusesUnpairedAndInfinite) {
  EXPECT_THROW(pearson({1, 2}, {1}), std::invalid_argument);
  EXPECT_THROW(pearson({}, {}), std::invalid_argument);
  EXPECT_THROW(spearman({1, NAN}, {1, 2}), std::invalid_argument);
  EXPECT_THROW(kendall_tau_b({1, INFINITY}, {1, 2}), std::invalid_argument);
  EXPECT_THROW(lin_ccc({1}, {1, 2}), std::invalid_argument);
  EXPECT_THROW(bland_altman({1, NAN}, {1, 2}), std::invalid_argument);
  EXPECT_THROW(paired_t({1, 2}, {1}), std::invalid_argument);
  EXPECT_THROW(wilcoxon_signed_rank({}, {}), std::invalid_argument);
  EXPECT_THROW(mann_whitney({}, {1}), std::invalid_argument);
}

/// min(1, 2 min(P(<=), P(>=))) over all 2^n signs.
double slow_wilcoxon(const Values& d) {
  Values size;
  for (const double v : d) size.push_back(std::abs(v));
  const auto ranks = mid_ranks(size);
  double seen = 0;
  for (std::size_t i = 0; i < d.size(); ++i) seen += d[i] > 0 ? ranks[i] : 0;
  double below = 0, above = 0;
  for (unsigned signs = 0; signs < (1u << d.size()); ++signs) {
    double sum = 0;
    for (std::size_t i = 0; i < d.size(); ++i) sum += (signs >> i & 1) ? ranks[i] : 0;
    below += sum <= seen;
    above += sum >= seen;
  }
  return std::min(1.0, 2 * std::min(below, above) / std::pow(2.0, double(d.size())));
}

TEST(Wilcoxon, ExactAgreesWithAllSigns) {
  for (const Values& d :
       {Values{1, 2, -3, 4, 5, 6}, Values{-0.5, 1.1, 2.2, 3, -4.4, 5.1, 6, 7, -8.8, 10}, Values{1, 1, -1, 2, 3, 3}}) {
    const auto test = wilcoxon_signed_rank(d, Values(d.size(), 0.0));
    EXPECT_EQ(test.method, "exact");
    EXPECT_NEAR(test.p, slow_wilcoxon(d), 1e-12);
  }
}

TEST(Wilcoxon, NormalApproximationByHand) {
  Values a(20, 0.0), b(20, 0.0);
  for (int i = 0; i < 20; ++i) a[i] = i < 15 ? 1 : -1;   // all tied: ranks 10.5, R+ = 157.5, mean 105
  const auto test = wilcoxon_signed_rank(a, b);
  EXPECT_EQ(test.method, "normal approximation");
  EXPECT_DOUBLE_EQ(test.statistic, 52.5);
  const double variance = (20.0 * 21 * 41 - (8000 - 20) / 2.0) / 24;
  EXPECT_NEAR(test.p, std::erfc(52.5 / std::sqrt(variance) / std::sqrt(2.0)), 1e-12);
  EXPECT_TRUE(std::isnan(wilcoxon_signed_rank(b, b).p));
}

TEST(MannWhitney, ExactAgreesWithAllSplits) {
  const Values all{1, 2.5, 3, 4.2, 5, 6.1, 7, 8.3, 9};
  for (const unsigned first : {0b000001111u, 0b101010101u, 0b111000000u}) {
    Values a, b;
    for (int i = 0; i < 9; ++i) ((first >> i & 1) ? a : b).push_back(all[i]);
    const auto test = mann_whitney(a, b);
    const auto u_of = [&](unsigned set) {
      double u = 0;
      for (int i = 0; i < 9; ++i) {
        for (int j = 0; j < 9; ++j) u += (set >> i & 1) && !(set >> j & 1) && i > j;
      }
      return u;
    };
    double more = 0, splits = 0;
    const double extreme = std::max(u_of(first), a.size() * b.size() - u_of(first));
    for (unsigned set = 0; set < 512; ++set) {
      if (std::popcount(set) != static_cast<int>(a.size())) continue;
      ++splits;
      more += u_of(set) >= extreme;
    }
    EXPECT_EQ(test.method, "exact");
    EXPECT_DOUBLE_EQ(test.statistic, u_of(first));
    EXPECT_NEAR(test.p, std::min(1.0, 2 * more / splits), 1e-12);
  }
}

TEST(MannWhitney, TiesByHand) {
  const auto test = mann_whitney({1, 2, 2}, {2, 3, 4});   // U = 0 + 1/2 + 1/2
  EXPECT_DOUBLE_EQ(test.statistic, 1);
  const double variance = 9.0 / 12 * (7 - (27 - 3) / 30.0);
  EXPECT_NEAR(test.p, std::erfc((8 - 4.5 - 0.5) / std::sqrt(variance) / std::sqrt(2.0)), 1e-12);
  EXPECT_EQ(mann_whitney({1, 1}, {1, 1}).p, 1);
}

// Differences 1, 2, 3: mean 2, sd 1, t = 2 sqrt(3).
TEST(PairedT, ByHand) {
  const auto test = paired_t({1, 2, 3}, {0, 0, 0});
  EXPECT_NEAR(test.statistic, 2 * std::sqrt(3.0), 1e-14);
  EXPECT_NEAR(test.p, 1 - std::sqrt(12.0 / 14), 1e-12);   // 2 df: p = 1 - t / sqrt(t^2 + 2)
  EXPECT_TRUE(std::isnan(paired_t({1, 2}, {1, 2}).p));
  EXPECT_TRUE(std::isnan(paired_t({1}, {2}).p));
}

}  // namespace
}  // namespace clmnet::survival
