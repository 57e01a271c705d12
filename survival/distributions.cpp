#include "survival/distributions.h"
#include "survival/undefined.h"

#include <boost/math/distributions/beta.hpp>
#include <boost/math/distributions/binomial.hpp>
#include <boost/math/distributions/chi_squared.hpp>
#include <boost/math/distributions/fisher_f.hpp>
#include <boost/math/distributions/normal.hpp>
#include <boost/math/distributions/students_t.hpp>
#include <cmath>
#include <limits>
#include <numbers>
#include <stdexcept>
#include <string>

namespace clmnet::survival {
namespace {

namespace bm = boost::math;

}  // namespace

double normal_quantile(double p) { return bm::quantile(bm::normal_distribution<>(), p); }

double normal_density(double z) { return std::exp(-0.5 * z * z) / std::sqrt(2 * std::numbers::pi); }

double normal_cdf(double z) { return 0.5 * std::erfc(-z / std::numbers::sqrt2); }

double normal_two_sided_p(double z) { return std::erfc(std::abs(z) / std::numbers::sqrt2); }

double chi_squared_upper(double x, double df) {
  if (std::isnan(x) || !(df > 0)) return kNaN;
  if (x <= 0) return 1;
  if (std::isinf(x)) return 0;
  return bm::cdf(bm::complement(bm::chi_squared_distribution<>(df), x));
}

double chi_squared_quantile(double p, double df) { return bm::quantile(bm::chi_squared_distribution<>(df), p); }

double student_two_sided_p(double t, double df) {
  if (std::isnan(t) || !(df > 0)) return kNaN;
  if (std::isinf(t)) return 0;
  if (std::isinf(df)) return normal_two_sided_p(t);
  return 2 * bm::cdf(bm::complement(bm::students_t_distribution<>(df), std::abs(t)));
}

double student_quantile(double p, double df) {
  if (std::isnan(df) || !(df > 0)) return kNaN;
  if (std::isinf(df)) return normal_quantile(p);
  return bm::quantile(bm::students_t_distribution<>(df), p);
}

double fisher_upper(double f, double df1, double df2) {
  if (std::isnan(f) || !(df1 > 0) || !(df2 > 0)) return kNaN;
  if (f <= 0) return 1;
  if (std::isinf(f)) return 0;
  if (std::isinf(df2)) return chi_squared_upper(f * df1, df1);
  return bm::cdf(bm::complement(bm::fisher_f_distribution<>(df1, df2), f));
}

double fisher_quantile(double p, double df1, double df2) {
  if (!(df1 > 0) || !(df2 > 0)) return kNaN;
  return bm::quantile(bm::fisher_f_distribution<>(df1, df2), p);
}

double beta_quantile(double p, double a, double b) { return bm::quantile(bm::beta_distribution<>(a, b), p); }

double binomial_cdf(double k, double n, double p) {
  if (k < 0) return 0;
  if (k >= n) return 1;
  return bm::cdf(bm::binomial_distribution<>(n, p), k);
}

double binomial_density(double k, double n, double p) { return bm::pdf(bm::binomial_distribution<>(n, p), k); }

double normal_z(double level) {
  if (!(level > 0 && level < 1)) {
    throw std::invalid_argument("confidence level " + std::to_string(level) + ", expected between 0 and 1");
  }
  return normal_quantile(0.5 + level / 2);
}

}  // namespace clmnet::survival
