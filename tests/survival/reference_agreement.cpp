#include <charconv>
#include <cmath>
#include <map>
#include <set>

#include "survival/agreement.h"
#include "survival/method_comparison.h"
#include "survival/rank_tests.h"
#include "survival/segmentation.h"
#include "tests/survival/reference_handlers.h"
#include "tools/base/error.h"

namespace clmnet::survival::reference {
namespace {

using nlohmann::json;

/// The categories that the settings name ("0..3" or a list), else those that occur, in order.
std::vector<std::string> categories_of(const Case& test, const std::vector<std::string>& raters) {
  std::vector<std::string> found;
  const auto named = test.settings.find("categories");
  if (named != test.settings.end() && named->is_array()) {
    for (const auto& one : *named) found.push_back(one.is_string() ? one.get<std::string>() : one.dump());
    return found;
  }
  if (named != test.settings.end() && named->is_string()) {
    const auto text = named->get<std::string>();
    const auto dots = text.find("..");
    if (dots != std::string::npos) {
      for (int k = std::stoi(text.substr(0, dots)); k <= std::stoi(text.substr(dots + 2)); ++k) {
        found.push_back(std::to_string(k));
      }
      return found;
    }
  }
  std::vector<std::string> all;
  for (const auto& rater : raters) {
    const auto values = texts_in(test.data, complete_rows(test.data, {rater}), rater);
    all.insert(all.end(), values.begin(), values.end());
  }
  return make_groups(all).labels;
}

std::string plain_number(const std::string& text) {
  const auto value = parse_number(text);
  if (!value) return text;
  char out[32];
  const auto end = std::to_chars(out, out + sizeof out, *value).ptr;
  return {out, end};
}

std::vector<int> codes(const Case& test, const std::vector<std::size_t>& rows, const std::string& rater,
                       const std::vector<std::string>& categories) {
  std::vector<int> result;
  for (const auto& text : texts_in(test.data, rows, rater)) {
    const auto at = std::find(categories.begin(), categories.end(), plain_number(text));
    if (at == categories.end()) throw InputError(test.id + ": category '" + text + "' is not among those named");
    result.push_back(static_cast<int>(at - categories.begin()));
  }
  return result;
}

/// Only categories that either rater used, as scikit-learn does when none are named.
Eigen::MatrixXd used_part(const Eigen::MatrixXd& table) {
  std::vector<Eigen::Index> used;
  for (Eigen::Index k = 0; k < table.rows(); ++k) {
    if (table.row(k).sum() + table.col(k).sum() > 0) used.push_back(k);
  }
  return table(used, used);
}

json kappa_of(const Eigen::MatrixXd& table, KappaWeight weight) {
  const Kappa kappa = cohen_kappa(table, weight);
  return {{"kappa", number(kappa.kappa)}, {"se", number(kappa.std_err)}, {"se0", number(kappa.std_err_null)},
          {"lower", number(kappa.lower)}, {"upper", number(kappa.upper)},
          {"sklearn", number(cohen_kappa(used_part(table), weight).kappa)}};
}

json fleiss_of(const Case& test, const std::vector<std::string>& raters, const std::vector<std::string>& categories) {
  const auto rows = complete_rows(test.data, raters);
  Eigen::MatrixXd counts = Eigen::MatrixXd::Zero(static_cast<Eigen::Index>(rows.size()),
                                                 static_cast<Eigen::Index>(categories.size()));
  for (const auto& rater : raters) {
    const auto code = codes(test, rows, rater, categories);
    for (std::size_t i = 0; i < code.size(); ++i) counts(static_cast<Eigen::Index>(i), code[i]) += 1;
  }
  return number(fleiss_kappa(counts).kappa);
}

json comparison_of(const std::vector<double>& a, const std::vector<double>& b) {
  const auto r = pearson(a, b), rho = spearman(a, b), tau = kendall_tau_b(a, b);
  const auto ccc = lin_ccc(a, b);
  const auto ba = bland_altman(a, b);
  const auto t = paired_t(a, b), w = wilcoxon_signed_rank(a, b), u = mann_whitney(a, b);
  return {{"pearson", number(r.r)}, {"pearson_p", number(r.p)}, {"spearman", number(rho.r)}, {"spearman_p", number(rho.p)},
          {"kendall_tau_b", number(tau.r)}, {"lin_ccc_n", number(ccc.moments_n)}, {"lin_ccc_n1", number(ccc.moments_n1)},
          {"bland_altman", {{"bias", number(ba.bias)}, {"sd", number(ba.sd)}, {"loa", numbers({ba.loa_lower, ba.loa_upper})}}},
          {"paired_t", numbers({t.statistic, t.p})}, {"wilcoxon_p_exact_or_auto", number(w.p)},
          {"mannwhitney_p", number(u.p)}, {"mannwhitney_U", number(u.statistic)}};
}

}  // namespace

json run_kappa(const Case& test) {
  const auto raters = test.column_list("raters");
  std::vector<std::string> categories;
  for (const auto& category : categories_of(test, raters)) categories.push_back(plain_number(category));
  json pairs = json::object();
  for (std::size_t a = 0; a < raters.size(); ++a) {
    for (std::size_t b = a + 1; b < raters.size(); ++b) {
      const auto rows = complete_rows(test.data, {raters[a], raters[b]});
      const auto table = agreement_table(codes(test, rows, raters[a], categories), codes(test, rows, raters[b], categories),
                                         static_cast<int>(categories.size()));
      json counts = json::array();
      for (Eigen::Index i = 0; i < table.rows(); ++i) {
        counts.push_back(numbers({table.row(i).begin(), table.row(i).end()}));
      }
      pairs[raters[a] + "|" + raters[b]] = {{"table", counts},
                                            {"percent_agreement", number(concordance_rate(table).rate)},
                                            {"unweighted", kappa_of(table, KappaWeight::unweighted)},
                                            {"linear", kappa_of(table, KappaWeight::linear)},
                                            {"quadratic", kappa_of(table, KappaWeight::quadratic)}};
    }
  }
  std::vector<std::string> readers;
  for (const auto& rater : raters) {
    if (rater != "truth") readers.push_back(rater);
  }
  return {{"pairs", pairs}, {"fleiss", fleiss_of(test, raters, categories)},
          {"fleiss_excluding_truth", fleiss_of(test, readers, categories)}};
}

json run_agreement_continuous(const Case& test) {
  const auto methods = test.column_list("methods");
  json result = json::object();
  for (std::size_t a = 0; a < methods.size(); ++a) {
    for (std::size_t b = a + 1; b < methods.size(); ++b) {
      const auto rows = complete_rows(test.data, {methods[a], methods[b]});
      result[methods[a] + "|" + methods[b]] =
          comparison_of(numbers_in(test.data, rows, methods[a]), numbers_in(test.data, rows, methods[b]));
    }
  }
  const auto rows = complete_rows(test.data, methods);
  Eigen::MatrixXd values(static_cast<Eigen::Index>(rows.size()), static_cast<Eigen::Index>(methods.size()));
  for (std::size_t m = 0; m < methods.size(); ++m) {
    const auto column = numbers_in(test.data, rows, methods[m]);
    values.col(static_cast<Eigen::Index>(m)) = Eigen::Map<const Eigen::VectorXd>(column.data(), values.rows());
  }
  const IccTable t = icc(values);
  result["icc"] = {{"ICC1_1", number(t.icc1.value)}, {"ICC2_1", number(t.icc2.value)}, {"ICC3_1", number(t.icc3.value)},
                   {"ICC1_k", number(t.icc1k.value)}, {"ICC2_k", number(t.icc2k.value)}, {"ICC3_k", number(t.icc3k.value)},
                   {"MSR", number(t.ms_rows)}, {"MSC", number(t.ms_columns)}, {"MSE", number(t.ms_error)},
                   {"MSW", number(t.ms_within)}};
  return result;
}

json run_segmentation(const Case& test) {
  struct Image {
    std::string name;
    std::vector<std::uint8_t> truth, prediction;
    int rows = 0, columns = 0;
  };
  std::vector<Image> images;   // in order of first appearance
  std::map<std::string, std::size_t> place;
  const std::string image_column = test.column("image").empty() ? "image" : test.column("image");
  const auto image_at = test.data.column(image_column);
  const auto truth_at = test.data.column(test.column("truth")), prediction_at = test.data.column(test.column("pred"));
  for (std::size_t row = 0; row < test.data.rows(); ++row) {
    const auto& name = test.data.cell(row, image_at);
    const auto [found, added] = place.try_emplace(name, images.size());
    if (added) images.push_back({name, {}, {}, 0, 0});
    Image& image = images[found->second];
    const auto& truth = test.data.cell(row, truth_at);
    const auto& prediction = test.data.cell(row, prediction_at);
    if (truth.size() != prediction.size() || (image.rows > 0 && image.columns != static_cast<int>(truth.size()))) {
      throw InputError(test.data.where(row, truth_at) + ": rows of a mask differ in length");
    }
    image.columns = static_cast<int>(truth.size());
    ++image.rows;
    for (const char pixel : truth) image.truth.push_back(pixel != '0');
    for (const char pixel : prediction) image.prediction.push_back(pixel != '0');
  }
  json list = json::array();
  OverlapCounts pooled;
  const bool numbered =
      std::all_of(images.begin(), images.end(), [](const Image& image) { return parse_number(image.name).has_value(); });
  for (const auto& image : images) {
    const MaskView truth{image.rows, image.columns, image.truth}, prediction{image.rows, image.columns, image.prediction};
    const auto counts = overlap(truth, prediction);
    const auto surface = surface_distances(truth, prediction);
    pooled += counts;
    list.push_back({{"image", numbered ? json(*parse_number(image.name)) : json(image.name)},
                    {"tp", counts.tp}, {"fp", counts.fp}, {"fn", counts.fn},
                    {"dice", number(counts.dice())}, {"iou", number(counts.iou())},
                    {"hausdorff", number(surface.hausdorff)},
                    {"hd95_max_of_directed", number(surface.hd95_max_of_directed)},
                    {"hd95_pooled", number(surface.hd95_pooled)}, {"assd_pooled", number(surface.assd_pooled)}});
  }
  return {{"images", list}, {"pooled", {{"dice", number(pooled.dice())}, {"iou", number(pooled.iou())}}}};
}

}  // namespace clmnet::survival::reference
