#include "survival/agreement.h"

#include <algorithm>
#include <cmath>
#include <limits>
#include <stdexcept>

#include "survival/distributions.h"
#include "survival/undefined.h"

namespace clmnet::survival {
namespace {

// Weight of agreement, 1 on the diagonal.
Eigen::MatrixXd weights(Eigen::Index k, KappaWeight kind) {
  Eigen::MatrixXd w = Eigen::MatrixXd::Identity(k, k);
  if (kind == KappaWeight::unweighted || k < 2) return w;
  for (Eigen::Index i = 0; i < k; ++i) {
    for (Eigen::Index j = 0; j < k; ++j) {
      const double apart = static_cast<double>(std::abs(i - j)) / static_cast<double>(k - 1);
      w(i, j) = 1 - (kind == KappaWeight::linear ? apart : apart * apart);
    }
  }
  return w;
}

}  // namespace

Eigen::MatrixXd agreement_table(const std::vector<int>& first, const std::vector<int>& second, int categories) {
  if (first.size() != second.size()) throw std::invalid_argument("agreement_table: the raters differ in subjects");
  Eigen::MatrixXd table = Eigen::MatrixXd::Zero(categories, categories);
  for (std::size_t i = 0; i < first.size(); ++i) {
    if (std::min(first[i], second[i]) < 0 || std::max(first[i], second[i]) >= categories) {
      throw std::invalid_argument("agreement_table: category out of range at subject " + std::to_string(i));
    }
    table(first[i], second[i]) += 1;
  }
  return table;
}

Kappa cohen_kappa(const Eigen::MatrixXd& table, KappaWeight weight, double level) {
  if (table.rows() != table.cols()) throw std::invalid_argument("cohen_kappa: the table is not square");
  if (table.size() > 0 && (!table.allFinite() || table.minCoeff() < 0)) {
    throw std::invalid_argument("cohen_kappa: counts must be finite and not negative");
  }
  const double z_level = normal_z(level);
  Kappa result;
  result.n = table.sum();
  if (table.rows() < 2 || result.n <= 0) {
    result.kappa = result.std_err = result.std_err_null = result.lower = result.upper = result.z = result.p = kNaN;
    result.observed = result.n > 0 ? 1.0 : kNaN;
    result.expected = result.observed;
    return result;
  }
  const Eigen::MatrixXd p = table / result.n;
  const Eigen::MatrixXd w = weights(table.rows(), weight);
  const Eigen::VectorXd row = p.rowwise().sum(), column = p.colwise().sum().transpose();
  result.observed = w.cwiseProduct(p).sum();
  result.expected = row.dot(w * column);
  // Chance agreement is 1 exactly when all ratings fall into one category; the sum may miss 1 by rounding.
  const double beyond = row.cwiseProduct(column).maxCoeff() >= 1 - 1e-15 ? 0.0 : 1 - result.expected;
  if (!(beyond > 0)) {
    result.kappa = result.std_err = result.std_err_null = result.lower = result.upper = result.z = result.p = kNaN;
    return result;
  }
  result.kappa = (result.observed - result.expected) / beyond;
  const Eigen::VectorXd row_mean = w * column, column_mean = w.transpose() * row;
  // Both are variances about their own mean, summed as such: differences of squares would leave rounding where they are 0.
  const double centre = result.kappa - result.expected * (1 - result.kappa);
  double spread = 0, spread_null = 0;
  for (Eigen::Index i = 0; i < p.rows(); ++i) {
    for (Eigen::Index j = 0; j < p.cols(); ++j) {
      const double mean = row_mean[i] + column_mean[j];
      const double off = w(i, j) - mean * (1 - result.kappa) - centre, off_null = w(i, j) - mean + result.expected;
      spread += p(i, j) * off * off;
      spread_null += row[i] * column[j] * off_null * off_null;
    }
  }
  const double scale = result.n * beyond * beyond;
  result.std_err = std::sqrt(spread / scale);
  result.std_err_null = std::sqrt(spread_null / scale);
  result.lower = result.kappa - z_level * result.std_err;
  result.upper = result.kappa + z_level * result.std_err;
  result.z = result.kappa / result.std_err_null;
  result.p = normal_two_sided_p(result.z);
  return result;
}

FleissKappa fleiss_kappa(const Eigen::MatrixXd& counts) {
  FleissKappa result;
  result.subjects = static_cast<int>(counts.rows());
  if (counts.rows() > 0) {
    const Eigen::VectorXd ratings = counts.rowwise().sum();
    if ((ratings.array() != ratings[0]).any()) {
      throw std::invalid_argument("fleiss_kappa: every subject must have the same number of ratings");
    }
    result.raters = static_cast<int>(ratings[0]);
  }
  const double n = result.subjects, m = result.raters;
  if (result.subjects == 0 || result.raters < 2) {
    result.kappa = result.std_err_null = result.z = result.p = result.observed = result.expected = kNaN;
    return result;
  }
  const Eigen::VectorXd share = counts.colwise().sum().transpose() / (n * m);
  result.observed = (counts.squaredNorm() - n * m) / (n * m * (m - 1));
  result.expected = share.squaredNorm();
  if (share.maxCoeff() >= 1 - 1e-15) {
    result.kappa = result.std_err_null = result.z = result.p = kNaN;
    return result;
  }
  result.kappa = (result.observed - result.expected) / (1 - result.expected);
  const double pq = 1 - result.expected;   // sum of p (1 - p)
  const double skew = (share.array() * (1 - share.array()) * (1 - 2 * share.array())).sum();
  result.std_err_null = std::sqrt(2 * std::max(0.0, pq * pq - skew) / (n * m * (m - 1))) / pq;
  result.z = result.kappa / result.std_err_null;
  result.p = normal_two_sided_p(result.z);
  return result;
}

ConcordanceRate concordance_rate(double count, double n, double level) {
  if (!(count >= 0) || !(n >= count)) throw std::invalid_argument("concordance_rate: the count must be 0 … n");
  const double z = normal_z(level);
  ConcordanceRate result{count, n, kNaN, kNaN, kNaN, kNaN, kNaN};
  if (n == 0) return result;
  result.rate = count / n;
  const double centre = (count + z * z / 2) / (n + z * z);
  const double half = z / (n + z * z) * std::sqrt(count * (n - count) / n + z * z / 4);
  // At the ends the limit is the end itself; the subtraction leaves rounding there.
  result.wilson_lower = count == 0 ? 0.0 : centre - half;
  result.wilson_upper = count == n ? 1.0 : centre + half;
  const double tail = (1 - level) / 2;
  result.exact_lower = count == 0 ? 0.0 : beta_quantile(tail, count, n - count + 1);
  result.exact_upper = count == n ? 1.0 : beta_quantile(1 - tail, count + 1, n - count);
  return result;
}

ConcordanceRate concordance_rate(const Eigen::MatrixXd& table, double level) {
  if (table.rows() != table.cols()) throw std::invalid_argument("concordance_rate: the table is not square");
  return concordance_rate(table.diagonal().sum(), table.sum(), level);
}

}  // namespace clmnet::survival
