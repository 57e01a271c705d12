#include "survival/concordance.h"

#include <algorithm>
#include <cmath>
#include <limits>
#include <stdexcept>
#include <string>

#include "survival/censoring.h"
#include "survival/sorting.h"

namespace clmnet::survival {
namespace {

/// Sums over prefixes of ranks, updated one rank at a time (Fenwick 1994).
class PrefixSums {
 public:
  explicit PrefixSums(std::size_t size) : sums_(size + 1, 0.0) {}
  void add(std::size_t rank, double weight) {
    total_ += weight;
    for (std::size_t i = rank + 1; i < sums_.size(); i += i & (~i + 1)) sums_[i] += weight;
  }
  /// Sum over ranks below `rank`.
  double below(std::size_t rank) const {
    double sum = 0;
    for (std::size_t i = rank; i > 0; i &= i - 1) sum += sums_[i];
    return sum;
  }
  double total() const { return total_; }

 private:
  std::vector<double> sums_;
  double total_ = 0;
};

/// For each subject the ranks [low, high) of the scores that tie with its own, and its own rank.
struct RiskRanks {
  std::vector<std::uint32_t> own, low, high;
  std::size_t distinct = 0;
};

RiskRanks rank_risks(const std::vector<double>& risk, double tolerance) {
  const auto order = ascending_order(risk);
  RiskRanks ranks;
  ranks.own.resize(risk.size());
  std::vector<double> value;
  for (const auto row : order) {
    if (value.empty() || risk[row] != value.back()) value.push_back(risk[row]);
    ranks.own[row] = static_cast<std::uint32_t>(value.size() - 1);
  }
  ranks.distinct = value.size();
  if (tolerance == 0) return ranks;
  ranks.low.resize(value.size());
  ranks.high.resize(value.size());
  std::size_t low = 0, high = 0;
  for (std::size_t k = 0; k < value.size(); ++k) {
    while (value[k] - value[low] > tolerance) ++low;
    while (high < value.size() && value[high] - value[k] <= tolerance) ++high;
    ranks.low[k] = static_cast<std::uint32_t>(low);
    ranks.high[k] = static_cast<std::uint32_t>(high);
  }
  return ranks;
}

struct Sides {
  double lower, tied, higher;
};

Sides sides(const PrefixSums& sums, const RiskRanks& ranks, std::size_t row) {
  const std::size_t own = ranks.own[row];
  const double lower = sums.below(ranks.low.empty() ? own : ranks.low[own]);
  const double up_to = sums.below(ranks.high.empty() ? own + 1 : ranks.high[own]);
  return {lower, up_to - lower, sums.total() - up_to};
}

/// One stratum: pair counts, and how much of each kind every subject takes part in.
class PairCounter {
 public:
  PairCounter(const Outcome& outcome, const std::vector<double>& risk, const ConcordanceOptions& options)
      : outcome_(outcome), options_(options),
        ranks_(rank_risks(risk, risk_tolerance(options.convention))),
        order_(ascending_order(outcome.time)), weight_(outcome.size(), 0.0) {
    concordant.assign(outcome.size(), 0.0);
    discordant = tied = concordant;
    if (!outcome.entry.empty()) by_entry_ = ascending_order(outcome.entry);
    set_weights();
    count_later_subjects();
    count_earlier_events();
  }

  Concordance totals;
  std::vector<double> concordant, discordant, tied;  // per subject

 private:
  void set_weights() {
    std::optional<CensoringCurve> censoring;
    const bool r = options_.convention == IpcwConvention::r_survival;
    // R counts pairs of a single event as they are: there is nothing to weigh it against.
    if (options_.inverse_censoring_weights && !(r && outcome_.events() < 2)) censoring.emplace(outcome_);
    for (std::size_t i = 0; i < outcome_.size(); ++i) {
      const double time = outcome_.time[i];
      if (outcome_.event[i] == 0) continue;
      if (options_.tau && (r ? time > *options_.tau : time >= *options_.tau)) continue;
      weight_[i] = 1;
      if (!censoring) continue;
      const double uncensored = censoring->of_subject(time, options_.convention);
      if (!(uncensored > 0)) {
        throw std::invalid_argument("concordance: nobody is under observation after time " + std::to_string(time) +
                                    ", so its weight is infinite; give a smaller tau");
      }
      weight_[i] = 1 / (uncensored * uncensored);
    }
  }

  std::size_t block_begin(std::size_t end) const {
    std::size_t begin = end - 1;
    while (begin > 0 && outcome_.time[order_[begin - 1]] == outcome_.time[order_[end - 1]]) --begin;
    return begin;
  }

  /// Backwards in time: each event against all who outlive it and have entered before it.
  void count_later_subjects() {
    PrefixSums later(ranks_.distinct);
    std::size_t entered = by_entry_.size();
    for (std::size_t end = order_.size(); end > 0;) {
      const std::size_t begin = block_begin(end);
      const double now = outcome_.time[order_[begin]];
      for (; entered > 0 && outcome_.entry[by_entry_[entered - 1]] >= now; --entered) {
        later.add(ranks_.own[by_entry_[entered - 1]], -1);
      }
      double censored = 0;
      for (std::size_t k = begin; k < end; ++k) {
        if (outcome_.event[order_[k]] != 0) continue;
        later.add(ranks_.own[order_[k]], 1);
        ++censored;
      }
      const double events = static_cast<double>(end - begin) - censored;
      totals.event_censored_at_one_time += events * censored;
      for (std::size_t k = begin; k < end; ++k) {
        const auto row = order_[k];
        if (outcome_.event[row] == 0 || weight_[row] == 0) continue;
        const Sides found = sides(later, ranks_, row);
        concordant[row] += weight_[row] * found.lower;
        discordant[row] += weight_[row] * found.higher;
        tied[row] += weight_[row] * found.tied;
        totals.concordant += weight_[row] * found.lower;
        totals.discordant += weight_[row] * found.higher;
        totals.tied_risk += weight_[row] * found.tied;
      }
      if (events > 1) count_tied_events(begin, end);
      for (std::size_t k = begin; k < end; ++k) {
        if (outcome_.event[order_[k]] != 0) later.add(ranks_.own[order_[k]], 1);
      }
      end = begin;
    }
  }

  void count_tied_events(std::size_t begin, std::size_t end) {
    std::vector<std::uint32_t> risks;
    double weight = 0;
    for (std::size_t k = begin; k < end; ++k) {
      if (outcome_.event[order_[k]] == 0) continue;
      risks.push_back(ranks_.own[order_[k]]);
      weight = weight_[order_[k]];
    }
    std::sort(risks.begin(), risks.end());
    const double all = static_cast<double>(risks.size());
    double both = 0;
    for (std::size_t i = 0; i < risks.size();) {
      std::size_t j = i;
      while (j < risks.size() && risks[j] == risks[i]) ++j;
      const double same = static_cast<double>(j - i);
      both += same * (same - 1) / 2;
      i = j;
    }
    totals.tied_time += weight * (all * (all - 1) / 2 - both);
    totals.tied_time_risk += weight * both;
  }

  /// Forwards in time: each subject against the events that it outlives, for its share in the error.
  void count_earlier_events() {
    PrefixSums earlier(ranks_.distinct);
    const auto take = [&](std::size_t row, double sign = 1) {
      const Sides found = sides(earlier, ranks_, row);
      concordant[row] += sign * found.higher;
      discordant[row] += sign * found.lower;
      tied[row] += sign * found.tied;
    };
    std::size_t entered = 0;
    for (std::size_t begin = 0; begin < order_.size();) {
      std::size_t end = begin;
      // What happened up to someone's entry was not seen by them.
      for (; entered < by_entry_.size() && outcome_.entry[by_entry_[entered]] < outcome_.time[order_[begin]]; ++entered) {
        take(by_entry_[entered], -1);
      }
      while (end < order_.size() && outcome_.time[order_[end]] == outcome_.time[order_[begin]]) ++end;
      for (std::size_t k = begin; k < end; ++k) {
        if (outcome_.event[order_[k]] != 0) take(order_[k]);
      }
      for (std::size_t k = begin; k < end; ++k) {
        if (weight_[order_[k]] > 0) earlier.add(ranks_.own[order_[k]], weight_[order_[k]]);
      }
      for (std::size_t k = begin; k < end; ++k) {
        if (outcome_.event[order_[k]] == 0) take(order_[k]);
      }
      begin = end;
    }
  }

  const Outcome& outcome_;
  const ConcordanceOptions& options_;
  RiskRanks ranks_;
  std::vector<std::uint32_t> order_, by_entry_;
  std::vector<double> weight_;
};

void require_valid_risk(const Outcome& outcome, const std::vector<double>& risk, const ConcordanceOptions& options) {
  require_valid(outcome);
  if (!outcome.entry.empty() && options.inverse_censoring_weights) {
    throw std::invalid_argument("concordance: weights for censoring are not defined with late entry");
  }
  const auto require_size = [&](std::size_t size, const char* what) {
    if (size != outcome.size()) throw std::invalid_argument(std::string("concordance: ") + what + " and times differ in size");
  };
  require_size(risk.size(), "risks");
  if (options.strata) require_size(options.strata->code.size(), "strata");
  if (options.clusters) require_size(options.clusters->code.size(), "clusters");
  for (std::size_t i = 0; i < risk.size(); ++i) {
    if (!std::isfinite(risk[i])) {
      throw std::invalid_argument("concordance: the risk of subject " + std::to_string(i) + " is not finite");
    }
  }
}

void add_counts(Concordance& sum, const Concordance& part) {
  sum.concordant += part.concordant;
  sum.discordant += part.discordant;
  sum.tied_risk += part.tied_risk;
  sum.tied_time += part.tied_time;
  sum.tied_time_risk += part.tied_time_risk;
  sum.event_censored_at_one_time += part.event_censored_at_one_time;
}

}  // namespace

Concordance concordance(const Outcome& outcome, const std::vector<double>& risk, const ConcordanceOptions& options) {
  require_valid_risk(outcome, risk, options);
  const std::size_t n = outcome.size();
  const bool merge = options.convention == IpcwConvention::r_survival;
  const Outcome merged = merge ? merge_close_times(outcome) : outcome;
  Concordance result;
  std::vector<double> difference(n, 0.0), pairs(n, 0.0);
  const auto take = [&](const PairCounter& part, const std::vector<std::size_t>* rows) {
    add_counts(result, part.totals);
    for (std::size_t i = 0; i < part.tied.size(); ++i) {
      const std::size_t row = rows ? (*rows)[i] : i;
      difference[row] = part.concordant[i] - part.discordant[i];
      pairs[row] = part.concordant[i] + part.discordant[i] + part.tied[i];
    }
  };
  if (!options.strata) {
    take(PairCounter(merged, risk, options), nullptr);
  } else {
    for (const auto& rows : members(*options.strata)) {
      if (rows.empty()) continue;
      std::vector<double> part_risk;
      for (const std::size_t row : rows) part_risk.push_back(risk[row]);
      const Outcome part = select(merged, rows);
      take(PairCounter(part, part_risk, options), &rows);
    }
  }
  const double all = result.concordant + result.discordant + result.tied_risk;
  if (!(all > 0)) {
    result.c = result.std_err = std::numeric_limits<double>::quiet_NaN();
    return result;
  }
  const double somers_d = (result.concordant - result.discordant) / all;
  result.c = (somers_d + 1) / 2;
  std::vector<double> influence(options.clusters ? options.clusters->size() : n, 0.0);
  for (std::size_t i = 0; i < n; ++i) {
    influence[options.clusters ? options.clusters->code[i] : i] += (difference[i] - pairs[i] * somers_d) / (2 * all);
  }
  double variance = 0;
  for (const double value : influence) variance += value * value;
  result.std_err = std::sqrt(variance);
  return result;
}

}  // namespace clmnet::survival
