#include "survival/log_rank_scan.h"

#include <algorithm>
#include <cmath>

namespace clmnet::survival {

void LogRankScan::start_node(const std::vector<Row>& rows) {
  weight_ = 0;
  for (const Row& row : rows) weight_ += row.weight;
  steps_.clear();
  c_.assign(1, 0.0);
  cy_.assign(1, 0.0);
  times_of_.resize(rows.size());
  score_.resize(rows.size());
  weight_of_.resize(rows.size());
  double at_risk = weight_, hazard = 0;
  for (std::size_t begin = 0; begin < rows.size();) {
    std::size_t end = begin;
    double deaths = 0, leaving = 0;
    for (; end < rows.size() && rows[end].last == rows[begin].last; ++end) {
      deaths += rows[end].event ? rows[end].weight : 0;
      leaving += rows[end].weight;
    }
    if (deaths > 0) {
      const double c = at_risk > 1 ? deaths * (at_risk - deaths) / ((at_risk - 1) * at_risk * at_risk) : 0;
      steps_.push_back({rows[begin].last - 1, deaths, at_risk});
      c_.push_back(c_.back() + c);
      cy_.push_back(cy_.back() + c * at_risk);
      hazard += deaths / at_risk;
    }
    for (std::size_t i = begin; i < end; ++i) {
      weight_of_[i] = rows[i].weight;
      times_of_[i] = static_cast<std::int32_t>(steps_.size());
      score_[i] = rows[i].weight * (rows[i].event - hazard);
    }
    at_risk -= leaving;
    begin = end;
  }
}

void LogRankScan::start_feature() {
  sum_w_.assign(steps_.size() + 2, 0.0);
  sum_wc_.assign(steps_.size() + 2, 0.0);
  left_weight_ = u_ = v_ = largest_v_ = 0;
}

void LogRankScan::move_left(std::size_t place) {
  const std::int32_t q = times_of_[place];
  const double w = weight_of_[place];
  const double c = c_[q];
  double weight_up_to = 0, wc_up_to = 0;   // left rows with at most q times
  for (std::int32_t i = q + 1; i > 0; i -= i & -i) {
    weight_up_to += sum_w_[i];
    wc_up_to += sum_wc_[i];
  }
  const double at_risk_left = wc_up_to + c * (left_weight_ - weight_up_to);   // sum_{j<=q} c_j Y_Lj
  v_ += w * (cy_[q] - 2 * at_risk_left - w * c);
  u_ += score_[place];
  left_weight_ += w;
  largest_v_ = std::max(largest_v_, v_);
  const auto size = static_cast<std::int32_t>(sum_w_.size());
  for (std::int32_t i = q + 1; i < size; i += i & -i) {
    sum_w_[i] += w;
    sum_wc_[i] += w * c;
  }
}

double LogRankScan::chi_squared() const { return v_ > 1e-10 * largest_v_ ? u_ * u_ / v_ : 0.0; }

}  // namespace clmnet::survival
