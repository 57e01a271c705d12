#pragma once

#include <vector>

#include "survival/outcome.h"

namespace clmnet::survival {

/// How subjects are weighed for those lost to censoring (IPCW), and what ties are; each is what one program prints.
enum class IpcwConvention {
  r_survival,       ///< 1/G(T-), events at T <= t; scores tie when equal; concordance merges times that drift and takes tau in.
                    ///< R's survival and riskRegression
  scikit_survival,  ///< 1/G(T); scores tie within 1e-8; times as they are; concordance takes events before tau
};

/// Scores that differ by no more are ties.
double risk_tolerance(IpcwConvention convention);

/// "R survival/riskRegression: G(T-), T <= t" or "scikit-survival: G(T)", for results.
const char* name_of(IpcwConvention convention);

/// Kaplan-Meier estimate of staying uncensored. At one time events come before censorings: who has the event there is no
/// longer at risk of being censored.
class CensoringCurve {
 public:
  /// Times are used as they are; call merge_close_times before for R's ties. Throws as require_valid.
  explicit CensoringCurve(const Outcome& outcome);

  double at(double time) const;      ///< G(t)
  double before(double time) const;  ///< G(t-)
  /// What weighs someone who was seen until `time`: G(T-) or G(T).
  double of_subject(double time, IpcwConvention convention) const {
    return convention == IpcwConvention::r_survival ? before(time) : at(time);
  }

 private:
  std::vector<double> time_;
  std::vector<double> survival_;
};

}  // namespace clmnet::survival
