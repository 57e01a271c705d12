#pragma once

#include <functional>
#include <nlohmann/json.hpp>
#include <string>
#include <vector>

#include "survival/roc.h"
#include "tools/cv/cv_table.h"

namespace clmnet::tools {

/// Resamples of every interval, drawn as whole patients, and their seed.
inline constexpr int kPatientResamples = 2000;
inline constexpr std::uint64_t kResampleSeed = 1;

/// Truth and probability of a column.
survival::Scored scores_of(const CvTable& table, const CvTable::Column& column);
std::vector<std::string> patients_of(const CvTable& table);

/// Measures of one column over the rows of a table without repeats, each {"value", "ci"}: auc, accuracy, precision, recall,
/// specificity, f1, matthews, brier, calibration_error (ten bins of equal width) and kMapMeasures;
/// null where undefined.
/// "ci" is the 95 % percentile interval over resamples of whole patients, so that images of one patient do not count as
/// independent. "confusion" holds the counts.
nlohmann::json measures_of(const CvTable& table, const CvTable::Column& column);

/// The same measures without intervals: {name: value}.
std::vector<std::pair<std::string, double>> values_of(const CvTable& table, const CvTable::Column& column);

/// Expected calibration error before a temperature was learned: the calibrated probability of two classes is
/// 1 / (1 + exp(-z / T)), so that z and with it the probability at T = 1 come back.
/// temperature  one per row (each fold has its own)
double calibration_error_before(const survival::Scored& data, const std::vector<double>& temperature);

/// Percentile interval of any statistic of rows; whole patients are drawn. Resamples where it is NaN are left out.
survival::Interval patient_interval(const std::vector<std::string>& patient,
                                    const std::function<double(const std::vector<std::size_t>& rows)>& statistic);

}  // namespace clmnet::tools
