#include "tools/cv/cv_summary.h"

#include <algorithm>
#include <array>
#include <cmath>
#include <limits>
#include <set>

#include "survival/binary_metrics.h"
#include "survival/groups.h"
#include "survival/multiple_tests.h"
#include "survival/roc.h"
#include "survival/roc_bootstrap.h"
#include "tools/cv/cv_measures.h"
#include "tools/report/numbers.h"
#include "tools/stats/mean_interval.h"

namespace clmnet::tools {
using nlohmann::json;

namespace {

json spread(const std::vector<double>& values) {
  json list = json::array();
  std::vector<double> known;
  for (const double v : values) {
    list.push_back(json_number(v));
    if (!std::isnan(v)) known.push_back(v);
  }
  const double mean = mean_of_defined(values);
  double squares = 0;
  for (const double v : known) squares += (v - mean) * (v - mean);
  const double sd =
      known.size() > 1 ? std::sqrt(squares / static_cast<double>(known.size() - 1)) : std::numeric_limits<double>::quiet_NaN();
  return {{"values", list}, {"mean", json_number(mean)}, {"sd", json_number(sd)}};
}

json fold_by_fold(const CvTable& table, std::size_t c) {
  std::map<std::pair<int, int>, std::vector<std::size_t>> folds;
  for (std::size_t i = 0; i < table.rows.size(); ++i) folds[{table.rows[i].repeat, table.rows[i].fold}].push_back(i);
  std::map<std::string, std::vector<double>> values;
  for (const auto& [key, rows] : folds) {
    const CvTable part = rows_of(table, rows);
    for (const auto& [name, value] : values_of(part, part.columns[c])) values[name].push_back(value);
    if (c > 0) continue;
    for (const auto& measure : kMapMeasures)
      values[std::string(measure.name) + "_before_crf"].push_back(mean_of_defined(part.map_before_crf.*measure.values));
  }
  json out = json::object();
  for (const auto& [name, list] : values) out[name] = spread(list);
  return out;
}

json calibration_curve(const survival::Scored& data) {
  std::map<int, std::array<double, 3>> bins;  // predicted, observed, number
  for (std::size_t i = 0; i < data.score.size(); ++i) {
    auto& bin = bins[std::min(9, static_cast<int>(data.score[i] * 10))];
    bin[0] += data.score[i];
    bin[1] += data.positive[i];
    bin[2] += 1;
  }
  json curve = json::array();
  for (const auto& [place, bin] : bins)
    curve.push_back({{"predicted", bin[0] / bin[2]}, {"observed", bin[1] / bin[2]}, {"n", bin[2]}});
  return curve;
}

/// What a network's temperatures did; empty where a fold does not say them (the ensemble has none of its own).
json temperature_of(const CvTable& table, const CvTable::Column& column, const FoldTemperatures& temperatures) {
  std::vector<double> of_row;
  for (const auto& row : table.rows) {
    const auto fold = temperatures.find({row.repeat, row.fold});
    if (fold == temperatures.end() || !fold->second.contains(column.name)) return json::object();
    of_row.push_back(fold->second.at(column.name));
  }
  json out = {{"temperatures", json::array()}};
  for (const auto& [fold, own] : temperatures) out["temperatures"].push_back(own.at(column.name));
  const survival::Scored data = scores_of(table, column);
  out["error_before_temperature"] = json_number(calibration_error_before(data, of_row));
  out["error_after_temperature"] = json_number(survival::probability_scores(data).expected_calibration_error);
  return out;
}

json overall(const CvTable& joined, const CvTable& patients, std::size_t c) {
  const survival::Scored data = scores_of(joined, joined.columns[c]);
  json entry = measures_of(joined, joined.columns[c]);
  entry["average_precision"] = json_number(survival::precision_recall(data).average_precision);
  const survival::Calibration line = survival::calibration(data);
  entry["calibration"] = {
      {"slope", json_number(line.slope)}, {"intercept", json_number(line.in_the_large)}, {"curve", calibration_curve(data)}};
  entry["by_patient"] = measures_of(patients, patients.columns[c]);
  return entry;
}

/// Map measures before the CRF, and what the CRF adds image by image.
void add_crf(json& entry, const CvTable& joined) {
  const auto interval = [&](const std::vector<double>& values) {
    const MeanInterval mean = mean_interval(values, patients_of(joined), kPatientResamples, kResampleSeed, 0.95);
    return json{{"value", json_number(mean.mean)}, {"ci", {json_number(mean.lower), json_number(mean.upper)}}};
  };
  for (const auto& measure : kMapMeasures) {
    const auto &after = joined.columns[0].map.*measure.values, &before = joined.map_before_crf.*measure.values;
    entry[std::string(measure.name) + "_before_crf"] = interval(before);
    entry[std::string(measure.name) + "_difference_crf"] = interval(differences(after, before));
  }
}

json compare(const CvTable& table) {
  const auto right = [&](const CvTable::Column& column) {
    std::vector<std::uint8_t> list;
    for (std::size_t i = 0; i < table.rows.size(); ++i)
      list.push_back(column.called[i] == (table.rows[i].label > 0 ? 1 : 0) ? 1 : 0);
    return list;
  };
  const survival::Scored ensemble = scores_of(table, table.columns[0]);
  survival::ResampleOptions resample;
  resample.clusters = survival::make_groups(patients_of(table));
  resample.resamples = kPatientResamples;
  json list = json::array();
  std::map<std::string, std::vector<double>> p;
  for (std::size_t c = 1; c < table.columns.size(); ++c) {
    const survival::Scored network = scores_of(table, table.columns[c]);
    const survival::AucComparison auc = survival::compare_paired(ensemble, network);
    const survival::ResampledDifference resampled = survival::resampled_auc_difference(ensemble, network, resample);
    const survival::McNemar calls = survival::mcnemar(right(table.columns[0]), right(table.columns[c]));
    list.push_back(
        {{"network", table.columns[c].name},
         {"auc_difference", json_number(auc.difference)},
         {"auc_difference_ci", {json_number(auc.interval.lower), json_number(auc.interval.upper)}},
         {"auc_difference_ci_by_patient", {json_number(resampled.interval.lower), json_number(resampled.interval.upper)}},
         {"only_ensemble_right", calls.only_first},
         {"only_network_right", calls.only_second}});
    p["delong_p"].push_back(auc.p);
    p["resampled_p"].push_back(resampled.p);
    p["mcnemar_p"].push_back(calls.exact_p);
  }
  for (const auto& [name, values] : p) {
    const std::vector<double> corrected = survival::holm(values);
    for (std::size_t i = 0; i < list.size(); ++i) {
      list[i][name] = json_number(values[i]);
      list[i][name + "_holm"] = json_number(corrected[i]);
    }
  }
  return list;
}

}  // namespace

json summarise(const CvTable& table, const FoldTemperatures& temperatures) {
  const CvTable joined = join_repeats(table), patients = by_patient(joined);
  json predictors = json::object();
  for (std::size_t c = 0; c < joined.columns.size(); ++c) {
    json& entry = predictors[joined.columns[c].name] = overall(joined, patients, c);
    entry["calibration"].update(temperature_of(table, table.columns[c], temperatures));
    if (c == 0) add_crf(entry, joined);
    entry["folds"] = fold_by_fold(table, c);
  }
  const auto positives = [](const CvTable& part) {
    return std::count_if(part.rows.begin(), part.rows.end(), [](const CvTable::Row& row) { return row.label > 0; });
  };
  return {{"images", joined.rows.size()},           {"tumour_images", positives(joined)}, {"patients", patients.rows.size()},
          {"tumour_patients", positives(patients)}, {"predictors", predictors},           {"comparisons", compare(joined)}};
}

}  // namespace clmnet::tools
