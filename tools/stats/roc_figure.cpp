#include "tools/stats/roc_figure.h"

#include <algorithm>

#include "tools/report/curve_figure.h"
#include "tools/report/numbers.h"

namespace clmnet::tools {

void draw_roc(const std::filesystem::path& target, const std::vector<RocFigureScore>& scores,
              const std::vector<std::string>& notes) {
  CurveFigure figure{{}, "1 − specificity", "Sensitivity", 0, 1, 0, 1, true, {}};
  for (const auto& score : scores) {
    const auto curve = survival::roc_curve(score.data);
    const std::string auc = interval_text(survival::auc(score.data), score.auc_interval.lower, score.auc_interval.upper, 2);
    figure.curves.push_back({score.name + ": AUC " + auc,
                             curve.false_positive_rate,
                             curve.true_positive_rate,
                             score.roc_band.x,
                             score.roc_band.lower,
                             score.roc_band.upper,
                             {},
                             {},
                             {},
                             {}});
  }
  figure.notes = notes;
  draw_curves(target, figure);
}

void draw_precision_recall(const std::filesystem::path& target, const std::vector<RocFigureScore>& scores,
                           const std::vector<std::string>& notes) {
  CurveFigure figure{{}, "Recall (sensitivity)", "Precision (PPV)", 0, 1, 0, 1, false, {}};
  for (const auto& score : scores) {
    const auto curve = survival::precision_recall(score.data);
    // From low to high recall; between two points precision is that of the point that reaches the recall.
    std::vector<double> x, y;
    for (std::size_t i = curve.recall.size(); i-- > 0;) {
      if (!x.empty()) {
        x.push_back(x.back());
        y.push_back(curve.precision[i]);
      }
      x.push_back(curve.recall[i]);
      y.push_back(curve.precision[i]);
    }
    figure.curves.push_back({score.name + ": average precision " + fixed_text(curve.average_precision, 2),
                             x,
                             y,
                             score.recall_band.x,
                             score.recall_band.lower,
                             score.recall_band.upper,
                             {},
                             {},
                             {},
                             {}});
  }
  const auto& truth = scores.front().data.positive;
  figure.level = static_cast<double>(std::count(truth.begin(), truth.end(), 1)) / static_cast<double>(truth.size());
  figure.notes = notes;
  figure.notes.push_back("dotted: prevalence " + fixed_text(*figure.level, 2));
  draw_curves(target, figure);
}

}  // namespace clmnet::tools
