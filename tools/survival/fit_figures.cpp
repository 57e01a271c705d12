#include "tools/survival/fit_figures.h"

#include <algorithm>
#include <cmath>
#include <numeric>

#include "survival/censoring.h"
#include "tools/report/curve_figure.h"
#include "tools/report/numbers.h"

namespace clmnet::tools {

HorizonRoc horizon_roc(const survival::Outcome& outcome, const Eigen::VectorXd& score, double horizon) {
  const survival::Outcome merged = survival::merge_close_times(outcome);
  const survival::CensoringCurve censoring(merged);
  std::vector<std::size_t> order(merged.size());
  std::iota(order.begin(), order.end(), std::size_t{0});
  const auto of = [&](std::size_t i) { return score[static_cast<Eigen::Index>(i)]; };
  std::sort(order.begin(), order.end(), [&](std::size_t a, std::size_t b) { return of(a) > of(b); });
  HorizonRoc curve{{0}, {0}};
  double cases = 0, controls = 0;
  for (std::size_t k = 0; k < order.size(); ++k) {
    const std::size_t i = order[k];
    if (merged.time[i] > horizon) {
      controls += 1;
    } else if (merged.event[i] != 0) {
      cases += 1 / censoring.before(merged.time[i]);
    }
    if (k + 1 < order.size() && of(order[k + 1]) == of(i)) continue;
    curve.false_positive_rate.push_back(controls);
    curve.true_positive_rate.push_back(cases);
  }
  for (double& value : curve.false_positive_rate) value = controls > 0 ? value / controls : std::nan("");
  for (double& value : curve.true_positive_rate) value = cases > 0 ? value / cases : std::nan("");
  return curve;
}

void draw_horizon_roc(const std::filesystem::path& target, const std::vector<CrossValidation>& results,
                      const survival::Outcome& outcome, double horizon) {
  CurveFigure figure{{}, "1 − specificity", "Sensitivity", 0, 1, 0, 1, true, {}, {}};
  for (const auto& result : results) {
    const auto curve = horizon_roc(outcome, result.score, horizon);
    FigureCurve line;
    line.name = std::string(name_of(result.method)) + ": AUC " +
                interval_text(result.auc.value[0], result.auc.lower[0], result.auc.upper[0], 2);
    line.name[0] = static_cast<char>(std::toupper(static_cast<unsigned char>(line.name[0])));
    line.x = curve.false_positive_rate;
    line.y = curve.true_positive_rate;
    figure.curves.push_back(std::move(line));
  }
  figure.notes = {"n = " + std::to_string(outcome.size()) + ", " + std::to_string(outcome.events()) + " events; out of fold",
                  "95% CI; weights for censoring"};
  draw_curves(target, figure);
}

void draw_calibration(const std::filesystem::path& target, const CrossValidation& result, const survival::Outcome& outcome,
                      double horizon, const std::string& time) {
  constexpr int groups = 5;
  CurveFigure figure{{}, "Predicted risk by " + time, "Observed risk by " + time + " (1 − Kaplan-Meier)", 0, 1, 0, 1, true, {},
                     {}};
  std::vector<double> survival_at;
  for (const double risk : result.risk) survival_at.push_back(1 - risk);
  FigureCurve dots;
  dots.name = std::string(name_of(result.method)) + ", fifths of the patients, 95% CI";
  dots.name[0] = static_cast<char>(std::toupper(static_cast<unsigned char>(dots.name[0])));
  double most = 0;
  const auto all = survival::survival_calibration(outcome, survival_at, horizon, groups);
  // From low to high risk, so that the line runs from left to right.
  for (auto group = all.rbegin(); group != all.rend(); ++group) {
    if (std::isnan(group->observed)) continue;
    dots.x.push_back(1 - group->predicted);
    dots.y.push_back(1 - group->observed);
    dots.mark_lower.push_back(1 - (std::isnan(group->upper) ? group->observed : group->upper));
    dots.mark_upper.push_back(1 - (std::isnan(group->lower) ? group->observed : group->lower));
    most = std::max({most, dots.x.back(), dots.mark_upper.back()});
  }
  dots.mark_x = dots.x;
  dots.mark_y = dots.y;
  figure.x_most = figure.y_most = std::min(1.0, std::ceil(10 * most + 0.5) / 10);
  figure.curves.push_back(std::move(dots));
  draw_curves(target, figure);
}

}  // namespace clmnet::tools
