#include "nets/training/calibration.h"

#include <algorithm>
#include <cmath>
#include <functional>
#include <stdexcept>
#include <vector>

namespace clmnet::nets {

double expected_calibration_error(const torch::Tensor& probability, const torch::Tensor& label, int bins) {
  if (probability.dim() != 2 || probability.size(0) != label.numel() || bins < 1) {
    throw std::invalid_argument("calibration error: one row of probabilities for each label, and at least one bin");
  }
  const torch::Tensor known = label.ge(0);
  const auto [largest, said] = probability.index({known}).to(torch::kFloat64).max(1);
  const torch::Tensor right = said.eq(label.index({known})).to(torch::kFloat64);
  const auto n = static_cast<std::size_t>(largest.numel());
  if (n == 0) throw std::invalid_argument("calibration error: no label is known");
  struct Bin {
    double confidence = 0, right = 0;
  };
  std::vector<Bin> sums(static_cast<std::size_t>(bins));
  const torch::Tensor p = largest.contiguous(), r = right.contiguous();
  for (std::size_t i = 0; i < n; ++i) {
    const double confidence = p.data_ptr<double>()[i];
    const auto bin = static_cast<std::size_t>(std::clamp(std::ceil(confidence * bins) - 1, 0.0, static_cast<double>(bins - 1)));
    sums[bin].confidence += confidence;
    sums[bin].right += r.data_ptr<double>()[i];
  }
  double error = 0;
  for (const Bin& bin : sums) error += std::abs(bin.right - bin.confidence);  // a bin's images times its distance
  return error / static_cast<double>(n);
}

double threshold_for_sensitivity(const torch::Tensor& probability, const torch::Tensor& truth, double sensitivity) {
  if (!(sensitivity > 0 && sensitivity <= 1)) throw std::invalid_argument("sensitivity must be above 0 and at most 1");
  const torch::Tensor p = probability.to(torch::kFloat64).contiguous(), t = truth.to(torch::kFloat64).contiguous();
  std::vector<double> positives, all(p.data_ptr<double>(), p.data_ptr<double>() + p.numel());
  for (std::int64_t i = 0; i < p.numel(); ++i) {
    if (t.data_ptr<double>()[i] > 0) positives.push_back(p.data_ptr<double>()[i]);
  }
  if (positives.empty()) return 0.5;
  std::sort(positives.begin(), positives.end(), std::greater<>());
  // The smallest number of positives that is the share; a hair less, so that 0.95 of 20 is 19 in binary too.
  const double wanted = std::ceil(sensitivity * static_cast<double>(positives.size()) - 1e-9);
  const double lowest = positives[static_cast<std::size_t>(std::max(1.0, wanted)) - 1];
  double below = 0;
  for (const double value : all) {
    if (value < lowest) below = std::max(below, value);
  }
  return 0.5 * (lowest + below);
}

}  // namespace clmnet::nets
