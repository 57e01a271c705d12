#pragma once

#include <Eigen/Core>
#include <algorithm>
#include <cmath>
#include <cstdint>
#include <random>

#include "survival/outcome.h"

namespace clmnet::survival {

/// A cohort whose truth is known: exponential times with hazard exp(x beta), censored at independent exponential times.
struct SimulatedCohort {
  Eigen::MatrixXd x;  ///< n x p: column 0 is an arm, 0 and 1 in turn; the others are standard normal
  Outcome outcome;    ///< continuous times, in units of the baseline's mean survival
};

/// n subjects, log_hazard_ratio p >= 1, censoring_rate > 0. The same seed gives the same cohort on every machine: the standard
/// fixes mt19937_64, and what is drawn from it is written out here.
inline SimulatedCohort simulate_cohort(Eigen::Index n, const Eigen::VectorXd& log_hazard_ratio, double censoring_rate,
                                       std::uint64_t seed) {
  std::mt19937_64 bits(seed);
  const auto uniform = [&] { return (static_cast<double>(bits() >> 11) + 0.5) * 0x1p-53; };   // in (0, 1)
  constexpr double kTwoPi = 6.283185307179586;
  SimulatedCohort cohort;
  cohort.x.resize(n, log_hazard_ratio.size());
  for (Eigen::Index i = 0; i < n; ++i) {
    cohort.x(i, 0) = static_cast<double>(i % 2);
    for (Eigen::Index j = 1; j < cohort.x.cols(); ++j) {
      const double radius = std::sqrt(-2 * std::log(uniform()));
      cohort.x(i, j) = radius * std::cos(kTwoPi * uniform());
    }
    const double death = -std::log(uniform()) / std::exp(cohort.x.row(i).dot(log_hazard_ratio));
    const double loss = -std::log(uniform()) / censoring_rate;
    cohort.outcome.time.push_back(std::min(death, loss));
    cohort.outcome.event.push_back(death <= loss);
  }
  return cohort;
}

}  // namespace clmnet::survival
