#include <algorithm>
#include <cmath>
#include <cstdio>
#include <utility>

#include <Eigen/Core>

#include "survival/binary_metrics.h"
#include "survival/roc.h"
#include "tests/survival/reference_handlers.h"

namespace clmnet::survival::reference {
namespace {

using nlohmann::json;

constexpr int kResamples = 1000, kSeeds = 10;

struct Data {
  std::vector<std::uint8_t> positive;
  std::vector<std::string> names;
  std::vector<Scored> score;
  std::optional<Groups> clusters;
};

Data read(const Case& test) {
  Data data;
  data.names = test.column_list("score");
  auto needed = data.names;
  const std::string cluster = test.column("cluster");
  needed.insert(needed.end(), {test.column("y"), cluster});
  const auto rows = complete_rows(test.data, needed);
  for (const double value : numbers_in(test.data, rows, test.column("y"))) data.positive.push_back(value != 0);
  for (const auto& name : data.names) data.score.push_back({data.positive, numbers_in(test.data, rows, name)});
  if (!cluster.empty()) data.clusters = make_groups(texts_in(test.data, rows, cluster));
  return data;
}

json interval_json(const Interval& interval) { return {number(interval.lower), number(interval.upper)}; }

json bootstrap_json(const Scored& data, BootstrapUnit unit, const std::optional<Groups>& clusters) {
  std::vector<double> lower, upper;
  for (int seed = 1; seed <= kSeeds; ++seed) {
    const Interval interval = bootstrap_auc(data, unit, clusters, kResamples, static_cast<std::uint64_t>(seed));
    lower.push_back(interval.lower);
    upper.push_back(interval.upper);
  }
  const auto over_seeds = [](const std::vector<double>& values) {
    const Eigen::Map<const Eigen::ArrayXd> all(values.data(), kSeeds);
    return std::pair{all.mean(), std::sqrt((all - all.mean()).square().sum() / (kSeeds - 1))};
  };
  const auto [lower_mean, lower_sd] = over_seeds(lower);
  const auto [upper_mean, upper_sd] = over_seeds(upper);
  return {{"reps", kResamples}, {"seeds", kSeeds}, {"lower_mean", number(lower_mean)}, {"lower_sd", number(lower_sd)},
          {"upper_mean", number(upper_mean)}, {"upper_sd", number(upper_sd)}};
}

json proportion_json(const Proportion& p) {
  return {{"value", number(p.value)}, {"wilson", interval_json(p.wilson)}, {"clopper_pearson", interval_json(p.exact)}};
}

json threshold_json(const Scored& data, double threshold) {
  const Confusion c = confusion(data, threshold);
  return {{"tp", c.true_positive},
          {"fp", c.false_positive},
          {"tn", c.true_negative},
          {"fn", c.false_negative},
          {"sens", proportion_json(c.sensitivity)},
          {"spec", proportion_json(c.specificity)},
          {"ppv", proportion_json(c.positive_predictive_value)},
          {"npv", proportion_json(c.negative_predictive_value)},
          {"accuracy", proportion_json(c.accuracy)},
          {"f1", number(c.f1)},
          {"mcc", number(c.matthews)},
          {"balanced_accuracy", number(c.balanced_accuracy)},
          {"net_benefit", number(c.net_benefit)},
          {"net_benefit_all", number(c.net_benefit_all)}};
}

void add_probability_metrics(json& result, const Scored& data) {
  const bool probabilities = std::all_of(data.score.begin(), data.score.end(), [](double p) { return p >= 0 && p <= 1; });
  if (!probabilities) return;
  const ProbabilityScores scores = probability_scores(data);
  result["brier"] = number(scores.brier);
  result["log_loss"] = number(scores.log_loss);
  result["ece_10_equal_width"] = number(scores.expected_calibration_error);
  const double clip = 1e-6;
  const Calibration found = calibration(data, clip);
  result["calibration"] = {{"slope", number(found.slope)},
                           {"slope_se", number(found.slope_std_err)},
                           {"intercept_with_slope", number(found.intercept_with_slope)},
                           {"calibration_in_the_large", number(found.in_the_large)},
                           {"citl_se", number(found.in_the_large_std_err)},
                           {"clip", clip},
                           {"o_over_e", number(found.observed_over_expected)}};
}

json describe(const Case& test, const Scored& data, const std::optional<Groups>& clusters) {
  const auto n_positive = std::count(data.positive.begin(), data.positive.end(), std::uint8_t{1});
  const RocCurve roc = roc_curve(data);
  const PrecisionRecall pr = precision_recall(data);
  const OperatingPoint best = youden_point(data);
  json result = {{"auc", number(auc(data))},
                 {"partial_auc_fpr_0_2_mcclish", number(partial_auc(data, 0.2).standardised)},
                 {"average_precision", number(pr.average_precision)},
                 {"aupr_trapezoid", number(pr.trapezoid)},
                 {"n", data.score.size()},
                 {"n_pos", n_positive}};
  result["youden"] = {{"j", number(best.youden)},
                      {"threshold", number(best.threshold)},
                      {"sens", number(best.sensitivity)},
                      {"spec", number(best.specificity)}};
  result["roc"] = {{"fpr", numbers(roc.false_positive_rate)},
                   {"tpr", numbers(roc.true_positive_rate)},
                   {"threshold", numbers(roc.threshold)}};
  result["pr"] = {{"precision", numbers(pr.precision)}, {"recall", numbers(pr.recall)}, {"threshold", numbers(pr.threshold)}};
  for (const double threshold : test.settings.value("thresholds", std::vector<double>{0.3, 0.5})) {
    char key[40];
    std::snprintf(key, sizeof key, "threshold_%g", threshold);
    result[key] = threshold_json(data, threshold);
  }
  add_probability_metrics(result, data);
  result["bootstrap_auc_unstratified"] = bootstrap_json(data, BootstrapUnit::subject, {});
  result["bootstrap_auc_stratified"] = bootstrap_json(data, BootstrapUnit::subject_within_class, {});
  if (clusters) {
    result["bootstrap_auc_cluster_" + test.column("cluster")] = bootstrap_json(data, BootstrapUnit::cluster, clusters);
  }
  return result;
}

json mcnemar_json(const Scored& a, const Scored& b, double threshold) {
  const auto right = [&](const Scored& data) {
    std::vector<std::uint8_t> result;
    for (std::size_t i = 0; i < data.score.size(); ++i) result.push_back((data.score[i] >= threshold) == (data.positive[i] != 0));
    return result;
  };
  const McNemar test = mcnemar(right(a), right(b));
  return {{"table", {{test.both_right, test.only_first}, {test.only_second, test.neither}}}, {"exact_p", number(test.exact_p)},
          {"chi2", number(test.chi_squared)}, {"chi2_p", number(test.p)}, {"chi2_cc", number(test.corrected_chi_squared)},
          {"chi2_cc_p", number(test.corrected_p)}, {"midp", number(test.mid_p)}};
}

Scored every_other(const Scored& data, std::size_t first) {
  Scored part;
  for (std::size_t i = first; i < data.score.size(); i += 2) {
    part.positive.push_back(data.positive[i]);
    part.score.push_back(data.score[i]);
  }
  return part;
}

}  // namespace

json run_binary_metrics(const Case& test) {
  const Data data = read(test);
  json result;
  for (std::size_t k = 0; k < data.names.size(); ++k) result[data.names[k]] = describe(test, data.score[k], data.clusters);
  if (data.score.size() > 1) result["mcnemar_correct_at_0.5"] = mcnemar_json(data.score[0], data.score[1], 0.5);
  return result;
}

json run_delong(const Case& test) {
  const Data data = read(test);
  json result;
  for (std::size_t k = 0; k < data.names.size(); ++k) {
    const DelongAuc one = delong(data.score[k]);
    const PartialAuc part = partial_auc(data.score[k], 0.2);
    json& entry = result[data.names[k]];
    entry = {{"auc", number(one.auc)},
             {"var_delong", number(one.variance)},
             {"ci95", interval_json(one.interval(0.95))},
             {"ci90", interval_json(one.interval(0.9))},
             {"partial_auc_spec_1_0.8_raw", number(part.area)},
             {"partial_auc_spec_1_0.8_mcclish", number(part.standardised)}};
    entry["bootstrap_stratified_ci"] = bootstrap_json(data.score[k], BootstrapUnit::subject_within_class, {});
  }
  if (data.score.size() < 2) return result;
  const AucComparison paired = compare_paired(data.score[0], data.score[1]);
  result["paired_delong"] = {{"cov", number(paired.covariance)},
                             {"z", number(paired.statistic)},
                             {"p", number(paired.p)},
                             {"diff", number(paired.difference)},
                             {"diff_ci95", interval_json(paired.interval)}};
  const Scored even = every_other(data.score[0], 1), odd = every_other(data.score[1], 0);  // rows count from 1
  const AucComparison unpaired = compare_unpaired(even, odd);
  const std::string a = data.names[0].substr(data.names[0].rfind('_') + 1),
                    b = data.names[1].substr(data.names[1].rfind('_') + 1);
  result["unpaired_delong_even_" + a + "_vs_odd_" + b] = {{"auc_even_" + a, number(auc(even))},
                                                          {"auc_odd_" + b, number(auc(odd))},
                                                          {"D", number(unpaired.statistic)},
                                                          {"df", number(unpaired.df)},
                                                          {"p", number(unpaired.p)}};
  return result;
}

}  // namespace clmnet::survival::reference
