#include "survival/censoring.h"

#include <algorithm>

#include "survival/sorting.h"

namespace clmnet::survival {

double risk_tolerance(IpcwConvention convention) {
  return convention == IpcwConvention::scikit_survival ? 1e-8 : 0;   // its tied_tol
}

const char* name_of(IpcwConvention convention) {
  return convention == IpcwConvention::r_survival ? "R survival/riskRegression: G(T-), T <= t" : "scikit-survival: G(T)";
}

CensoringCurve::CensoringCurve(const Outcome& outcome) {
  require_valid(outcome);
  const auto order = ascending_order(outcome.time);
  const std::size_t n = order.size();
  double survival = 1;
  for (std::size_t i = 0; i < n;) {
    const double time = outcome.time[order[i]];
    std::size_t end = i, deaths = 0;
    for (; end < n && outcome.time[order[end]] == time; ++end) deaths += outcome.event[order[end]];
    const std::size_t censored = end - i - deaths;
    if (censored > 0) {
      const double at_risk = static_cast<double>(n - i - deaths);
      survival *= (at_risk - static_cast<double>(censored)) / at_risk;
      time_.push_back(time);
      survival_.push_back(survival);
    }
    i = end;
  }
}

double CensoringCurve::at(double time) const {
  const auto after = std::upper_bound(time_.begin(), time_.end(), time);
  return after == time_.begin() ? 1 : survival_[static_cast<std::size_t>(after - time_.begin()) - 1];
}

double CensoringCurve::before(double time) const {
  const auto reached = std::lower_bound(time_.begin(), time_.end(), time);
  return reached == time_.begin() ? 1 : survival_[static_cast<std::size_t>(reached - time_.begin()) - 1];
}

}  // namespace clmnet::survival
