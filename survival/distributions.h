#pragma once

namespace clmnet::survival {

/// Quantile of the standard normal, 0 < p < 1.
double normal_quantile(double p);
/// Density of the standard normal.
double normal_density(double z);
/// P(Z <= z).
double normal_cdf(double z);
/// P(|Z| >= |z|); NaN in, NaN out, as for all below.
double normal_two_sided_p(double z);
/// P(X >= x) of chi-squared with df > 0; NaN for df <= 0.
double chi_squared_upper(double x, double df);
/// Quantile of chi-squared.
double chi_squared_quantile(double p, double df);
/// P(|T| >= |t|) of Student's t; df may be a fraction or infinite.
double student_two_sided_p(double t, double df);
/// Quantile of Student's t.
double student_quantile(double p, double df);
/// P(F >= f).
double fisher_upper(double f, double df1, double df2);
/// Quantile of F.
double fisher_quantile(double p, double df1, double df2);
/// Quantile of the beta distribution, a > 0, b > 0.
double beta_quantile(double p, double a, double b);
/// P(X <= k) for X ~ Binomial(n, p).
double binomial_cdf(double k, double n, double p);
/// P(X = k) for X ~ Binomial(n, p).
double binomial_density(double k, double n, double p);
/// z of a two-sided interval: 1.959964 for level 0.95. Throws std::invalid_argument unless 0 < level < 1.
double normal_z(double level);

}  // namespace clmnet::survival
