#include <algorithm>
#include <cmath>
#include <stdexcept>

#include "survival/cox.h"
#include "survival/cox_by_deaths.h"
#include "survival/distributions.h"
#include "survival/kaplan_meier.h"
#include "survival/linear_algebra.h"

namespace clmnet::survival {
namespace {

struct Fitted {
  Fitted(const CoxModel& model, const Eigen::Ref<const Eigen::MatrixXd>& x, const Outcome& outcome, const CoxOptions& options)
      : kept(kept_of(model)),
        likelihood(Eigen::MatrixXd(x(Eigen::all, kept)), outcome, options.strata ? &*options.strata : nullptr, options.ties),
        beta(model.coefficient(kept)),
        eta(likelihood.x() * beta) {
    for (Eigen::Index j = 0; j < x.cols(); ++j) {
      if (!std::isnan(model.coefficient[j]) || model.reached[j] == 0) continue;
      for (Eigen::Index i = 0; i < eta.size(); ++i) {
        const auto row = static_cast<Eigen::Index>(likelihood.order()[static_cast<std::size_t>(i)]);
        eta[i] += (x(row, j) - x.col(j).mean()) * model.reached[j];
      }
    }
  }

  static std::vector<Eigen::Index> kept_of(const CoxModel& model) {
    std::vector<Eigen::Index> kept;
    for (Eigen::Index j = 0; j < model.coefficient.size(); ++j) {
      if (!std::isnan(model.coefficient[j])) kept.push_back(j);
    }
    return kept;
  }

  std::vector<Eigen::Index> kept;
  CoxLikelihood likelihood;
  Eigen::VectorXd beta;
  Eigen::VectorXd eta;   // sorted rows, at what every coefficient had reached
};

/// exp(eta) times the hazard that each sorted row was exposed to.
Eigen::ArrayXd expected_events(const Fitted& fit) {
  const auto deaths = fit.likelihood.death_times(fit.eta, false);
  const auto& blocks = fit.likelihood.blocks();
  std::vector<double> hazard(blocks.size(), 0.0), spared(blocks.size(), 0.0);
  std::size_t next = 0;
  for (std::size_t b = 0; b < blocks.size() && next < deaths.size(); ++b) {
    if (blocks[b].begin != deaths[next].begin) continue;
    hazard[b] = deaths[next].hazard;
    spared[b] = deaths[next].hazard - deaths[next].hazard_of_dying;
    ++next;
  }
  return fit.likelihood.exposure_to(hazard, spared) * fit.eta.array().exp();
}

/// Score residuals by sorted row: for each death step its share of x - mean, less the risk-weighted x - mean of all at risk.
Eigen::MatrixXd score_residuals(const Fitted& fit) {
  const CoxLikelihood& data = fit.likelihood;
  const Eigen::Index p = data.covariates();
  Eigen::MatrixXd score = Eigen::MatrixXd::Zero(data.size(), p);
  std::vector<double> shift;
  const Eigen::ArrayXd risk = data.relative_risk(fit.eta, shift);
  const auto at_risk = [&](Eigen::Index i, const CoxLikelihood::Block& block) {
    const auto row = static_cast<std::size_t>(i), first = static_cast<std::size_t>(block.begin);
    return data.stratum()[row] == data.stratum()[first] && (data.entry().empty() || data.entry()[row] < data.time()[first]);
  };
  // Cumulated over deaths: hazard and hazard * mean; with late entry each row takes only its own part, so sum per row.
  const auto& blocks = data.blocks();
  double sum = 0;
  Eigen::RowVectorXd sum_x = Eigen::RowVectorXd::Zero(p);
  struct Step {
    double hazard, dying_hazard;
    Eigen::RowVectorXd hazard_mean, dying_hazard_mean, mean;
  };
  std::vector<Step> steps(blocks.size());
  for (std::size_t b = blocks.size(); b-- > 0;) {
    const auto& block = blocks[b];
    const auto first = static_cast<std::size_t>(block.begin);
    const bool last_of_stratum =
        b + 1 == blocks.size() || data.stratum()[static_cast<std::size_t>(blocks[b + 1].begin)] != data.stratum()[first];
    if (!data.entry().empty()) {
      sum = 0;
      sum_x.setZero();
      for (Eigen::Index i = block.begin; i < data.size(); ++i) {
        if (!at_risk(i, block)) continue;
        sum += risk[i];
        sum_x += risk[i] * data.x().row(i);
      }
    } else {
      if (last_of_stratum) {
        sum = 0;
        sum_x.setZero();
      }
      for (Eigen::Index i = block.begin; i < block.end; ++i) {
        sum += risk[i];
        sum_x += risk[i] * data.x().row(i);
      }
    }
    Step& step = steps[b];
    step.hazard = step.dying_hazard = 0;
    step.hazard_mean = step.dying_hazard_mean = step.mean = Eigen::RowVectorXd::Zero(p);
    double dying = 0;
    Eigen::RowVectorXd dying_x = Eigen::RowVectorXd::Zero(p);
    for (Eigen::Index i = block.begin; i < block.begin + block.deaths; ++i) {
      dying += risk[i];
      dying_x += risk[i] * data.x().row(i);
    }
    for (Eigen::Index l = 0; l < block.deaths; ++l) {
      const double out = data.ties() == CoxTies::efron ? static_cast<double>(l) / static_cast<double>(block.deaths) : 0;
      const double inverse = 1 / (sum - out * dying);
      const Eigen::RowVectorXd mean = inverse * (sum_x - out * dying_x);
      step.hazard += inverse;
      step.hazard_mean += inverse * mean;
      step.dying_hazard += (1 - out) * inverse;
      step.dying_hazard_mean += (1 - out) * inverse * mean;
      step.mean += mean / static_cast<double>(block.deaths);
    }
  }
  double hazard = 0;
  Eigen::RowVectorXd hazard_mean = Eigen::RowVectorXd::Zero(p);
  for (std::size_t b = 0; b < blocks.size(); ++b) {
    const auto& block = blocks[b];
    if (b == 0 ||
        data.stratum()[static_cast<std::size_t>(block.begin)] != data.stratum()[static_cast<std::size_t>(block.begin) - 1]) {
      hazard = 0;
      hazard_mean.setZero();
    }
    for (Eigen::Index i = block.begin; i < block.end; ++i) {
      const bool dies = i < block.begin + block.deaths;
      double own_hazard = hazard + (dies ? steps[b].dying_hazard : steps[b].hazard);
      Eigen::RowVectorXd own_mean = hazard_mean + (dies ? steps[b].dying_hazard_mean : steps[b].hazard_mean);
      if (!data.entry().empty()) {
        for (std::size_t earlier = b; earlier-- > 0;) {
          if (data.stratum()[static_cast<std::size_t>(blocks[earlier].begin)] != data.stratum()[static_cast<std::size_t>(i)]) {
            break;
          }
          if (at_risk(i, blocks[earlier])) continue;
          own_hazard -= steps[earlier].hazard;
          own_mean -= steps[earlier].hazard_mean;
        }
      }
      if (dies) score.row(i) += data.x().row(i) - steps[b].mean;
      score.row(i) -= risk[i] * (own_hazard * data.x().row(i) - own_mean);
    }
    hazard += steps[b].hazard;
    hazard_mean += steps[b].hazard_mean;
  }
  return score;
}

double transformed(const std::vector<double>& sorted, const KaplanMeier& curve, double time, TimeTransform transform) {
  switch (transform) {
    case TimeTransform::identity: return time;
    case TimeTransform::log: return std::log(time);
    case TimeTransform::rank: {
      const auto range = std::equal_range(sorted.begin(), sorted.end(), time);
      return (static_cast<double>(range.first - sorted.begin()) + static_cast<double>(range.second - sorted.begin()) + 1) / 2;
    }
    case TimeTransform::kaplan_meier: {
      const auto reached = std::lower_bound(curve.time.begin(), curve.time.end(), time);
      return reached == curve.time.begin() ? 0 : 1 - curve.survival[static_cast<std::size_t>(reached - curve.time.begin()) - 1];
    }
  }
  throw std::invalid_argument("unknown time transform");
}

/// x times the reached coefficients less that of R's reference subject, added column by column.
Eigen::VectorXd centred_predictor(const CoxModel& model, const Eigen::Ref<const Eigen::MatrixXd>& x) {
  Eigen::VectorXd predictor = Eigen::VectorXd::Zero(x.rows());
  long double reference = 0;
  for (Eigen::Index j = 0; j < x.cols(); ++j) {
    predictor += model.reached[j] * x.col(j);
    if (!only_signs(x.col(j))) reference += model.reached[j] * ordered_mean(x.col(j));
  }
  return predictor.array() - static_cast<double>(reference);
}

/// Score tests of one added term at a time and of all, given the covariates at their maximum.
ProportionalHazards tests_of(const TimedScore& score, const std::vector<Eigen::Index>& covariates) {
  const auto p = static_cast<Eigen::Index>(covariates.size());
  ProportionalHazards result;
  result.covariate = covariates;
  const auto test = [&](Eigen::Index first, Eigen::Index count) {
    std::vector<Eigen::Index> used;
    for (Eigen::Index j = 0; j < p; ++j) used.push_back(j);
    for (Eigen::Index j = first; j < first + count; ++j) used.push_back(p + j);
    Eigen::VectorXd u = Eigen::VectorXd::Zero(p + count);
    u.tail(count) = score.gradient.segment(first, count);
    const double statistic = solve_by_elimination(score.information(used, used), u).dot(u);
    result.test.push_back({statistic, static_cast<int>(count), chi_squared_upper(statistic, static_cast<double>(count))});
  };
  for (Eigen::Index j = 0; j < p; ++j) test(j, 1);
  test(0, p);
  return result;
}

}  // namespace

CoxResiduals cox_residuals(const CoxModel& model, const Eigen::Ref<const Eigen::MatrixXd>& x, const Outcome& outcome,
                           const CoxOptions& options) {
  const Fitted fit(model, x, outcome, options);
  const CoxLikelihood& data = fit.likelihood;
  const Eigen::Index n = data.size(), p = x.cols();
  CoxResiduals residuals;
  residuals.martingale.resize(n);
  residuals.deviance.resize(n);
  residuals.score = residuals.dfbeta = Eigen::MatrixXd::Zero(n, p);
  const Eigen::ArrayXd expected = expected_events(fit);
  const Eigen::MatrixXd score = score_residuals(fit);
  const Eigen::MatrixXd covariance = model.covariance(fit.kept, fit.kept);
  for (Eigen::Index i = 0; i < n; ++i) {
    const auto row = static_cast<Eigen::Index>(data.order()[static_cast<std::size_t>(i)]);
    const double event = data.event()[static_cast<std::size_t>(i)], m = event - expected[i];
    residuals.martingale[row] = m;
    const double inside = m + (event > 0 ? event * std::log(event - m) : 0.0);
    residuals.deviance[row] = (m < 0 ? -1 : 1) * std::sqrt(std::max(0.0, -2 * inside));
    residuals.score(row, fit.kept) = score.row(i);
    residuals.dfbeta(row, fit.kept) = score.row(i) * covariance;
  }
  // Covariates without a coefficient have Schoenfeld residuals too; both likelihoods sort alike.
  const bool all_kept = static_cast<Eigen::Index>(fit.kept.size()) == p;
  const CoxLikelihood full =
      all_kept ? data : CoxLikelihood(x, outcome, options.strata ? &*options.strata : nullptr, options.ties);
  const auto deaths = full.death_times(fit.eta, true);
  residuals.schoenfeld = Eigen::MatrixXd::Zero(static_cast<Eigen::Index>(data.events()), p);
  residuals.scaled_schoenfeld = residuals.schoenfeld;
  Eigen::Index next = 0;
  for (const auto& at : deaths) {
    for (Eigen::Index i = at.begin; i < at.begin + at.deaths; ++i, ++next) {
      residuals.schoenfeld.row(next) = full.x().row(i) - at.mean.transpose();
      residuals.scaled_schoenfeld(next, fit.kept) =
          residuals.schoenfeld(next, fit.kept) * covariance * static_cast<double>(data.events()) + fit.beta.transpose();
      residuals.death_time.push_back(at.time);
    }
  }
  return residuals;
}

ProportionalHazards test_proportional_hazards(const CoxModel& model, const Eigen::Ref<const Eigen::MatrixXd>& x,
                                              const Outcome& outcome, const CoxOptions& options, TimeTransform transform) {
  const Fitted fit(model, x, outcome, options);
  const CoxLikelihood& data = fit.likelihood;
  const Eigen::Index p = data.covariates();
  ProportionalHazards result;
  result.covariate = fit.kept;
  if (p == 0) return result;
  std::vector<double> sorted = data.time();
  std::sort(sorted.begin(), sorted.end());
  const KaplanMeier curve = kaplan_meier(merge_close_times(outcome));
  std::vector<double> g(data.blocks().size()), g_squared(g.size());
  long double sum = 0, rest = 0;   // the mean in two passes, as R's
  for (std::size_t b = 0; b < g.size(); ++b) {
    const auto& block = data.blocks()[b];
    g[b] = block.deaths > 0 ? transformed(sorted, curve, data.time()[static_cast<std::size_t>(block.begin)], transform) : 0.0;
    sum += g[b] * static_cast<long double>(block.deaths);
  }
  const auto events = static_cast<long double>(data.events());
  sum /= events;
  for (std::size_t b = 0; b < g.size(); ++b) rest += (g[b] - sum) * static_cast<long double>(data.blocks()[b].deaths);
  const auto mean = static_cast<double>(sum + rest / events);
  for (std::size_t b = 0; b < g.size(); ++b) {
    g[b] -= mean;
    g_squared[b] = g[b] * g[b];
  }
  if (CoxByDeaths::suits(x, outcome)) {
    std::vector<double> g_of_row(outcome.size());
    for (std::size_t b = 0; b < g.size(); ++b) {
      for (Eigen::Index i = data.blocks()[b].begin; i < data.blocks()[b].end; ++i) {
        g_of_row[data.order()[static_cast<std::size_t>(i)]] = g[b];
      }
    }
    const TimedScore score = timed_score(x(Eigen::all, fit.kept), outcome, options.strata ? &*options.strata : nullptr,
                                         options.ties, centred_predictor(model, x), g_of_row);
    return tests_of(score, fit.kept);
  }
  const auto plain = data.evaluate(fit.beta, true), once = data.evaluate(fit.beta, true, &g),
             twice = data.evaluate(fit.beta, true, &g_squared);
  // Score of the added terms given the others at their maximum: u' (C - B A^-1 B)^-1 u for the block in question.
  const Eigen::MatrixXd inverse = symmetric_inverse(plain.information);
  const auto chi_squared = [&](const std::vector<Eigen::Index>& tested) {
    const Eigen::MatrixXd cross = once.information(Eigen::all, tested);
    const Eigen::MatrixXd left = twice.information(tested, tested) - cross.transpose() * inverse * cross;
    const double statistic = quadratic_form_of_inverse(left, once.gradient(tested));
    const int df = static_cast<int>(tested.size());
    return TestResult{statistic, df, chi_squared_upper(statistic, df)};
  };
  std::vector<Eigen::Index> all;
  for (Eigen::Index j = 0; j < p; ++j) {
    result.test.push_back(chi_squared({j}));
    all.push_back(j);
  }
  result.test.push_back(chi_squared(all));
  return result;
}

}  // namespace clmnet::survival
