#include "tools/cv/cv_figures.h"

#include <algorithm>
#include <array>
#include <cctype>
#include <cmath>
#include <map>
#include <sstream>
#include <stdexcept>

#include "survival/groups.h"
#include "survival/roc_bootstrap.h"
#include "tools/base/csv.h"
#include "tools/cv/cv_measures.h"
#include "tools/report/curve_figure.h"
#include "tools/report/figure_style.h"
#include "tools/report/gnuplot.h"
#include "tools/report/km_figure.h"
#include "tools/report/numbers.h"
#include "tools/stats/mean_interval.h"
#include "tools/survival/fit_figures.h"

namespace clmnet::tools {
namespace fs = std::filesystem;
using nlohmann::json;

namespace {

constexpr std::size_t kMostCurves = 8;

CvFigure curves_drawn(const fs::path& folder, const std::string& name, const std::string& caption, const CurveFigure& figure) {
  for (const char* ending : {".svg", ".pdf"}) draw_curves(folder / (name + ending), figure);
  return {name, caption};
}

std::string with_interval(const std::string& name, const json& measure) {
  const auto number = [](const json& value) { return value.is_null() ? std::nan("") : value.get<double>(); };
  return name + ": " + interval_text(number(measure["value"]), number(measure["ci"][0]), number(measure["ci"][1]));
}

void take_band(FigureCurve& line, const survival::CurveBand& band) {
  line.band_x = band.x;
  line.lower = band.lower;
  line.upper = band.upper;
}

CurveFigure calibration_figure(const CvTable& joined, const json& summary) {
  CurveFigure figure{{}, "Predicted probability of tumour", "Observed share with tumour", 0, 1, 0, 1, true, {}, {}};
  for (const auto& column : joined.columns) {
    FigureCurve line;
    line.name = column.name;
    for (const auto& point : summary["predictors"][column.name]["calibration"]["curve"]) {
      line.x.push_back(point["predicted"].get<double>());
      line.y.push_back(point["observed"].get<double>());
    }
    line.mark_x = line.x;
    line.mark_y = line.y;
    if (figure.curves.size() < kMostCurves) figure.curves.push_back(std::move(line));
  }
  return figure;
}

/// Losses of one network: [train, validation] by epoch, over folds.
using Losses = std::array<std::map<int, std::vector<double>>, 2>;

void read_losses(const fs::path& file, std::map<std::string, Losses>& losses) {
  const CsvTable log = CsvTable::read(file);
  const std::size_t network = log.column("network"), epoch = log.column("epoch");
  const std::size_t train = log.column("train_loss"), validation = log.column("validation_loss");
  for (std::size_t i = 0; i < log.rows(); ++i) {
    Losses& own = losses[log.cell(i, network)];
    const int at = static_cast<int>(log.number(i, epoch));
    own[0][at].push_back(log.number(i, train));
    own[1][at].push_back(log.number(i, validation));
  }
}

std::vector<fs::path> training_logs(const fs::path& run) {
  std::vector<fs::path> files;
  std::error_code ignored;
  for (const auto& repeat : fs::directory_iterator(run, ignored)) {
    if (!repeat.path().filename().string().starts_with("repeat-")) continue;
    for (const auto& fold : fs::directory_iterator(repeat, ignored)) {
      const fs::path file = fold.path() / "training" / "train.csv";
      if (fs::is_regular_file(file, ignored)) files.push_back(file);
    }
  }
  std::sort(files.begin(), files.end());
  return files;
}

FigureCurve loss_line(const std::string& name, const std::map<int, std::vector<double>>& by_epoch) {
  FigureCurve line;
  line.name = name;
  for (const auto& [epoch, values] : by_epoch) {
    line.x.push_back(epoch);
    line.y.push_back(mean_of_defined(values));
    line.lower.push_back(*std::min_element(values.begin(), values.end()));
    line.upper.push_back(*std::max_element(values.begin(), values.end()));
  }
  line.mark_x = line.band_x = line.x;
  line.mark_y = line.y;
  line.mark_lower = line.lower;
  line.mark_upper = line.upper;
  return line;
}

std::string capital(std::string text) {
  if (!text.empty()) text[0] = static_cast<char>(std::toupper(static_cast<unsigned char>(text[0])));
  return text;
}

std::size_t letters_of(const std::string& text) {
  return static_cast<std::size_t>(std::count_if(text.begin(), text.end(), [](unsigned char c) { return (c & 0xC0) != 0x80; }));
}

}  // namespace

std::vector<CvFigure> draw_prediction_figures(const fs::path& folder, const CvTable& joined, const json& summary) {
  CurveFigure roc{{}, "1 − specificity", "Sensitivity", 0, 1, 0, 1, true, {}, {}},
      recall{{}, "Recall", "Precision", 0, 1, 0, 1, false, {}, {}};
  survival::ResampleOptions resample;
  resample.clusters = survival::make_groups(patients_of(joined));
  for (std::size_t c = 0; c < std::min(kMostCurves, joined.columns.size()); ++c) {
    const auto& name = joined.columns[c].name;
    const survival::Scored data = scores_of(joined, joined.columns[c]);
    const survival::RocCurve curve = survival::roc_curve(data);
    FigureCurve line;
    line.name = with_interval(name, summary["predictors"][name]["auc"]);
    line.x = curve.false_positive_rate;
    line.y = curve.true_positive_rate;
    if (c == 0) take_band(line, survival::roc_band(data, resample));
    roc.curves.push_back(line);
    const survival::PrecisionRecall pr = survival::precision_recall(data);
    line = {};
    line.name = name + ": average precision " + fixed_text(pr.average_precision, 3);
    line.x = pr.recall;
    line.y = pr.precision;
    if (c == 0) take_band(line, survival::precision_recall_band(data, resample));
    recall.curves.push_back(line);
  }
  const double share = summary["tumour_images"].get<double>() / summary["images"].get<double>();
  recall.level = share;
  return {curves_drawn(folder, "roc",
                       "ROC curves of out-of-fold predictions, AUC with 95 % interval; band: 95 % over patients, ensemble", roc),
          curves_drawn(folder, "precision_recall",
                       "Precision and recall of out-of-fold predictions; dashed: share of images with tumour; band: 95 % over "
                       "patients, ensemble",
                       recall),
          curves_drawn(folder, "calibration", "Calibration of out-of-fold predictions in tenths of probability; dashed: perfect",
                       calibration_figure(joined, summary))};
}

std::vector<CvFigure> draw_learning_figures(const fs::path& folder, const fs::path& run) {
  std::map<std::string, Losses> losses;
  for (const auto& file : training_logs(run)) read_losses(file, losses);
  std::vector<CvFigure> figures;
  for (const auto& [network, own] : losses) {
    CurveFigure figure{
        {loss_line("training", own[0]), loss_line("validation", own[1])}, "Epoch", "Loss", 0, 1, 0, 0.1, false, {}, {}};
    for (const auto& line : figure.curves) {
      figure.x_most = std::max(figure.x_most, line.x.back());
      figure.y_most = std::max(figure.y_most, std::ceil(10.5 * *std::max_element(line.upper.begin(), line.upper.end())) / 10);
    }
    figures.push_back(
        curves_drawn(folder, "learning_" + network, network + ": loss by epoch, mean and range over folds", figure));
  }
  return figures;
}

std::vector<CvFigure> draw_survival_figures(const fs::path& folder, const CvSurvival& survival, const ClinicalData& data) {
  std::vector<CvFigure> figures;
  std::map<RiskMethod, CurveFigure> roc;
  for (const auto& result : survival.results) {
    CurveFigure& figure =
        roc.try_emplace(result.method, CurveFigure{{}, "1 − specificity", "Sensitivity", 0, 1, 0, 1, true, {}, {}}).first->second;
    if (figure.curves.size() < kMostCurves) {
      const HorizonRoc curve = horizon_roc(data.outcome, result.score, data.horizon);
      FigureCurve line;
      line.name = result.set + ": " + interval_text(result.auc.value[0], result.auc.lower[0], result.auc.upper[0], 2);
      line.x = curve.false_positive_rate;
      line.y = curve.true_positive_rate;
      figure.curves.push_back(std::move(line));
    }
    if (result.curves[0].n == 0 || result.curves[1].n == 0) continue;
    KmFigure km{{"Low risk", "High risk"}, result.curves, label_of_column(data.time_name)};
    km.test = "Log-rank " + p_text(result.test.p);
    const std::string name = "km_" + result.set + "_" + key_of(result.method);
    for (const char* ending : {".svg", ".pdf"}) draw_km(folder / (name + ending), km);
    figures.push_back({name, "Kaplan-Meier curves, features of " + result.set + ", " + name_of(result.method) +
                                 "; groups by the training median risk"});
  }
  for (const auto& [method, figure] : roc) {
    figures.push_back(curves_drawn(folder, std::string("horizon_roc_") + key_of(method),
                                   capital(name_of(method)) + ": ROC curves at the horizon " + number_text(data.horizon) + " (" +
                                       data.time_name + "), AUC with 95 % interval",
                                   figure));
  }
  return figures;
}

CvFigure draw_flow(const fs::path& folder, const std::vector<FlowBox>& boxes) {
  if (boxes.empty()) throw std::invalid_argument("draw_flow: at least one box is wanted");
  constexpr double line_pt = 15, pad_pt = 9, letter_pt = 1.2 * kLetterPt, gap_pt = 22, left_pt = 12, between_pt = 40;
  double main_pt = 0, side_pt = 0, height = 8;
  for (const auto& box : boxes) {
    double& widest = box.leaves ? side_pt : main_pt;
    for (const auto& line : box.lines) widest = std::max(widest, letter_pt * static_cast<double>(letters_of(line)) + 2 * pad_pt);
    height += line_pt * static_cast<double>(box.lines.size()) + 2 * pad_pt + gap_pt;
  }
  const double width = left_pt * 2 + main_pt + (side_pt > 0 ? between_pt + side_pt : 0), middle = left_pt + main_pt / 2;
  std::ostringstream script;
  script << "set lmargin 0\nset rmargin 0\nset tmargin 0\nset bmargin 0\nunset border\nunset tics\nset xrange [0:" << width
         << "]\nset yrange [0:" << height << "]\n";
  double top = height - 8, arrow_from = -1;
  for (const auto& box : boxes) {
    const double tall = line_pt * static_cast<double>(box.lines.size()) + 2 * pad_pt,
                 left = box.leaves ? left_pt + main_pt + between_pt : left_pt;
    const double right = left + (box.leaves ? side_pt : main_pt);
    script << "set object rectangle from " << left << "," << top - tall << " to " << right << "," << top
           << " fc rgb '#ffffff' fs solid border lc rgb '#444444' lw 1\n";
    if (box.leaves) {
      script << "set arrow from " << middle << "," << top - tall / 2 << " to " << left << "," << top - tall / 2
             << " lc rgb '#444444' size 6,20 filled\n";
    } else {
      if (arrow_from >= 0)
        script << "set arrow from " << middle << "," << arrow_from << " to " << middle << "," << top
               << " lc rgb '#444444' size 6,20 filled\n";
      arrow_from = top - tall;
    }
    for (std::size_t i = 0; i < box.lines.size(); ++i) {
      script << "set label " << gnuplot_text(box.lines[i]) << " at " << left + pad_pt << ","
             << top - pad_pt - line_pt * (static_cast<double>(i) + 0.5) << " left front\n";
    }
    top -= tall + gap_pt;
  }
  script << "plot NaN notitle\n";
  for (const char* ending : {".svg", ".pdf"})
    draw_figure(folder / (std::string("flow") + ending), script.str(), width, height - gap_pt + 8);
  return {"flow", "Flow of images and patients"};
}

}  // namespace clmnet::tools
