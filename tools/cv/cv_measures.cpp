#include "tools/cv/cv_measures.h"

#include <algorithm>
#include <cmath>
#include <limits>
#include <numeric>

#include "survival/binary_metrics.h"
#include "survival/groups.h"
#include "survival/random.h"
#include "survival/sorting.h"
#include "tools/report/numbers.h"
#include "tools/stats/mean_interval.h"

namespace clmnet::tools {
using nlohmann::json;

namespace {

constexpr double kUndefined = std::numeric_limits<double>::quiet_NaN();

json with_interval(double value, double lower, double upper) {
  return {{"value", json_number(value)}, {"ci", {json_number(lower), json_number(upper)}}};
}

/// A call as a score, so that a threshold of a half gives it back: folds have thresholds of their own.
survival::Confusion confusion_of_calls(const CvTable& table, const CvTable::Column& column) {
  survival::Scored calls = scores_of(table, column);
  calls.score.assign(column.called.begin(), column.called.end());
  return survival::confusion(calls, 0.5);
}

/// Proportions as means of 0 and 1 over the images that count for them; NaN for the others.
std::vector<double> right_where(const CvTable& table, const CvTable::Column& column,
                                const std::function<bool(bool positive, bool called)>& counts) {
  std::vector<double> right;
  for (std::size_t i = 0; i < table.rows.size(); ++i) {
    const bool positive = table.rows[i].label > 0, called = column.called[i] > 0;
    right.push_back(counts(positive, called) ? (positive == called ? 1.0 : 0.0) : kUndefined);
  }
  return right;
}

std::vector<double> squared_errors(const survival::Scored& data) {
  std::vector<double> errors;
  for (std::size_t i = 0; i < data.score.size(); ++i)
    errors.push_back((data.score[i] - data.positive[i]) * (data.score[i] - data.positive[i]));
  return errors;
}

json clustered_mean(const std::vector<double>& values, const std::vector<std::string>& patient) {
  const MeanInterval mean = mean_interval(values, patient, kPatientResamples, kResampleSeed, 0.95);
  return with_interval(mean.mean, mean.lower, mean.upper);
}

survival::Scored picked(const survival::Scored& data, const std::vector<std::size_t>& rows) {
  survival::Scored part;
  for (const std::size_t row : rows) {
    part.positive.push_back(data.positive[row]);
    part.score.push_back(data.score[row]);
  }
  return part;
}

json clustered(const std::vector<std::string>& patient, const std::function<double(const std::vector<std::size_t>&)>& statistic) {
  std::vector<std::size_t> all(patient.size());
  std::iota(all.begin(), all.end(), std::size_t{0});
  const survival::Interval interval = patient_interval(patient, statistic);
  return with_interval(statistic(all), interval.lower, interval.upper);
}

}  // namespace

survival::Scored scores_of(const CvTable& table, const CvTable::Column& column) {
  survival::Scored data;
  data.score = column.probability;
  for (const auto& row : table.rows) data.positive.push_back(row.label > 0 ? 1 : 0);
  return data;
}

std::vector<std::string> patients_of(const CvTable& table) {
  std::vector<std::string> patients;
  for (const auto& row : table.rows) patients.push_back(row.patient);
  return patients;
}

survival::Interval patient_interval(const std::vector<std::string>& patient,
                                    const std::function<double(const std::vector<std::size_t>&)>& statistic) {
  const auto units = survival::members(survival::make_groups(patient));
  survival::Random random(kResampleSeed, 41);
  std::vector<double> drawn;
  std::vector<std::size_t> rows;
  for (int k = 0; k < kPatientResamples && units.size() > 1; ++k) {
    rows.clear();
    for (std::size_t u = 0; u < units.size(); ++u) {
      const auto& unit = units[random.below(static_cast<std::uint32_t>(units.size()))];
      rows.insert(rows.end(), unit.begin(), unit.end());
    }
    const double value = statistic(rows);
    if (!std::isnan(value)) drawn.push_back(value);
  }
  if (drawn.empty()) return {kUndefined, kUndefined};
  std::sort(drawn.begin(), drawn.end());
  return {survival::linear_quantile(drawn, 0.025), survival::linear_quantile(drawn, 0.975)};
}

json measures_of(const CvTable& table, const CvTable::Column& column) {
  const survival::Scored data = scores_of(table, column);
  const std::vector<std::string> patient = patients_of(table);
  const survival::Interval auc = survival::bootstrap_auc(data, survival::BootstrapUnit::cluster, survival::make_groups(patient),
                                                         kPatientResamples, kResampleSeed);
  const auto share = [&](const std::function<bool(bool, bool)>& counts) {
    return clustered_mean(right_where(table, column, counts), patient);
  };
  const survival::Confusion calls = confusion_of_calls(table, column);
  json out = {{"auc", with_interval(survival::auc(data), auc.lower, auc.upper)},
              {"accuracy", share([](bool, bool) { return true; })},
              {"precision", share([](bool, bool called) { return called; })},
              {"recall", share([](bool positive, bool) { return positive; })},
              {"specificity", share([](bool positive, bool) { return !positive; })},
              {"brier", clustered_mean(squared_errors(data), patient)}};
  for (const auto& measure : kMapMeasures) out[measure.name] = clustered_mean(column.map.*measure.values, patient);
  out["f1"] = clustered(patient, [&](const std::vector<std::size_t>& rows) {
    double hit = 0, wrong = 0;
    for (const std::size_t row : rows) {
      if (data.positive[row] != column.called[row]) wrong += 1;
      if (data.positive[row] > 0 && column.called[row] > 0) hit += 1;
    }
    return 2 * hit + wrong > 0 ? 2 * hit / (2 * hit + wrong) : kUndefined;
  });
  out["matthews"] = clustered(patient, [&](const std::vector<std::size_t>& rows) {
    survival::Scored part = picked(data, rows);
    for (std::size_t k = 0; k < rows.size(); ++k) part.score[k] = column.called[rows[k]];
    return survival::confusion(part, 0.5).matthews;
  });
  out["calibration_error"] = clustered(patient, [&](const std::vector<std::size_t>& rows) {
    return survival::probability_scores(picked(data, rows)).expected_calibration_error;
  });
  out["confusion"] = {{"true_positive", calls.true_positive},
                      {"false_positive", calls.false_positive},
                      {"true_negative", calls.true_negative},
                      {"false_negative", calls.false_negative}};
  return out;
}

std::vector<std::pair<std::string, double>> values_of(const CvTable& table, const CvTable::Column& column) {
  const survival::Scored data = scores_of(table, column);
  const survival::Confusion calls = confusion_of_calls(table, column);
  const survival::ProbabilityScores scores = survival::probability_scores(data);
  std::vector<std::pair<std::string, double>> out = {
          {"auc", survival::auc(data)},
          {"accuracy", calls.accuracy.value},
          {"precision", calls.positive_predictive_value.value},
          {"recall", calls.sensitivity.value},
          {"specificity", calls.specificity.value},
          {"f1", calls.f1},
          {"brier", scores.brier},
          {"calibration_error", scores.expected_calibration_error}};
  for (const auto& measure : kMapMeasures) out.emplace_back(measure.name, mean_of_defined(column.map.*measure.values));
  return out;
}

double calibration_error_before(const survival::Scored& data, const std::vector<double>& temperature) {
  constexpr double edge = 1e-12;
  survival::Scored before = data;
  for (std::size_t i = 0; i < data.score.size(); ++i) {
    const double p = std::clamp(data.score[i], edge, 1 - edge);
    before.score[i] = 1 / (1 + std::exp(-temperature[i] * std::log(p / (1 - p))));
  }
  return survival::probability_scores(before).expected_calibration_error;
}

}  // namespace clmnet::tools
