#pragma once

#include <Eigen/Core>
#include <optional>
#include <string>
#include <vector>

#include "survival/groups.h"
#include "survival/outcome.h"

namespace clmnet::survival {

/// Weight of each event time; n at risk, S the pooled Kaplan-Meier estimate, both within the stratum.
struct LogRankWeight {
  enum class Kind {
    log_rank,            ///< 1 (Mantel 1966)
    gehan,               ///< n (Gehan 1965, Breslow 1970)
    tarone_ware,         ///< sqrt(n) (Tarone and Ware 1977)
    peto,                ///< prod(1 - d / (n + 1)) up to and with t (Peto and Peto 1972)
    modified_peto,       ///< that times n / (n + 1) (Andersen et al. 1982)
    fleming_harrington,  ///< S(t-)^rho (1 - S(t-))^gamma (Fleming and Harrington 1991); rho 1, gamma 0 is R's survdiff(rho = 1)
  };
  Kind kind = Kind::log_rank;
  double rho = 0;
  double gamma = 0;
};

/// "log-rank", "Fleming-Harrington(0.5, 0.5)", …
std::string name_of(const LogRankWeight& weight);

struct LogRankOptions {
  LogRankWeight weight;
  std::optional<Groups> strata;                     ///< tests within strata, scores and variances added up
  std::optional<std::vector<double>> trend_scores;  ///< one per group; gives the test for trend beside the general one
};

/// K-sample test of equal hazards. Variance is hypergeometric (with the correction for ties).
struct LogRank {
  std::vector<std::string> groups;
  std::vector<std::size_t> n;
  Eigen::VectorXd observed, expected;                    ///< events, not weighted
  Eigen::VectorXd weighted_observed, weighted_expected;
  Eigen::VectorXd score;                                 ///< weighted_observed - weighted_expected
  Eigen::MatrixXd variance;                              ///< K x K, of the score
  double chi_squared = 0;  ///< NaN where the test is undefined: one group, no events, no variance
  int df = 0;              ///< groups with an expected event, less one; groups without events stay in
  double p = 0;
  /// z > 0: more events than expected at high scores. NaN without scores.
  double trend_z = 0, trend_chi_squared = 0, trend_p = 0;
};

/// Throws std::invalid_argument as require_valid does, or when groups, strata or scores differ in size.
LogRank log_rank(const Outcome& outcome, const Groups& groups, const LogRankOptions& options = {});

}  // namespace clmnet::survival
