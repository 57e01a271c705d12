#include "tools/cv/cv_report.h"

#include <algorithm>
#include <array>
#include <iomanip>
#include <map>
#include <sstream>

#include "survival/roc.h"
#include "tools/base/atomic_file.h"
#include "tools/base/csv.h"
#include "tools/cv/line_chart.h"

namespace clmnet::tools {
namespace fs = std::filesystem;
using nlohmann::json;

namespace {

constexpr const char* kHead = R"(<!doctype html><html lang="en"><head><meta charset="utf-8"><title>clmnet cross-validation</title>
<style>body{font:15px/1.45 sans-serif;max-width:1000px;margin:2em auto;padding:0 1em;color:#222;background:#fff}
table{border-collapse:collapse;margin:.5em 0}th,td{padding:.25em .7em;text-align:right;border-bottom:1px solid #ccc}
th:first-child,td:first-child{text-align:left}thead th{border-bottom:2px solid #555}.charts{display:flex;flex-wrap:wrap;gap:1em}
button{font:inherit;margin-right:.5em}pre{background:#f4f4f4;padding:1em;overflow:auto;font-size:12px}.note{color:#555}</style></head><body>
)";

constexpr const char* kScript = R"(<script>
function cells(t){return [...t.rows].map(r=>[...r.cells].map(c=>c.textContent.trim()))}
function put(b,s){navigator.clipboard.writeText(s).then(()=>{const o=b.textContent;b.textContent='copied';setTimeout(()=>b.textContent=o,900)})}
for(const t of document.querySelectorAll('table')){const p=document.createElement('p');
for(const [n,f] of [['copy as CSV',r=>r.map(c=>c.map(x=>'"'+x.replaceAll('"','""')+'"').join(',')).join('\n')],
['copy as LaTeX',r=>'\\begin{tabular}{l'+'r'.repeat(r[0].length-1)+'}\n'+r.map(c=>c.map(x=>x.replace(/([%&_#])/g,'\\$1')).join(' & ')+' \\\\').join('\n')+'\n\\end{tabular}']]){
const b=document.createElement('button');b.textContent=n;b.onclick=()=>put(b,f(cells(t)));p.append(b)}t.after(p)}
</script>)";

std::string fixed(const json& value, int digits = 3) {
  const json& number = value.is_object() ? value["value"] : value;
  if (number.is_null()) return "not defined";
  std::ostringstream text;
  text << std::fixed << std::setprecision(digits) << number.get<double>();
  return text.str();
}

std::string with_interval(const json& value, const json& interval) {
  return fixed(value) + " (" + fixed(interval[0]) + "–" + fixed(interval[1]) + ")";
}

using Table = std::vector<std::vector<std::string>>;

std::string html_table(const Table& rows) {
  std::string out = "<table><thead><tr>";
  for (const auto& cell : rows.front()) out += "<th scope=\"col\">" + escape_html(cell) + "</th>";
  out += "</tr></thead><tbody>\n";
  for (std::size_t i = 1; i < rows.size(); ++i) {
    out += "<tr>";
    for (const auto& cell : rows[i]) out += "<td>" + escape_html(cell) + "</td>";
    out += "</tr>\n";
  }
  return out + "</tbody></table>\n";
}

std::string measures(const json& predictors) {
  Table rows = {{"", "AUC (95% CI)", "accuracy", "precision", "recall", "specificity", "F1", "Dice", "calibration error"}};
  for (const auto& [name, p] : predictors.items()) {
    rows.push_back({name, with_interval(p["auc"], p["auc_ci"]), with_interval(p["accuracy"], p["accuracy"]["ci"]),
                    with_interval(p["precision"], p["precision"]["ci"]), with_interval(p["recall"], p["recall"]["ci"]),
                    with_interval(p["specificity"], p["specificity"]["ci"]), fixed(p["f1"]), fixed(p["dice"]),
                    fixed(p["calibration_error"])});
  }
  return html_table(rows);
}

std::string by_fold(const json& predictors) {
  Table rows = {{"mean ± sd over folds", "AUC", "accuracy", "precision", "recall", "F1", "Dice"}};
  for (const auto& [name, p] : predictors.items()) {
    std::vector<std::string> row = {name};
    for (const char* key : {"auc", "accuracy", "precision", "recall", "f1", "dice"}) {
      row.push_back(fixed(p["folds"][key]["mean"]) + " ± " + fixed(p["folds"][key]["sd"]));
    }
    rows.push_back(row);
  }
  return html_table(rows);
}

std::string comparisons(const json& list) {
  Table rows = {{"ensemble against", "AUC difference (95% CI)", "DeLong p", "after Holm", "only ensemble right", "only network right",
                 "McNemar p", "after Holm"}};
  for (const auto& c : list) {
    rows.push_back({c["network"], with_interval(c["auc_difference"], c["auc_difference_ci"]), fixed(c["delong_p"]),
                    fixed(c["delong_p_holm"]), std::to_string(c["only_ensemble_right"].get<int>()),
                    std::to_string(c["only_network_right"].get<int>()), fixed(c["mcnemar_p"]), fixed(c["mcnemar_p_holm"])});
  }
  return html_table(rows);
}

survival::Scored scores_of(const CvTable& table, const CvTable::Column& column) {
  survival::Scored data;
  data.score = column.probability;
  for (const auto& row : table.rows) data.positive.push_back(row.label > 0 ? 1 : 0);
  return data;
}

std::string curves(const CvTable& table) {
  LineChart roc{"ROC, out-of-fold", "1 - specificity", "sensitivity", 0, 1, 0, 1, true, {}};
  LineChart recall{"Precision and recall, out-of-fold", "recall", "precision", 0, 1, 0, 1, false, {}};
  LineChart calibration{"Calibration, tenths of probability", "predicted", "observed", 0, 1, 0, 1, true, {}};
  for (const auto& column : table.columns) {
    const survival::Scored data = scores_of(table, column);
    const survival::RocCurve curve = survival::roc_curve(data);
    ChartLine line{column.name, {}, false, false};
    for (std::size_t i = 0; i < curve.threshold.size(); ++i) line.points.emplace_back(curve.false_positive_rate[i], curve.true_positive_rate[i]);
    roc.lines.push_back(line);
    const survival::PrecisionRecall pr = survival::precision_recall(data);
    line.points.clear();
    for (std::size_t i = 0; i < pr.precision.size(); ++i) line.points.emplace_back(pr.recall[i], pr.precision[i]);
    recall.lines.push_back(line);
    std::map<int, std::array<double, 3>> bins;  // predicted, observed, number
    for (std::size_t i = 0; i < data.score.size(); ++i) {
      auto& bin = bins[std::min(9, static_cast<int>(data.score[i] * 10))];
      bin[0] += data.score[i];
      bin[1] += data.positive[i];
      bin[2] += 1;
    }
    line = {column.name, {}, false, true};
    for (const auto& [place, bin] : bins) line.points.emplace_back(bin[0] / bin[2], bin[1] / bin[2]);
    calibration.lines.push_back(line);
  }
  return "<div class=\"charts\">" + draw_svg(roc) + draw_svg(recall) + draw_svg(calibration) + "</div>\n";
}

/// Validation loss by epoch, one line per fold, one chart per network.
std::string learning_curves(const fs::path& run, const json& summary) {
  std::map<std::string, LineChart> charts;
  for (int fold = 1; fold <= summary["folds"].get<int>(); ++fold) {
    const fs::path file = run / "repeat-1" / ("fold-" + std::to_string(fold)) / "training" / "train.csv";
    std::error_code ignored;
    if (!fs::exists(file, ignored)) continue;
    const CsvTable log = CsvTable::read(file);
    for (std::size_t i = 0; i < log.rows(); ++i) {
      const std::string& network = log.cell(i, log.column("network"));
      LineChart& chart = charts.try_emplace(network, LineChart{network + ": validation loss", "epoch", "loss", 1, 2, 0, 0, false, {}}).first->second;
      if (chart.lines.empty() || chart.lines.back().name != "fold " + std::to_string(fold)) {
        chart.lines.push_back({"fold " + std::to_string(fold), {}, false, true});
      }
      const double epoch = log.number(i, log.column("epoch")), loss = log.number(i, log.column("validation_loss"));
      chart.lines.back().points.emplace_back(epoch, loss);
      chart.x_max = std::max(chart.x_max, epoch);
      chart.y_max = std::max(chart.y_max, loss);
    }
  }
  std::string out = "<div class=\"charts\">";
  for (const auto& [network, chart] : charts) out += draw_svg(chart);
  return out + "</div>\n";
}

std::string cohort(const json& s) {
  const Table rows = {{"images", "n"},
                      {"cross-validated", s["images"].dump()},
                      {"of these with tumour", s["tumour_images"].dump()},
                      {"patients cross-validated", s["patients"].dump()},
                      {"trained on in every fold, never tested", s["images_trained_on_only"].dump()},
                      {"left out: class not known", s["images_without_class"].dump()},
                      {"folds × repeats", s["folds"].dump() + " × " + s["repeats"].dump()}};
  return html_table(rows);
}

std::string methods(const json& s, const json& configuration) {
  return "<p>Patients, stratified by class, were dealt to " + s["folds"].dump() + " folds (" + s["repeats"].dump() +
         " times); no patient is on both sides of a split. In each fold VGG16, DeepLab-v3 and U-Net were trained on the other folds, "
         "of whose patients " + fixed(configuration["training"]["training"]["validation_fraction"], 2) +
         " chose epochs, calibration, fusion weights, thresholds and the CRF; the fold itself was predicted once. AUC: Mann-Whitney, "
         "interval by bootstrap over patients (2,000 resamples, percentile). Proportions: Wilson intervals. Ensemble against networks: "
         "DeLong's paired test and McNemar's exact test, Holm's correction; both take images as independent. Dice: mean over images "
         "with tumour, for the ensemble after the CRF; before it " + fixed(s["predictors"]["ensemble"]["dice_before_crf"]) +
         ". Calibration error: expected, ten bins of equal width. clmnet " + escape_html(configuration["version"]) +
         ". Research use, not a medical device.</p>\n";
}

std::string on_test(const json& s) {
  if (!s.contains("test")) return "";
  Table rows = {{"final model on the test manifest", "AUC", "95% CI", "accuracy", "precision", "recall", "F1", "Dice", "n"}};
  for (const auto& [name, p] : s["test"].items()) {
    const std::string interval = p["auc_ci"].is_null() ? "not defined" : fixed(p["auc_ci"][0]) + "–" + fixed(p["auc_ci"][1]);
    rows.push_back({name, fixed(p["auc"]), interval, fixed(p["accuracy"]), fixed(p["precision"]), fixed(p["recall"]), fixed(p["f1"]),
                    fixed(p["dice"]), p["n"].dump()});
  }
  return "<h2>Other patients</h2>\n" + html_table(rows);
}

}  // namespace

void write_cv_report(const fs::path& run, const json& summary, const json& configuration, const CvTable& table) {
  std::string html = kHead;
  html += "<h1>Cross-validation</h1><p class=\"note\">Out-of-fold predictions: each image was predicted by networks that saw no image of "
          "its patient.</p>\n<h2>Cohort</h2>\n" + cohort(summary);
  html += "<h2>Measures over all images</h2>\n" + measures(summary["predictors"]);
  html += "<h2>Fold by fold</h2>\n" + by_fold(summary["predictors"]);
  html += "<h2>Is the ensemble better?</h2>\n" + comparisons(summary["comparisons"]);
  html += "<h2>Curves</h2>\n" + curves(table);
  html += "<h2>Learning</h2>\n" + learning_curves(run, summary);
  html += on_test(summary);
  html += "<h2>Methods</h2>\n" + methods(summary, configuration);
  html += "<h2>Configuration</h2><pre>" + escape_html(configuration.dump(2)) + "</pre>\n";
  html += kScript;
  write_atomically(run / "report.html", html + "</body></html>\n");
}

}  // namespace clmnet::tools
