#include <cmath>
#include <iostream>
#include <memory>

#include "survival/binary_metrics.h"
#include "survival/roc_bootstrap.h"
#include "tools/base/error.h"
#include "tools/report/gnuplot.h"
#include "tools/report/numbers.h"
#include "tools/report/text_table.h"
#include "tools/stats/commands.h"
#include "tools/stats/roc_figure.h"

namespace clmnet::tools {
namespace {

using nlohmann::json;

struct Args {
  TableArgs table;
  std::string truth, positive = "1", patient, subgroup;
  std::vector<std::string> scores;
  std::optional<double> threshold, at_sensitivity, at_specificity;
  double level = 0.95;
  int resamples = 2000;
  std::uint64_t seed = 1;
  bool low_is_positive = false;
  std::vector<std::filesystem::path> figures, recall_figures;
};

struct ScoreResult {
  std::string name;
  survival::Scored data;
  survival::DelongAuc delong;
  survival::Interval delong_interval{0, 0};
  std::optional<survival::Interval> by_patient;
  survival::PrecisionRecall recall;
  double threshold = 0;
  survival::Confusion at;
};

struct Pair {
  std::size_t first, second;
  survival::AucComparison delong;
  std::optional<survival::ResampledDifference> by_patient;
};

double chosen_threshold(const Args& args, const survival::Scored& data) {
  if (args.threshold) return args.low_is_positive ? -*args.threshold : *args.threshold;
  if (args.at_sensitivity) return survival::point_at_sensitivity(data, *args.at_sensitivity).threshold;
  if (args.at_specificity) return survival::point_at_specificity(data, *args.at_specificity).threshold;
  return survival::youden_point(data).threshold;
}

std::string rule_of(const Args& args) {
  if (args.threshold) return "given";
  if (args.at_sensitivity) return "highest with sensitivity >= " + number_text(*args.at_sensitivity) + ", chosen on these data";
  if (args.at_specificity) return "lowest with specificity >= " + number_text(*args.at_specificity) + ", chosen on these data";
  return "Youden's, chosen on these data";
}

survival::ResampleOptions resampling(const Args& args, const std::optional<survival::Groups>& patients) {
  return {patients, args.resamples, args.seed, args.level};
}

ScoreResult analyse(const Args& args, const CompleteRows& rows, const std::string& name, const std::vector<std::uint8_t>& truth,
                    const std::optional<survival::Groups>& patients) {
  ScoreResult result;
  result.name = name;
  result.data = {truth, rows.numbers(name)};
  if (args.low_is_positive) {
    for (double& value : result.data.score) value = -value;
  }
  result.delong = survival::delong(result.data);
  result.delong_interval = result.delong.interval(args.level);
  if (patients) {
    result.by_patient =
        survival::bootstrap_auc(result.data, survival::BootstrapUnit::cluster, patients, args.resamples, args.seed, args.level);
  }
  result.recall = survival::precision_recall(result.data);
  result.threshold = chosen_threshold(args, result.data);
  result.at = survival::confusion(result.data, result.threshold, args.level);
  return result;
}

std::vector<Pair> compare(const Args& args, const std::vector<ScoreResult>& results,
                          const std::optional<survival::Groups>& patients) {
  std::vector<Pair> pairs;
  for (std::size_t i = 0; i < results.size(); ++i) {
    for (std::size_t j = i + 1; j < results.size(); ++j) {
      pairs.push_back({i, j, survival::compare_paired(results[i].data, results[j].data, args.level), {}});
      if (patients) {
        pairs.back().by_patient =
            survival::resampled_auc_difference(results[i].data, results[j].data, resampling(args, patients));
      }
    }
  }
  return pairs;
}

json interval_json(const survival::Interval& interval) { return {json_number(interval.lower), json_number(interval.upper)}; }

json proportion_json(const survival::Proportion& part) {
  return {{"value", json_number(part.value)}, {"wilson", interval_json(part.wilson)}, {"exact", interval_json(part.exact)}};
}

double shown_threshold(const Args& args, double threshold) { return args.low_is_positive ? -threshold : threshold; }

json score_json(const Args& args, const ScoreResult& result) {
  const auto curve = survival::roc_curve(result.data);
  json thresholds = json::array();
  for (const double value : curve.threshold) thresholds.push_back(json_number(shown_threshold(args, value)));
  const auto& at = result.at;
  json entry = {{"score", result.name},
                {"auc", json_number(result.delong.auc)},
                {"delong",
                 {{"std_err", json_number(std::sqrt(result.delong.variance))}, {"ci", interval_json(result.delong_interval)}}},
                {"average_precision", json_number(result.recall.average_precision)},
                {"operating_point",
                 {{"rule", rule_of(args)},
                  {"threshold", json_number(shown_threshold(args, result.threshold))},
                  {"true_positive", at.true_positive},
                  {"false_positive", at.false_positive},
                  {"true_negative", at.true_negative},
                  {"false_negative", at.false_negative},
                  {"sensitivity", proportion_json(at.sensitivity)},
                  {"specificity", proportion_json(at.specificity)},
                  {"ppv", proportion_json(at.positive_predictive_value)},
                  {"npv", proportion_json(at.negative_predictive_value)},
                  {"accuracy", proportion_json(at.accuracy)},
                  {"f1", at.f1},
                  {"mcc", at.matthews},
                  {"balanced_accuracy", json_number(at.balanced_accuracy)}}},
                {"roc",
                 {{"threshold", thresholds},
                  {"false_positive_rate", curve.false_positive_rate},
                  {"true_positive_rate", curve.true_positive_rate}}},
                {"precision_recall", {{"precision", result.recall.precision}, {"recall", result.recall.recall}}}};
  if (result.by_patient) {
    entry["patient_bootstrap"] = {{"ci", interval_json(*result.by_patient)}, {"resamples", args.resamples}, {"seed", args.seed}};
  }
  return entry;
}

json pair_json(const std::vector<ScoreResult>& results, const Pair& pair) {
  json entry = {{"first", results[pair.first].name},
                {"second", results[pair.second].name},
                {"difference", json_number(pair.delong.difference)},
                {"delong",
                 {{"z", json_number(pair.delong.statistic)},
                  {"p", json_number(pair.delong.p)},
                  {"ci", interval_json(pair.delong.interval)}}}};
  if (pair.by_patient) {
    entry["patient_bootstrap"] = {{"ci", interval_json(pair.by_patient->interval)}, {"p", json_number(pair.by_patient->p)}};
  }
  return entry;
}

std::string convention_of(const Args& args, bool patients) {
  std::string text = std::string(args.low_is_positive ? "low" : "high") +
                     " scores speak for the positive; ties count half; AUC with DeLong's variance, normal interval cut to [0,1]; "
                     "paired test of DeLong; average precision is the step sum";
  if (patients) {
    text += "; percentile bootstrap of whole patients (" + std::to_string(args.resamples) + " resamples, seed " +
            std::to_string(args.seed) + ")";
  }
  return text;
}

void print_pairs(const Args& args, const std::vector<ScoreResult>& results, const std::vector<Pair>& pairs) {
  if (pairs.empty()) return;
  const bool patients = pairs.front().by_patient.has_value();
  std::vector<std::string> header{"Difference of AUC", "estimate", "lower", "upper", "z", "p"};
  if (patients) header.insert(header.end(), {"by patient: lower", "upper", "p"});
  TextTable table(header);
  for (const auto& pair : pairs) {
    std::vector<std::string> cells{results[pair.first].name + " - " + results[pair.second].name,
                                   fixed_text(pair.delong.difference, 4),
                                   fixed_text(pair.delong.interval.lower, 4),
                                   fixed_text(pair.delong.interval.upper, 4),
                                   fixed_text(pair.delong.statistic, 3),
                                   p_cell(pair.delong.p)};
    if (pair.by_patient) {
      cells.insert(cells.end(), {fixed_text(pair.by_patient->interval.lower, 4), fixed_text(pair.by_patient->interval.upper, 4),
                                 p_cell(pair.by_patient->p)});
    }
    table.add(cells);
  }
  std::cout << "\n"
            << table.text() << "DeLong's paired test, " << percent_text(args.level) << " intervals"
            << (patients ? "; by patient: bootstrap" : "") << "\n";
}

void print_points(const Args& args, const std::vector<ScoreResult>& results) {
  TextTable table(
      {"Operating point", "threshold", "TP", "FP", "TN", "FN", "sensitivity", "specificity", "PPV", "NPV", "accuracy", "F1"});
  const auto shown = [](const survival::Proportion& part) {
    return interval_text(part.value, part.wilson.lower, part.wilson.upper);
  };
  for (const auto& result : results) {
    const auto& at = result.at;
    table.add({result.name, number_text(shown_threshold(args, result.threshold)), std::to_string(at.true_positive),
               std::to_string(at.false_positive), std::to_string(at.true_negative), std::to_string(at.false_negative),
               shown(at.sensitivity), shown(at.specificity), shown(at.positive_predictive_value),
               shown(at.negative_predictive_value), shown(at.accuracy), fixed_text(at.f1, 3)});
  }
  std::cout << "\n"
            << table.text() << "Threshold: " << rule_of(args) << "; Wilson's " << percent_text(args.level)
            << " intervals (exact ones in --json)\n";
}

void print_tables(const Args& args, const CompleteRows& rows, const std::vector<ScoreResult>& results,
                  const std::vector<Pair>& pairs, std::size_t patients) {
  const auto& first = results.front().delong;
  std::cout << rows.report_text() << "; " << args.truth << ": " << first.positives << " positive (" << args.positive << "), "
            << first.negatives << " negative";
  if (patients > 0) std::cout << "; " << patients << " patients";
  std::vector<std::string> header{"", "AUC", "std.err", "lower", "upper", "avg.precision"};
  if (patients > 0) header.insert(header.end(), {"by patient: lower", "upper"});
  TextTable table(header);
  for (const auto& result : results) {
    std::vector<std::string> cells{result.name,
                                   fixed_text(result.delong.auc, 4),
                                   fixed_text(std::sqrt(result.delong.variance), 4),
                                   fixed_text(result.delong_interval.lower, 4),
                                   fixed_text(result.delong_interval.upper, 4),
                                   fixed_text(result.recall.average_precision, 4)};
    if (result.by_patient) {
      cells.insert(cells.end(), {fixed_text(result.by_patient->lower, 4), fixed_text(result.by_patient->upper, 4)});
    }
    table.add(cells);
  }
  std::cout << "\n\n" << table.text() << percent_text(args.level) << " intervals of DeLong";
  if (patients > 0) {
    std::cout << "; by patient: bootstrap of whole patients, " << args.resamples << " resamples, seed " << args.seed;
  }
  std::cout << "\n";
  print_pairs(args, results, pairs);
  print_points(args, results);
}

json subgroup_json(const Args& args, const CompleteRows& rows, const std::vector<ScoreResult>& results, bool print) {
  const auto groups = survival::make_groups(rows.texts(args.subgroup));
  TextTable table({"AUC by " + args.subgroup, "score", "positive", "negative", "AUC", "lower", "upper"});
  json list = json::array();
  for (const auto& result : results) {
    const auto parts = survival::delong_by_group(result.data, groups);
    for (std::size_t g = 0; g < parts.size(); ++g) {
      const auto interval = parts[g].interval(args.level);
      list.push_back({{"score", result.name},
                      {"group", groups.labels[g]},
                      {"positive", parts[g].positives},
                      {"negative", parts[g].negatives},
                      {"auc", json_number(parts[g].auc)},
                      {"ci", interval_json(interval)}});
      table.add({groups.labels[g], result.name, std::to_string(parts[g].positives), std::to_string(parts[g].negatives),
                 fixed_text(parts[g].auc, 4), fixed_text(interval.lower, 4), fixed_text(interval.upper, 4)});
    }
  }
  if (print) std::cout << "\n" << table.text();
  return list;
}

void draw(const Args& args, const std::vector<ScoreResult>& results, const std::optional<survival::Groups>& patients) {
  if (args.figures.empty() && args.recall_figures.empty()) return;
  std::vector<RocFigureScore> shown;
  for (const auto& result : results) {
    RocFigureScore one{result.name, result.data, result.by_patient.value_or(result.delong_interval), {}, {}};
    one.roc_band = survival::roc_band(result.data, resampling(args, patients));
    if (!args.recall_figures.empty()) one.recall_band = survival::precision_recall_band(result.data, resampling(args, patients));
    shown.push_back(std::move(one));
  }
  const auto& first = results.front().delong;
  const std::string positives = std::to_string(first.positives);
  const std::string size = "n = " + std::to_string(first.positives + first.negatives) + ", " + positives + " positive";
  const std::string drawn = patients ? "bootstrap of " + std::to_string(patients->size()) + " patients" : "bootstrap";
  const std::string level = percent_text(args.level);
  std::vector<std::string> notes{size, patients ? level + " CI and bands: " + drawn : level + " CI: DeLong; bands: " + drawn};
  for (const auto& path : args.figures) draw_roc(path, shown, notes);
  notes[1] = level + " bands: " + drawn;
  for (const auto& path : args.recall_figures) draw_precision_recall(path, shown, notes);
}

void require_sound(const Args& args) {
  if (args.threshold.has_value() + args.at_sensitivity.has_value() + args.at_specificity.has_value() > 1) {
    throw InputError("stats roc: --threshold, --at-sensitivity and --at-specificity each name an operating point; give one");
  }
  if (args.figures.empty() && args.recall_figures.empty()) return;
  require_gnuplot();
  if (args.scores.size() > 8) {
    throw InputError("stats roc: " + std::to_string(args.scores.size()) + " scores, a figure shows at most 8");
  }
}

int run(const Args& args, const Session& session) {
  require_sound(args);
  std::vector<std::string> needed{args.truth};
  needed.insert(needed.end(), args.scores.begin(), args.scores.end());
  for (const auto& column : {args.patient, args.subgroup}) {
    if (!column.empty()) needed.push_back(column);
  }
  const CompleteRows rows = args.table.read(needed);
  const auto truth = rows.truth(args.truth, args.positive);
  if (std::find(truth.begin(), truth.end(), 0) == truth.end()) {
    throw InputError(rows.table().name() + ": column '" + args.truth + "' is '" + args.positive +
                     "' in every row, expected a second value too");
  }
  std::optional<survival::Groups> patients;
  if (!args.patient.empty()) patients = survival::make_groups(rows.texts(args.patient));
  std::vector<ScoreResult> results;
  for (const auto& name : args.scores) results.push_back(analyse(args, rows, name, truth, patients));
  const auto pairs = compare(args, results, patients);
  draw(args, results, patients);
  if (!session.json) print_tables(args, rows, results, pairs, patients ? patients->size() : 0);
  const json by_group = args.subgroup.empty() ? json() : subgroup_json(args, rows, results, !session.json);
  if (!session.json) return 0;
  json document = result_head("receiver operating characteristic", convention_of(args, patients.has_value()), rows.size());
  document["table"] = rows.report();
  document["level"] = args.level;
  document["positive"] = results.front().delong.positives;
  document["negative"] = results.front().delong.negatives;
  if (patients) document["patients"] = patients->size();
  for (const auto& result : results) document["scores"].push_back(score_json(args, result));
  document["comparisons"] = json::array();
  for (const auto& pair : pairs) document["comparisons"].push_back(pair_json(results, pair));
  if (!args.subgroup.empty()) document["subgroups"] = by_group;
  print_json(document);
  return 0;
}

}  // namespace

void add_stats_roc(CLI::App& parent, Session& session) {
  auto args = std::make_shared<Args>();
  CLI::App* command =
      add_command(parent, session, "roc", "ROC and precision-recall with intervals, paired tests, operating point",
                  "clmnet stats roc --data scores.csv --truth tumour --scores ensemble,unet --patient patient_id --figure "
                  "roc.svg --pr-figure pr.svg",
                  [args, &session] { return run(*args, session); });
  add_table_options(*command, args->table, "CSV with one row a subject (tile, slide, patient)");
  command->add_option("--truth", args->truth, "Column: the truth, two values")->required();
  command->add_option("--scores", args->scores, "Columns: one score each")->delimiter(',')->required();
  command->add_option("--positive", args->positive, "Value of the truth that is positive")->capture_default_str();
  command->add_flag("--low-is-positive", args->low_is_positive, "Low scores speak for the positive");
  command->add_option("--patient", args->patient, "Column: rows of one patient are not independent (bootstrap by patient)");
  command->add_option("--subgroup", args->subgroup, "Column: AUC within each of its values");
  command->add_option("--threshold", args->threshold, "Operating point: this score and above is positive (default: Youden's)");
  command->add_option("--at-sensitivity", args->at_sensitivity, "Operating point: highest threshold that reaches it")
      ->check(CLI::Range(0.0, 1.0));
  command->add_option("--at-specificity", args->at_specificity, "Operating point: lowest threshold that reaches it")
      ->check(CLI::Range(0.0, 1.0));
  add_level_option(*command, args->level);
  command->add_option("--resamples", args->resamples, "Resamples of the bootstrap and of bands in figures")
      ->check(CLI::Range(100, 1000000))
      ->capture_default_str();
  command->add_option("--seed", args->seed, "Seed of the bootstrap")->capture_default_str();
  command->add_option("--figure", args->figures, "ROC figure, SVG or PDF; may be given again");
  command->add_option("--pr-figure", args->recall_figures, "Precision-recall figure, SVG or PDF; may be given again");
}

}  // namespace clmnet::tools
