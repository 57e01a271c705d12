#include "survival/method_comparison.h"

#include <algorithm>
#include <cmath>
#include <limits>
#include <stdexcept>

#include "survival/distributions.h"
#include "survival/rank_tests.h"
#include "survival/undefined.h"

namespace clmnet::survival {
namespace {

// Means and centred sums of squares and products.
struct Moments {
  double n = 0, mean_a = 0, mean_b = 0, aa = 0, bb = 0, ab = 0;
};

bool constant(const std::vector<double>& v) { return std::all_of(v.begin(), v.end(), [&](double x) { return x == v[0]; }); }

Moments moments(const std::vector<double>& a, const std::vector<double>& b) {
  if (a.size() != b.size() || a.empty()) {
    throw std::invalid_argument("a comparison of methods needs two vectors of one length >= 1, found " +
                                std::to_string(a.size()) + " and " + std::to_string(b.size()));
  }
  Moments m;
  m.n = static_cast<double>(a.size());
  for (std::size_t i = 0; i < a.size(); ++i) {
    if (!std::isfinite(a[i]) || !std::isfinite(b[i])) {
      throw std::invalid_argument("a comparison of methods needs finite numbers, pair " + std::to_string(i) + " is not");
    }
    m.mean_a += a[i];
    m.mean_b += b[i];
  }
  // A constant column's mean is its value, so that its spread is 0 and not rounding.
  m.mean_a = constant(a) ? a[0] : m.mean_a / m.n;
  m.mean_b = constant(b) ? b[0] : m.mean_b / m.n;
  for (std::size_t i = 0; i < a.size(); ++i) {
    const double da = a[i] - m.mean_a, db = b[i] - m.mean_b;
    m.aa += da * da;
    m.bb += db * db;
    m.ab += da * db;
  }
  return m;
}

}  // namespace

Correlation pearson(const std::vector<double>& a, const std::vector<double>& b) {
  const Moments m = moments(a, b);
  Correlation result{kNaN, kNaN, static_cast<int>(a.size())};
  if (m.aa == 0 || m.bb == 0) return result;
  // One root of the product: exactly 1 for values in proportion. Two roots where the product leaves the range of doubles.
  const double product = m.aa * m.bb;
  const double scale = std::isnormal(product) ? std::sqrt(product) : std::sqrt(m.aa) * std::sqrt(m.bb);
  result.r = std::clamp(m.ab / scale, -1.0, 1.0);
  const double df = m.n - 2;
  if (df > 0) {
    result.p = student_two_sided_p(result.r * std::sqrt(df / ((1 - result.r) * (1 + result.r))), df);
  } else {
    result.p = 1;   // two points always lie on a line
  }
  return result;
}

Correlation spearman(const std::vector<double>& a, const std::vector<double>& b) {
  moments(a, b);   // checks
  return pearson(mid_ranks(a), mid_ranks(b));
}

Correlation kendall_tau_b(const std::vector<double>& a, const std::vector<double>& b) {
  moments(a, b);
  const std::size_t n = a.size();
  double score = 0, untied_a = 0, untied_b = 0;
  for (std::size_t i = 0; i < n; ++i) {
    for (std::size_t j = i + 1; j < n; ++j) {
      const int da = (a[i] > a[j]) - (a[i] < a[j]), db = (b[i] > b[j]) - (b[i] < b[j]);
      score += da * db;
      untied_a += da != 0;
      untied_b += db != 0;
    }
  }
  Correlation result{kNaN, kNaN, static_cast<int>(n)};
  if (untied_a == 0 || untied_b == 0) return result;
  result.r = score / (std::sqrt(untied_a) * std::sqrt(untied_b));
  // Kendall 1970, ch. 4: variance of the score given the ties of both.
  const auto sums = [n](const std::vector<double>& values) {
    std::vector<double> sorted = values;
    std::sort(sorted.begin(), sorted.end());
    struct { double v = 0, pairs = 0, triples = 0; } s;
    for (std::size_t begin = 0; begin < n;) {
      std::size_t end = begin;
      while (end < n && sorted[end] == sorted[begin]) ++end;
      const double t = static_cast<double>(end - begin);
      s.v += t * (t - 1) * (2 * t + 5);
      s.pairs += t * (t - 1);
      s.triples += t * (t - 1) * (t - 2);
      begin = end;
    }
    return s;
  };
  const auto ta = sums(a), tb = sums(b);
  const double m = static_cast<double>(n), pairs = m * (m - 1);
  double variance = (pairs * (2 * m + 5) - ta.v - tb.v) / 18 + ta.pairs * tb.pairs / (2 * pairs);
  if (n > 2) variance += ta.triples * tb.triples / (9 * pairs * (m - 2));
  result.p = normal_two_sided_p(score / std::sqrt(variance));
  return result;
}

ConcordanceCorrelation lin_ccc(const std::vector<double>& a, const std::vector<double>& b, double level) {
  const Moments m = moments(a, b);
  const double z_level = normal_z(level);
  ConcordanceCorrelation result{kNaN, kNaN, kNaN, kNaN, static_cast<int>(a.size())};
  const double shift = m.mean_a - m.mean_b;
  const auto ccc = [&](double divisor) {
    const double below = (m.aa + m.bb) / divisor + shift * shift;
    return below > 0 ? 2 * m.ab / divisor / below : kNaN;
  };
  result.moments_n = ccc(m.n);
  if (m.n > 1) result.moments_n1 = ccc(m.n - 1);
  const double c = result.moments_n;
  if (m.n <= 2 || m.aa == 0 || m.bb == 0 || std::isnan(c)) return result;
  const double r = m.ab / (std::sqrt(m.aa) * std::sqrt(m.bb));
  if (std::abs(c) >= 1 || r == 0) {
    if (std::abs(c) >= 1) result.lower = result.upper = c;
    return result;
  }
  const double u2 = shift * shift / (std::sqrt(m.aa / m.n) * std::sqrt(m.bb / m.n));
  const double variance = ((1 - r * r) * c * c / ((1 - c * c) * r * r) +
                           2 * c * c * c * (1 - c) * u2 / (r * (1 - c * c) * (1 - c * c)) -
                           c * c * c * c * u2 * u2 / (2 * r * r * (1 - c * c) * (1 - c * c))) / (m.n - 2);
  const double half = z_level * std::sqrt(std::max(0.0, variance));
  result.lower = std::tanh(std::atanh(c) - half);
  result.upper = std::tanh(std::atanh(c) + half);
  return result;
}

BlandAltman bland_altman(const std::vector<double>& a, const std::vector<double>& b, double level, double multiplier) {
  moments(a, b);
  std::vector<double> d(a.size());
  for (std::size_t i = 0; i < a.size(); ++i) d[i] = a[i] - b[i];
  const Moments m = moments(d, d);
  BlandAltman result;
  result.n = static_cast<int>(a.size());
  result.bias = m.mean_a;
  result.sd = m.n > 1 ? std::sqrt(m.aa / (m.n - 1)) : kNaN;
  result.loa_lower = result.bias - multiplier * result.sd;
  result.loa_upper = result.bias + multiplier * result.sd;
  const double half = m.n > 1 ? student_quantile(1 - (1 - level) / 2, m.n - 1) * result.sd / std::sqrt(m.n) : kNaN;
  result.bias_lower = result.bias - half;
  result.bias_upper = result.bias + half;
  result.loa_std_err = result.sd * std::sqrt(1 / m.n + multiplier * multiplier / (2 * (m.n - 1)));
  return result;
}

namespace {

// F-based interval of ICC(1) or ICC(3): (F_L - 1) / (F_L + k - 1), and 1 - 1 / F_L for the mean of k.
void fill_from_f(Icc& single, Icc& mean, double f, double df1, double df2, double k, double level) {
  const double p = fisher_upper(f, df1, df2), tail = 1 - (1 - level) / 2;
  const double low = f / fisher_quantile(tail, df1, df2), high = f * fisher_quantile(tail, df2, df1);
  single = {(f - 1) / (f + k - 1), (low - 1) / (low + k - 1), (high - 1) / (high + k - 1), f, df1, df2, p};
  mean = {1 - 1 / f, 1 - 1 / low, 1 - 1 / high, f, df1, df2, p};
}

// ICC(2): Satterthwaite's degrees of freedom (Shrout & Fleiss 1979, p. 424).
void fill_icc2(IccTable& t, double level) {
  const double n = t.subjects, k = t.raters, tail = 1 - (1 - level) / 2;
  const double r = t.ms_rows, c = t.ms_columns, e = t.ms_error;
  t.icc2.value = (r - e) / (r + (k - 1) * e + k * (c - e) / n);
  t.icc2k.value = (r - e) / (r + (c - e) / n);
  t.icc2.f = t.icc2k.f = r / e;
  t.icc2.df1 = t.icc2k.df1 = n - 1;
  t.icc2.df2 = t.icc2k.df2 = (n - 1) * (k - 1);
  t.icc2.p = t.icc2k.p = fisher_upper(r / e, n - 1, (n - 1) * (k - 1));
  const double rho = t.icc2.value, fj = c / e;
  const double top = k * rho * fj + n * (1 + (k - 1) * rho) - k * rho;
  const double v = (k - 1) * (n - 1) * top * top /
                   ((n - 1) * k * k * rho * rho * fj * fj + std::pow(n * (1 + (k - 1) * rho) - k * rho, 2));
  if (!std::isfinite(v) || !(v > 0)) {
    t.icc2.lower = t.icc2.upper = t.icc2k.lower = t.icc2k.upper = kNaN;
    return;
  }
  const double f_low = fisher_quantile(tail, n - 1, v), f_high = fisher_quantile(tail, v, n - 1);
  const double rest = k * c + (k * n - k - n) * e;
  t.icc2.lower = n * (r - f_low * e) / (f_low * rest + n * r);
  t.icc2.upper = n * (f_high * r - e) / (rest + n * f_high * r);
  t.icc2k.lower = t.icc2.lower * k / (1 + t.icc2.lower * (k - 1));
  t.icc2k.upper = t.icc2.upper * k / (1 + t.icc2.upper * (k - 1));
}

}  // namespace

IccTable icc(const Eigen::MatrixXd& values, double level) {
  if (values.size() > 0 && !values.allFinite()) throw std::invalid_argument("icc: values must be finite");
  IccTable t;
  t.subjects = static_cast<int>(values.rows());
  t.raters = static_cast<int>(values.cols());
  const double n = t.subjects, k = t.raters;
  const Icc undefined{kNaN, kNaN, kNaN, kNaN, kNaN, kNaN, kNaN};
  if (t.subjects < 2 || t.raters < 2) {
    t.icc1 = t.icc2 = t.icc3 = t.icc1k = t.icc2k = t.icc3k = undefined;
    t.ms_rows = t.ms_columns = t.ms_error = t.ms_within = kNaN;
    return t;
  }
  const Eigen::VectorXd row = values.rowwise().mean();
  const Eigen::RowVectorXd column = values.colwise().mean();
  const double grand = values.mean();
  t.ms_rows = k * (row.array() - grand).square().sum() / (n - 1);
  t.ms_columns = n * (column.array() - grand).square().sum() / (k - 1);
  const Eigen::MatrixXd rest = ((values.colwise() - row).rowwise() - column).array() + grand;
  t.ms_error = rest.squaredNorm() / ((n - 1) * (k - 1));
  t.ms_within = (values.colwise() - row).squaredNorm() / (n * (k - 1));
  fill_from_f(t.icc1, t.icc1k, t.ms_rows / t.ms_within, n - 1, n * (k - 1), k, level);
  fill_from_f(t.icc3, t.icc3k, t.ms_rows / t.ms_error, n - 1, (n - 1) * (k - 1), k, level);
  // By mean squares, so that they stand also where there is no error at all.
  t.icc1.value = (t.ms_rows - t.ms_within) / (t.ms_rows + (k - 1) * t.ms_within);
  t.icc1k.value = (t.ms_rows - t.ms_within) / t.ms_rows;
  t.icc3.value = (t.ms_rows - t.ms_error) / (t.ms_rows + (k - 1) * t.ms_error);
  t.icc3k.value = (t.ms_rows - t.ms_error) / t.ms_rows;
  fill_icc2(t, level);
  return t;
}

}  // namespace clmnet::survival
