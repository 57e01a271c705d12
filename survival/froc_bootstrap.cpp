#include "survival/froc_bootstrap.h"

#include <algorithm>
#include <cmath>
#include <limits>
#include <stdexcept>

#include "survival/distributions.h"
#include "survival/random.h"
#include "survival/segmentation.h"

namespace clmnet::survival {
namespace {

/// Cases of `rows` (with repetition) and the readings of one treatment on them.
FrocStudy resampled(const FrocStudy& study, std::size_t treatment, const std::vector<std::size_t>& rows) {
  FrocStudy part;
  part.treatments = {study.treatments[treatment]};
  part.readers = study.readers;
  part.readings.resize(study.readers.size());
  for (const std::size_t row : rows) {
    part.cases.push_back(study.cases[row]);
    for (std::size_t r = 0; r < study.readers.size(); ++r) {
      const auto& reading = study.readings[treatment * study.readers.size() + r];
      part.readings[r].false_marks.push_back(reading.false_marks[row]);
      part.readings[r].lesion_rating.push_back(reading.lesion_rating[row]);
    }
  }
  return part;
}

/// Mean over readers at each rate.
std::vector<double> mean_at(const FrocStudy& study, std::size_t treatment, const std::vector<double>& rates,
                            FrocInterpolation kind) {
  std::vector<double> mean(rates.size(), 0.0);
  for (std::size_t r = 0; r < study.readers.size(); ++r) {
    const FrocCurve curve = froc_curve(study, treatment * study.readers.size() + r);
    for (std::size_t k = 0; k < rates.size(); ++k) {
      mean[k] += sensitivity_at(curve, rates[k], kind) / static_cast<double>(study.readers.size());
    }
  }
  return mean;
}

}  // namespace

std::vector<FrocSensitivity> mean_sensitivity(const FrocStudy& study, std::size_t treatment, const std::vector<double>& rates,
                                              FrocInterpolation kind, const FrocResampling& options) {
  normal_z(options.level);  // checks it
  if (options.resamples < 1) throw std::invalid_argument("mean_sensitivity: at least one resample is needed");
  for (const double rate : rates) {
    if (!(rate >= 0) || !std::isfinite(rate)) {
      throw std::invalid_argument("mean_sensitivity: a rate of false marks per case must be finite and not negative");
    }
  }
  std::vector<std::vector<double>> drawn(rates.size());
  std::vector<std::size_t> rows(study.cases.size());
  Random random(options.seed);
  for (int k = 0; k < options.resamples; ++k) {
    for (auto& row : rows) row = random.below(static_cast<std::uint32_t>(study.cases.size()));
    const FrocStudy part = resampled(study, treatment, rows);
    if (part.lesions() == 0) continue;
    const auto values = mean_at(part, 0, rates, kind);
    for (std::size_t j = 0; j < rates.size(); ++j) drawn[j].push_back(values[j]);
  }
  const auto estimate = mean_at(study, treatment, rates, kind);
  std::vector<FrocSensitivity> result;
  for (std::size_t j = 0; j < rates.size(); ++j) {
    result.push_back({rates[j], estimate[j], percentile(drawn[j], 100 * (0.5 - options.level / 2)),
                      percentile(drawn[j], 100 * (0.5 + options.level / 2))});
  }
  return result;
}

MeanFrocCurve mean_froc_curve(const FrocStudy& study, std::size_t treatment) {
  std::vector<double> rates{0.0};
  for (std::size_t r = 0; r < study.readers.size(); ++r) {
    const auto curve = froc_curve(study, treatment * study.readers.size() + r);
    rates.insert(rates.end(), curve.nlf.begin(), curve.nlf.end());
  }
  std::sort(rates.begin(), rates.end());
  rates.erase(std::unique(rates.begin(), rates.end()), rates.end());
  return {rates, mean_at(study, treatment, rates, FrocInterpolation::step)};
}

}  // namespace clmnet::survival
