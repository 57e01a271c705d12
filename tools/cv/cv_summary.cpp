#include "tools/cv/cv_summary.h"

#include <algorithm>
#include <cmath>
#include <functional>
#include <limits>
#include <map>
#include <numeric>

#include "survival/binary_metrics.h"
#include "survival/groups.h"
#include "survival/roc.h"

namespace clmnet::tools {
using nlohmann::json;

namespace {

constexpr int kAucResamples = 2000;
constexpr std::uint64_t kSeed = 1;

json number(double value) { return std::isfinite(value) ? json(value) : json(); }

/// The table with one row per image: repeats joined.
CvTable join_repeats(const CvTable& table) {
  std::map<std::string, std::vector<std::size_t>> rows_of_image;
  std::vector<std::string> order;
  for (std::size_t i = 0; i < table.rows.size(); ++i) {
    auto& rows = rows_of_image[table.rows[i].image];
    if (rows.empty()) order.push_back(table.rows[i].image);
    rows.push_back(i);
  }
  CvTable joined;
  for (const auto& column : table.columns) joined.columns.push_back({column.name, {}, {}, {}});
  for (const auto& image : order) {
    const auto& rows = rows_of_image[image];
    const auto mean = [&](const auto& values) {
      std::vector<double> picked;
      for (const std::size_t row : rows) picked.push_back(static_cast<double>(values[row]));
      return mean_of_defined(picked);
    };
    joined.rows.push_back(table.rows[rows.front()]);
    joined.dice_before_crf.push_back(mean(table.dice_before_crf));
    for (std::size_t c = 0; c < table.columns.size(); ++c) {
      joined.columns[c].probability.push_back(mean(table.columns[c].probability));
      joined.columns[c].called.push_back(mean(table.columns[c].called) >= 0.5 ? 1 : 0);
      joined.columns[c].dice.push_back(mean(table.columns[c].dice));
    }
  }
  return joined;
}

survival::Scored scored(const CvTable& table, const std::vector<double>& score) {
  survival::Scored data;
  data.score = score;
  for (const auto& row : table.rows) data.positive.push_back(row.label > 0 ? 1 : 0);
  return data;
}

/// A call as a score, so that a threshold of a half gives it back: folds have thresholds of their own.
survival::Confusion confusion_of_calls(const CvTable& table, const CvTable::Column& column) {
  return survival::confusion(scored(table, {column.called.begin(), column.called.end()}), 0.5);
}

json with_wilson(const survival::Proportion& proportion) {
  return {{"value", number(proportion.value)}, {"ci", {number(proportion.wilson.lower), number(proportion.wilson.upper)}}};
}

json overall(const CvTable& table, const CvTable::Column& column) {
  const survival::Scored data = scored(table, column.probability);
  const survival::Confusion calls = confusion_of_calls(table, column);
  const survival::ProbabilityScores scores = survival::probability_scores(data);
  std::vector<std::string> patients;
  for (const auto& row : table.rows) patients.push_back(row.patient);
  const survival::Interval interval =
      survival::bootstrap_auc(data, survival::BootstrapUnit::cluster, survival::make_groups(patients), kAucResamples, kSeed);
  return {{"auc", number(survival::auc(data))},
          {"auc_ci", {number(interval.lower), number(interval.upper)}},
          {"accuracy", with_wilson(calls.accuracy)},
          {"precision", with_wilson(calls.positive_predictive_value)},
          {"recall", with_wilson(calls.sensitivity)},
          {"specificity", with_wilson(calls.specificity)},
          {"f1", number(calls.f1)},
          {"matthews", number(calls.matthews)},
          {"brier", number(scores.brier)},
          {"calibration_error", number(scores.expected_calibration_error)},
          {"dice", number(mean_of_defined(column.dice))},
          {"confusion",
           {{"true_positive", calls.true_positive},
            {"false_positive", calls.false_positive},
            {"true_negative", calls.true_negative},
            {"false_negative", calls.false_negative}}}};
}

/// The rows of one fold of one repeat.
CvTable pick(const CvTable& table, int repeat, int fold) {
  CvTable part;
  for (const auto& column : table.columns) part.columns.push_back({column.name, {}, {}, {}});
  for (std::size_t i = 0; i < table.rows.size(); ++i) {
    if (table.rows[i].repeat != repeat || table.rows[i].fold != fold) continue;
    part.rows.push_back(table.rows[i]);
    part.dice_before_crf.push_back(table.dice_before_crf[i]);
    for (std::size_t c = 0; c < table.columns.size(); ++c) {
      part.columns[c].probability.push_back(table.columns[c].probability[i]);
      part.columns[c].called.push_back(table.columns[c].called[i]);
      part.columns[c].dice.push_back(table.columns[c].dice[i]);
    }
  }
  return part;
}

json spread(const std::vector<double>& values) {
  json list = json::array();
  std::vector<double> defined;
  for (const double v : values) {
    list.push_back(number(v));
    if (!std::isnan(v)) defined.push_back(v);
  }
  const double mean = mean_of_defined(values);
  double squares = 0;
  for (const double v : defined) squares += (v - mean) * (v - mean);
  const double sd = defined.size() > 1 ? std::sqrt(squares / static_cast<double>(defined.size() - 1))
                                       : std::numeric_limits<double>::quiet_NaN();
  return {{"values", list}, {"mean", number(mean)}, {"sd", number(sd)}};
}

json fold_by_fold(const CvTable& table, std::size_t c) {
  std::map<std::pair<int, int>, bool> folds;
  for (const auto& row : table.rows) folds[{row.repeat, row.fold}] = true;
  std::map<std::string, std::vector<double>> values;
  for (const auto& [key, present] : folds) {
    const CvTable part = pick(table, key.first, key.second);
    const survival::Confusion calls = confusion_of_calls(part, part.columns[c]);
    values["auc"].push_back(survival::auc(scored(part, part.columns[c].probability)));
    values["accuracy"].push_back(calls.accuracy.value);
    values["precision"].push_back(calls.positive_predictive_value.value);
    values["recall"].push_back(calls.sensitivity.value);
    values["f1"].push_back(calls.f1);
    values["dice"].push_back(mean_of_defined(part.columns[c].dice));
    if (c == 0) values["dice_before_crf"].push_back(mean_of_defined(part.dice_before_crf));
  }
  json out = json::object();
  for (const auto& [name, list] : values) out[name] = spread(list);
  return out;
}

json compare(const CvTable& table) {
  const auto right = [&](const CvTable::Column& column) {
    std::vector<std::uint8_t> list;
    for (std::size_t i = 0; i < table.rows.size(); ++i) list.push_back(column.called[i] == (table.rows[i].label > 0 ? 1 : 0) ? 1 : 0);
    return list;
  };
  const CvTable::Column& ensemble = table.columns.front();
  std::vector<double> auc_p, call_p;
  json list = json::array();
  for (std::size_t c = 1; c < table.columns.size(); ++c) {
    const CvTable::Column& network = table.columns[c];
    const survival::AucComparison auc =
        survival::compare_paired(scored(table, ensemble.probability), scored(table, network.probability));
    const survival::McNemar calls = survival::mcnemar(right(ensemble), right(network));
    auc_p.push_back(auc.p);
    call_p.push_back(calls.exact_p);
    list.push_back({{"network", network.name},
                    {"auc_difference", number(auc.difference)},
                    {"auc_difference_ci", {number(auc.interval.lower), number(auc.interval.upper)}},
                    {"delong_p", number(auc.p)},
                    {"only_ensemble_right", calls.only_first},
                    {"only_network_right", calls.only_second},
                    {"mcnemar_p", number(calls.exact_p)}});
  }
  const std::vector<double> auc_holm = holm(auc_p), call_holm = holm(call_p);
  for (std::size_t i = 0; i < list.size(); ++i) {
    list[i]["delong_p_holm"] = number(auc_holm[i]);
    list[i]["mcnemar_p_holm"] = number(call_holm[i]);
  }
  return list;
}

}  // namespace

std::vector<double> holm(const std::vector<double>& p) {
  std::vector<std::size_t> order;
  for (std::size_t i = 0; i < p.size(); ++i) {
    if (!std::isnan(p[i])) order.push_back(i);
  }
  std::sort(order.begin(), order.end(), [&](std::size_t a, std::size_t b) { return p[a] < p[b]; });
  std::vector<double> corrected(p.size(), std::numeric_limits<double>::quiet_NaN());
  double largest = 0;
  for (std::size_t rank = 0; rank < order.size(); ++rank) {
    largest = std::max(largest, p[order[rank]] * static_cast<double>(order.size() - rank));
    corrected[order[rank]] = std::min(1.0, largest);
  }
  return corrected;
}

json summarise(const CvTable& table) {
  const CvTable joined = join_repeats(table);
  json predictors = json::object();
  for (std::size_t c = 0; c < joined.columns.size(); ++c) {
    json& entry = predictors[joined.columns[c].name] = overall(joined, joined.columns[c]);
    if (c == 0) entry["dice_before_crf"] = number(mean_of_defined(joined.dice_before_crf));
    entry["folds"] = fold_by_fold(table, c);
  }
  std::map<std::string, bool> patients;
  std::size_t positives = 0;
  for (const auto& row : joined.rows) {
    patients[row.patient] = true;
    positives += row.label > 0 ? 1 : 0;
  }
  return {{"images", joined.rows.size()},
          {"tumour_images", positives},
          {"patients", patients.size()},
          {"predictors", predictors},
          {"comparisons", compare(joined)}};
}

}  // namespace clmnet::tools
