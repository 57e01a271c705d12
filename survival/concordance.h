#pragma once

#include <optional>
#include <vector>

#include "survival/censoring.h"
#include "survival/groups.h"
#include "survival/outcome.h"

namespace clmnet::survival {

struct ConcordanceOptions {
  IpcwConvention convention = IpcwConvention::r_survival;
  bool inverse_censoring_weights = false;  ///< false: Harrell's C; true: Uno's C (Uno et al. 2011)
  std::optional<double> tau;               ///< events after it do not count
  std::optional<Groups> strata;            ///< pairs are formed within strata
  std::optional<Groups> clusters;          ///< subjects of one cluster are not independent: error summed over clusters
};

/// Probability that of two subjects the one with the higher risk has the event first (Harrell et al. 1982).
/// A pair counts when the earlier time is an event; someone censored at an event's time outlives it. With late entry the other
/// one must have entered before the event. Pairs with equal risk count half. The error is the infinitesimal jackknife's
/// (Therneau, concordance vignette of R's survival).
struct Concordance {
  double c = 0;        ///< NaN when no pair can be compared
  double std_err = 0;
  double concordant = 0, discordant = 0, tied_risk = 0;  ///< weighed pairs
  double tied_time = 0;       ///< pairs of events at one time, risks differ
  double tied_time_risk = 0;  ///< pairs of events at one time with one risk
  double event_censored_at_one_time = 0;  ///< what scikit-survival calls tied_time
};

/// risk: n, larger is worse. O(n log n). Throws std::invalid_argument as require_valid, when sizes differ, a risk is not
/// finite, or weights meet late entry. With weights, throws when the censoring curve is 0 before an event that counts.
Concordance concordance(const Outcome& outcome, const std::vector<double>& risk, const ConcordanceOptions& options = {});

}  // namespace clmnet::survival
