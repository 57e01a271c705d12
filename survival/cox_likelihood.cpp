#include "survival/cox_likelihood.h"

#include <algorithm>
#include <cmath>
#include <tbb/parallel_invoke.h>

#include "survival/sorting.h"

namespace clmnet::survival {
namespace {

constexpr double kLargestExponent = 700;   // exp of it is still finite, also summed over many
constexpr Eigen::Index kRowsPerProduct = 2048;

/// Share of the tied deaths that is taken out of the risk set before death `l` of `deaths`.
double taken_out(CoxTies ties, Eigen::Index l, Eigen::Index deaths) {
  return ties == CoxTies::efron ? static_cast<double>(l) / static_cast<double>(deaths) : 0.0;
}

/// sum_i weight_i x_i x_i'. Blocks are added up in a fixed order, so the digits do not depend on threads.
Eigen::MatrixXd weighted_square(const RowMatrix& x, const Eigen::ArrayXd& weight) {
  const Eigen::Index p = x.cols();
  Eigen::MatrixXd sum = Eigen::MatrixXd::Zero(p, p);
  RowMatrix part(std::min(kRowsPerProduct, x.rows()), p);
  for (Eigen::Index begin = 0; begin < x.rows(); begin += kRowsPerProduct) {
    const Eigen::Index count = std::min(kRowsPerProduct, x.rows() - begin);
    part.topRows(count) = x.middleRows(begin, count).array().colwise() * weight.segment(begin, count);
    sum.noalias() += part.topRows(count).transpose() * x.middleRows(begin, count);
  }
  return sum;
}

}  // namespace

CoxLikelihood::CoxLikelihood(const Eigen::Ref<const Eigen::MatrixXd>& x, const Outcome& outcome, const Groups* strata,
                             CoxTies ties)
    : ties_(ties) {
  const Outcome merged = merge_close_times(outcome);
  const std::size_t n = merged.size();
  strata_ = strata ? strata->size() : 1;
  // By stratum, then time, then deaths first; stable, so equal rows keep the caller's order.
  order_ = ascending_order(merged.time);
  if (strata) {
    std::stable_sort(order_.begin(), order_.end(), [&](auto a, auto b) { return strata->code[a] < strata->code[b]; });
  }
  const auto stratum_of = [&](std::uint32_t row) { return strata ? strata->code[row] : 0u; };
  for (std::size_t begin = 0; begin < n;) {
    std::size_t end = begin + 1;
    const auto same = [&](std::uint32_t row) {
      return merged.time[row] == merged.time[order_[begin]] && stratum_of(row) == stratum_of(order_[begin]);
    };
    while (end < n && same(order_[end])) ++end;
    const auto first = order_.begin() + static_cast<std::ptrdiff_t>(begin),
               last = order_.begin() + static_cast<std::ptrdiff_t>(end);
    const auto censored = end == begin + 1 ? first + merged.event[*first]
                                           : std::stable_partition(first, last, [&](auto row) { return merged.event[row] != 0; });
    blocks_.push_back({static_cast<Eigen::Index>(begin), static_cast<Eigen::Index>(end), censored - first});
    begin = end;
  }
  center_ = x.colwise().mean();
  x_.resize(x.rows(), x.cols());
  time_.resize(n);
  event_.resize(n);
  stratum_.resize(n);
  for (Eigen::Index j = 0; j < x.cols(); ++j) {
    for (std::size_t i = 0; i < n; ++i) x_(static_cast<Eigen::Index>(i), j) = x(order_[i], j) - center_[j];
  }
  for (std::size_t i = 0; i < n; ++i) {
    time_[i] = merged.time[order_[i]];
    event_[i] = merged.event[order_[i]];
    stratum_[i] = stratum_of(order_[i]);
    events_ += event_[i];
    if (!merged.entry.empty()) entry_.push_back(merged.entry[order_[i]]);
  }
  if (!entry_.empty()) {
    by_entry_ = ascending_order(entry_);
    std::reverse(by_entry_.begin(), by_entry_.end());
    std::stable_sort(by_entry_.begin(), by_entry_.end(), [&](auto a, auto b) { return stratum_[a] > stratum_[b]; });
  }
}

Eigen::ArrayXd CoxLikelihood::relative_risk(const Eigen::VectorXd& eta, std::vector<double>& shift_of_stratum) const {
  shift_of_stratum.assign(strata_, 0);
  for (Eigen::Index i = 0; i < eta.size(); ++i) {
    double& shift = shift_of_stratum[stratum_[static_cast<std::size_t>(i)]];
    shift = std::max(shift, eta[i] - kLargestExponent);
  }
  Eigen::ArrayXd risk(eta.size());
  for (Eigen::Index i = 0; i < eta.size(); ++i) risk[i] = eta[i] - shift_of_stratum[stratum_[static_cast<std::size_t>(i)]];
  return risk.exp();
}

/// Walks backwards through time, keeping the risk set's sums; calls at_deaths(block index, sums of the risk set) once the
/// block of a death time has joined.
struct CoxLikelihood::Sweep {
  Sweep(const CoxLikelihood& owner, const Eigen::ArrayXd& relative_risk, bool sum_covariates)
      : data(owner), risk(relative_risk), with_x(sum_covariates) {
    const Eigen::Index p = with_x ? data.covariates() : 0;
    sum_x.setZero(p);
    dying_x.setZero(p);
  }

  template <typename AtDeaths>
  void run(AtDeaths at_deaths) {
    std::size_t not_entered = 0;
    for (std::size_t b = data.blocks_.size(); b-- > 0;) {
      const Block& block = data.blocks_[b];
      const auto first = static_cast<std::size_t>(block.begin);
      if (b + 1 == data.blocks_.size() || data.starts_stratum(b + 1)) {
        sum = 0;
        sum_x.setZero();
      }
      dying = 0;
      dying_x.setZero();
      for (Eigen::Index i = block.begin; i < block.begin + block.deaths; ++i) {
        dying += risk[i];
        if (with_x) dying_x.noalias() += risk[i] * data.x_.row(i).transpose();
      }
      for (Eigen::Index i = block.begin + block.deaths; i < block.end; ++i) {
        sum += risk[i];
        if (with_x) sum_x.noalias() += risk[i] * data.x_.row(i).transpose();
      }
      sum += dying;
      sum_x += dying_x;
      // Who enters at or after this time is not at risk yet.
      for (; not_entered < data.by_entry_.size(); ++not_entered) {
        const auto row = data.by_entry_[not_entered];
        if (data.stratum_[row] < data.stratum_[first]) break;
        if (data.stratum_[row] > data.stratum_[first]) continue;
        if (data.entry_[row] < data.time_[first]) break;
        sum -= risk[row];
        if (with_x) sum_x.noalias() -= risk[row] * data.x_.row(row).transpose();
      }
      if (block.deaths > 0) at_deaths(b, block);
    }
  }

  const CoxLikelihood& data;
  const Eigen::ArrayXd& risk;
  bool with_x;
  double sum = 0, dying = 0;
  Eigen::VectorXd sum_x, dying_x;
};

CoxLikelihood::Value CoxLikelihood::evaluate(const Eigen::VectorXd& beta, bool with_information,
                                             const std::vector<double>* weight_of_block) const {
  const Eigen::VectorXd eta = x_ * beta;
  std::vector<double> shift;
  const Eigen::ArrayXd risk = relative_risk(eta, shift);
  const Eigen::Index p = covariates();
  Value value;
  value.gradient.setZero(p);
  std::vector<double> hazard(blocks_.size(), 0.0), spared(blocks_.size(), 0.0);
  RowMatrix means(with_information ? static_cast<Eigen::Index>(events_) : 0, p);
  Eigen::ArrayXd mean_weight(means.rows());
  Eigen::Index next_mean = 0;
  Eigen::VectorXd mean(p);
  bool vanished = false;
  Sweep sweep(*this, risk, true);
  sweep.run([&](std::size_t b, const Block& block) {
    const double weight = weight_of_block ? (*weight_of_block)[b] : 1.0;
    for (Eigen::Index i = block.begin; i < block.begin + block.deaths; ++i) {
      value.log_likelihood += weight * (eta[i] - shift[stratum_[static_cast<std::size_t>(i)]]);
      value.gradient.noalias() += weight * x_.row(i).transpose();
    }
    for (Eigen::Index l = 0; l < block.deaths; ++l) {
      const double out = taken_out(ties_, l, block.deaths), left = sweep.sum - out * sweep.dying;
      vanished |= !(left > 0);
      const double inverse = 1 / left;
      value.log_likelihood += weight * std::log(inverse);
      hazard[b] += weight * inverse;
      spared[b] += weight * out * inverse;
      mean = inverse * sweep.sum_x;
      if (out > 0) mean -= (out * inverse) * sweep.dying_x;
      value.gradient.noalias() -= weight * mean;
      if (!with_information) continue;
      mean_weight[next_mean] = weight;
      means.row(next_mean++) = mean.transpose();
    }
  });
  if (vanished) value.log_likelihood = -HUGE_VAL;
  if (vanished || !with_information) return value;
  // The information is sum_i exposure_i x_i x_i' - sum over deaths of mean mean': each subject's square enters once, with
  // the hazard it was exposed to, instead of once a death.
  const Eigen::ArrayXd exposure = risk * exposure_to(hazard, spared);
  Eigen::MatrixXd of_means;
  tbb::parallel_invoke([&] { value.information = weighted_square(x_, exposure); },
                       [&] { of_means = weighted_square(means, mean_weight); });
  value.information -= of_means;
  return value;
}

Eigen::ArrayXd CoxLikelihood::exposure_to(const std::vector<double>& hazard, const std::vector<double>& spared) const {
  Eigen::ArrayXd exposure(size());
  std::vector<double> cumulative(blocks_.size());
  double running = 0;
  for (std::size_t b = 0; b < blocks_.size(); ++b) {
    const Block& block = blocks_[b];
    if (starts_stratum(b)) running = 0;
    running += hazard[b];
    cumulative[b] = running;
    for (Eigen::Index i = block.begin; i < block.end; ++i) {
      exposure[i] = running - (i < block.begin + block.deaths ? spared[b] : 0.0);
    }
  }
  for (std::size_t row = 0; row < entry_.size(); ++row) {
    // The last block of the row's stratum that is not after its entry.
    const auto after = std::partition_point(blocks_.begin(), blocks_.end(), [&](const Block& block) {
      const auto first = static_cast<std::size_t>(block.begin);
      return stratum_[first] < stratum_[row] || (stratum_[first] == stratum_[row] && time_[first] <= entry_[row]);
    });
    if (after == blocks_.begin()) continue;
    const auto b = static_cast<std::size_t>(after - blocks_.begin()) - 1;
    if (stratum_[static_cast<std::size_t>(blocks_[b].begin)] == stratum_[row]) {
      exposure[static_cast<Eigen::Index>(row)] -= cumulative[b];
    }
  }
  return exposure;
}

bool CoxLikelihood::starts_stratum(std::size_t block) const {
  const auto first = static_cast<std::size_t>(blocks_[block].begin);
  return first == 0 || stratum_[first] != stratum_[first - 1];
}

double CoxLikelihood::evaluate_predictor(const Eigen::VectorXd& eta, Eigen::VectorXd* gradient,
                                         Eigen::VectorXd* curvature) const {
  std::vector<double> shift;
  const Eigen::ArrayXd risk = relative_risk(eta, shift);
  std::vector<double> hazard(blocks_.size(), 0.0), square(blocks_.size(), 0.0), spared(blocks_.size(), 0.0),
      spared_square(blocks_.size(), 0.0);
  double log_likelihood = 0;
  bool vanished = false;
  Sweep sweep(*this, risk, false);
  sweep.run([&](std::size_t b, const Block& block) {
    for (Eigen::Index i = block.begin; i < block.begin + block.deaths; ++i) {
      log_likelihood += eta[i] - shift[stratum_[static_cast<std::size_t>(i)]];
    }
    for (Eigen::Index l = 0; l < block.deaths; ++l) {
      const double out = taken_out(ties_, l, block.deaths), left = sweep.sum - out * sweep.dying, inverse = 1 / left;
      vanished |= !(left > 0);
      log_likelihood += std::log(inverse);
      hazard[b] += inverse;
      square[b] += inverse * inverse;
      spared[b] += out * inverse;
      spared_square[b] += (1 - (1 - out) * (1 - out)) * inverse * inverse;
    }
  });
  if (vanished) log_likelihood = -HUGE_VAL;
  if (!gradient) return log_likelihood;
  gradient->resize(size());
  curvature->resize(size());
  double running = 0, running_square = 0;
  for (std::size_t b = 0; b < blocks_.size(); ++b) {
    const Block& block = blocks_[b];
    if (starts_stratum(b)) running = running_square = 0;
    running += hazard[b];
    running_square += square[b];
    for (Eigen::Index i = block.begin; i < block.end; ++i) {
      const bool dies = i < block.begin + block.deaths;
      const double first = risk[i] * (running - (dies ? spared[b] : 0.0));
      const double second = risk[i] * risk[i] * (running_square - (dies ? spared_square[b] : 0.0));
      (*gradient)[i] = (dies ? 1.0 : 0.0) - first;
      (*curvature)[i] = std::max(0.0, first - second);
    }
  }
  return log_likelihood;
}

std::vector<CoxLikelihood::DeathTime> CoxLikelihood::death_times(const Eigen::VectorXd& eta, bool with_means) const {
  std::vector<double> shift;
  const Eigen::ArrayXd risk = relative_risk(eta, shift);
  std::vector<DeathTime> found;
  Sweep sweep(*this, risk, with_means);
  sweep.run([&](std::size_t, const Block& block) {
    const auto first = static_cast<std::size_t>(block.begin);
    // Hazards are per unit of exp(eta), without the shift.
    const double scale = std::exp(-shift[stratum_[first]]);
    DeathTime at{
        block.begin, block.end, block.deaths, time_[first], stratum_[first], 0, 0, Eigen::VectorXd::Zero(sweep.sum_x.size())};
    for (Eigen::Index l = 0; l < block.deaths; ++l) {
      const double out = taken_out(ties_, l, block.deaths), inverse = 1 / (sweep.sum - out * sweep.dying);
      at.hazard += inverse * scale;
      at.hazard_of_dying += (1 - out) * inverse * scale;
      if (with_means) at.mean += inverse * (sweep.sum_x - out * sweep.dying_x) / static_cast<double>(block.deaths);
    }
    found.push_back(std::move(at));
  });
  std::reverse(found.begin(), found.end());
  return found;
}

}  // namespace clmnet::survival
