#include <algorithm>
#include <cmath>
#include <iostream>
#include <memory>
#include <set>

#include "survival/agreement.h"
#include "survival/groups.h"
#include "survival/method_comparison.h"
#include "tools/base/error.h"
#include "tools/report/curve_figure.h"
#include "tools/report/gnuplot.h"
#include "tools/report/numbers.h"
#include "tools/report/text_table.h"
#include "tools/stats/commands.h"

namespace clmnet::tools {
namespace {

using nlohmann::json;

constexpr std::size_t kMostCategories = 20;

struct Args {
  TableArgs table;
  std::vector<std::string> raters, categories;
  std::string kind = "auto";
  double level = 0.95;
  std::vector<std::filesystem::path> figures;
};

/// Ratings as positions in a list of categories.
struct Coded {
  std::vector<std::string> categories;
  std::vector<std::vector<int>> code;   ///< per rater
};

/// The order matters for weights: as given, else numbers by value, else by bytes.
Coded code(const Args& args, const CompleteRows& rows) {
  std::vector<std::string> all;
  for (const auto& rater : args.raters) {
    const auto own = rows.texts(rater);
    all.insert(all.end(), own.begin(), own.end());
  }
  Coded coded;
  const auto groups = survival::make_groups(all);
  coded.categories = groups.labels;
  std::vector<int> place(groups.size());
  for (std::size_t k = 0; k < groups.size(); ++k) place[k] = static_cast<int>(k);
  if (!args.categories.empty()) {
    coded.categories = args.categories;
    for (std::size_t k = 0; k < groups.size(); ++k) {
      const auto found = std::find(args.categories.begin(), args.categories.end(), groups.labels[k]);
      if (found == args.categories.end()) {
        const std::size_t at =
            static_cast<std::size_t>(std::find(groups.code.begin(), groups.code.end(), k) - groups.code.begin());
        const std::size_t column = rows.table().column(args.raters[at / rows.size()]);
        throw InputError(rows.table().where(rows.rows()[at % rows.size()], column) + ": category '" + groups.labels[k] +
                         "' is not in --categories; add it, or name it with --missing");
      }
      place[k] = static_cast<int>(found - args.categories.begin());
    }
  }
  for (std::size_t r = 0; r < args.raters.size(); ++r) {
    coded.code.emplace_back();
    for (std::size_t i = 0; i < rows.size(); ++i) coded.code[r].push_back(place[groups.code[r * rows.size() + i]]);
  }
  return coded;
}

bool are_measurements(const Args& args, const CompleteRows& rows) {
  if (args.kind != "auto") return args.kind == "measurements";
  if (!args.categories.empty()) return false;
  bool fractions = false;
  std::set<double> distinct;
  for (const auto& rater : args.raters) {
    for (const auto& cell : rows.texts(rater)) {
      const auto value = parse_number(cell);
      if (!value) return false;
      fractions = fractions || *value != std::floor(*value);
      distinct.insert(*value);
    }
  }
  return fractions || distinct.size() > kMostCategories;
}

json kappa_json(const survival::Kappa& kappa) {
  return {{"kappa", json_number(kappa.kappa)},
          {"std_err", json_number(kappa.std_err)},
          {"ci", {json_number(kappa.lower), json_number(kappa.upper)}},
          {"z", json_number(kappa.z)},
          {"p", json_number(kappa.p)},
          {"observed", json_number(kappa.observed)},
          {"expected", json_number(kappa.expected)}};
}

void analyse_categories(const Args& args, const CompleteRows& rows, json& document, std::string& text) {
  const Coded coded = code(args, rows);
  const auto size = static_cast<int>(coded.categories.size());
  TextTable agreement({"Pair", "n", "agree", "rate (Wilson)"}),
      kappas({"Cohen's kappa", "weights", "kappa", "std.err", "lower", "upper", "z", "p"});
  document["categories"] = coded.categories;
  for (std::size_t i = 0; i < args.raters.size(); ++i) {
    for (std::size_t j = i + 1; j < args.raters.size(); ++j) {
      const auto table = survival::agreement_table(coded.code[i], coded.code[j], size);
      const auto rate = survival::concordance_rate(table, args.level);
      const std::string name = args.raters[i] + ", " + args.raters[j];
      json entry = {{"raters", {args.raters[i], args.raters[j]}},
                    {"concordance_rate",
                     {{"agreeing", rate.agreeing},
                      {"n", rate.n},
                      {"rate", json_number(rate.rate)},
                      {"wilson", {json_number(rate.wilson_lower), json_number(rate.wilson_upper)}},
                      {"exact", {json_number(rate.exact_lower), json_number(rate.exact_upper)}}}}};
      agreement.add({name, number_text(rate.n), number_text(rate.agreeing),
                     interval_text(rate.rate, rate.wilson_lower, rate.wilson_upper, 4)});
      for (const auto& [weights, kind] :
           {std::pair{"unweighted", survival::KappaWeight::unweighted}, std::pair{"linear", survival::KappaWeight::linear},
            std::pair{"quadratic", survival::KappaWeight::quadratic}}) {
        const auto kappa = survival::cohen_kappa(table, kind, args.level);
        entry["cohen"][weights] = kappa_json(kappa);
        if (size > 2 || kind == survival::KappaWeight::unweighted) {
          kappas.add({name, weights, fixed_text(kappa.kappa, 4), fixed_text(kappa.std_err, 4), fixed_text(kappa.lower, 4),
                      fixed_text(kappa.upper, 4), fixed_text(kappa.z, 2), p_cell(kappa.p)});
        }
      }
      for (Eigen::Index r = 0; r < table.rows(); ++r) {
        entry["table"].push_back(std::vector<double>(table.row(r).begin(), table.row(r).end()));
      }
      document["pairs"].push_back(entry);
    }
  }
  text += agreement.text() + "\n" + kappas.text();
  Eigen::MatrixXd counts = Eigen::MatrixXd::Zero(static_cast<Eigen::Index>(rows.size()), size);
  for (const auto& rater : coded.code) {
    for (std::size_t i = 0; i < rater.size(); ++i) counts(static_cast<Eigen::Index>(i), rater[i]) += 1;
  }
  const auto fleiss = survival::fleiss_kappa(counts);
  document["fleiss"] = {{"kappa", json_number(fleiss.kappa)},
                        {"std_err_null", json_number(fleiss.std_err_null)},
                        {"z", json_number(fleiss.z)},
                        {"p", json_number(fleiss.p)},
                        {"observed", json_number(fleiss.observed)},
                        {"expected", json_number(fleiss.expected)},
                        {"subjects", fleiss.subjects},
                        {"raters", fleiss.raters}};
  std::string order;
  for (const auto& category : coded.categories) order += (order.empty() ? "" : " < ") + category;
  text += "\nFleiss' kappa of " + std::to_string(fleiss.raters) + " raters: " + fixed_text(fleiss.kappa, 4) +
          ", z = " + fixed_text(fleiss.z, 2) + ", " + p_text(fleiss.p) + "\nCategories in order: " + order + "\n";
}

json icc_json(const survival::Icc& icc) {
  return {{"icc", json_number(icc.value)}, {"ci", {json_number(icc.lower), json_number(icc.upper)}},
          {"f", json_number(icc.f)},       {"df1", json_number(icc.df1)},
          {"df2", json_number(icc.df2)},   {"p", json_number(icc.p)}};
}

void add_icc(const Args& args, const std::vector<std::vector<double>>& values, json& document, std::string& text) {
  Eigen::MatrixXd matrix(static_cast<Eigen::Index>(values[0].size()), static_cast<Eigen::Index>(values.size()));
  for (std::size_t r = 0; r < values.size(); ++r) {
    for (std::size_t i = 0; i < values[r].size(); ++i) {
      matrix(static_cast<Eigen::Index>(i), static_cast<Eigen::Index>(r)) = values[r][i];
    }
  }
  const auto icc = survival::icc(matrix, args.level);
  TextTable table({"Intraclass correlation", "ICC", "lower", "upper", "F", "df1", "df2", "p"});
  const std::pair<const char*, const survival::Icc*> forms[] = {{"ICC(1,1)", &icc.icc1},  {"ICC(2,1)", &icc.icc2},
                                                                {"ICC(3,1)", &icc.icc3},  {"ICC(1,k)", &icc.icc1k},
                                                                {"ICC(2,k)", &icc.icc2k}, {"ICC(3,k)", &icc.icc3k}};
  const char* const words[] = {"one-way",       "two-way, agreement", "two-way, consistency",
                               "one-way, mean", "agreement, mean",    "consistency, mean"};
  for (std::size_t k = 0; k < 6; ++k) {
    const auto& form = *forms[k].second;
    document["icc"][forms[k].first] = icc_json(form);
    table.add({std::string(forms[k].first) + " " + words[k], fixed_text(form.value, 4), fixed_text(form.lower, 4),
               fixed_text(form.upper, 4), fixed_text(form.f, 3), number_text(form.df1), fixed_text(form.df2, 1), p_cell(form.p)});
  }
  text.append("\n").append(table.text());
}

/// Differences against means with the bias and the limits of agreement.
void draw_bland_altman(const std::filesystem::path& target, const Args& args, const std::vector<double>& a,
                       const std::vector<double>& b) {
  const auto result = survival::bland_altman(a, b, args.level);
  FigureCurve dots;
  dots.line = false;
  double low = result.loa_lower, high = result.loa_upper, left = (a[0] + b[0]) / 2, right = left;
  for (std::size_t i = 0; i < a.size(); ++i) {
    dots.mark_x.push_back((a[i] + b[i]) / 2);
    dots.mark_y.push_back(a[i] - b[i]);
    left = std::min(left, dots.mark_x.back());
    right = std::max(right, dots.mark_x.back());
    low = std::min(low, dots.mark_y.back());
    high = std::max(high, dots.mark_y.back());
  }
  const double x_room = right > left ? 0.05 * (right - left) : 1, y_room = high > low ? 0.1 * (high - low) : 1;
  CurveFigure figure{{},
                     "Mean of " + args.raters[0] + " and " + args.raters[1],
                     args.raters[0] + " − " + args.raters[1],
                     left - x_room,
                     right + x_room,
                     low - y_room,
                     high + y_room,
                     false,
                     {}};
  const std::vector<double> ends{figure.x_least, figure.x_most};
  const auto level_line = [&](const std::string& name, double y) {
    figure.curves.push_back({name, ends, {y, y}, {}, {}, {}, {}, {}, {}, {}});
  };
  figure.curves.push_back(dots);
  level_line("bias " + number_text(std::round(result.bias * 1e4) / 1e4), result.bias);
  level_line("limits of agreement " + fixed_text(result.loa_lower, 2) + " to " + fixed_text(result.loa_upper, 2),
             result.loa_lower);
  level_line("", result.loa_upper);
  figure.curves[3].colour_of = 2;
  draw_curves(target, figure);
}

void analyse_measurements(const Args& args, const CompleteRows& rows, json& document, std::string& text) {
  std::vector<std::vector<double>> values;
  for (const auto& rater : args.raters) values.push_back(rows.numbers(rater));
  TextTable bland({"Bland-Altman", "n", "bias", "lower", "upper", "SD", "limits of agreement"}),
      ccc({"Concordance correlation", "CCC", "lower", "upper", "Pearson", "Spearman"});
  for (std::size_t i = 0; i < values.size(); ++i) {
    for (std::size_t j = i + 1; j < values.size(); ++j) {
      const std::string name = args.raters[i] + " - " + args.raters[j];
      const auto difference = survival::bland_altman(values[i], values[j], args.level);
      const auto lin = survival::lin_ccc(values[i], values[j], args.level);
      const auto pearson = survival::pearson(values[i], values[j]), spearman = survival::spearman(values[i], values[j]);
      document["pairs"].push_back(
          {{"raters", {args.raters[i], args.raters[j]}},
           {"bland_altman",
            {{"bias", json_number(difference.bias)},
             {"bias_ci", {json_number(difference.bias_lower), json_number(difference.bias_upper)}},
             {"sd", json_number(difference.sd)},
             {"limits_of_agreement", {json_number(difference.loa_lower), json_number(difference.loa_upper)}},
             {"limit_std_err", json_number(difference.loa_std_err)}}},
           {"ccc",
            {{"ccc", json_number(lin.moments_n)},
             {"ccc_n1", json_number(lin.moments_n1)},
             {"ci", {json_number(lin.lower), json_number(lin.upper)}}}},
           {"pearson", {{"r", json_number(pearson.r)}, {"p", json_number(pearson.p)}}},
           {"spearman", {{"rho", json_number(spearman.r)}, {"p", json_number(spearman.p)}}}});
      bland.add({name, std::to_string(difference.n), number_text(difference.bias), number_text(difference.bias_lower),
                 number_text(difference.bias_upper), number_text(difference.sd),
                 number_text(difference.loa_lower) + " to " + number_text(difference.loa_upper)});
      ccc.add({name, fixed_text(lin.moments_n, 4), fixed_text(lin.lower, 4), fixed_text(lin.upper, 4), fixed_text(pearson.r, 4),
               fixed_text(spearman.r, 4)});
    }
  }
  text += bland.text() + "\n" + ccc.text();
  add_icc(args, values, document, text);
  for (const auto& path : args.figures) draw_bland_altman(path, args, values[0], values[1]);
}

int run(const Args& args, const Session& session) {
  if (args.raters.size() < 2) throw InputError("stats agreement: --raters has one column, agreement needs two or more");
  const CompleteRows rows = args.table.read(args.raters);
  const bool measurements = are_measurements(args, rows);
  if (!args.figures.empty() && !measurements) {
    throw InputError("stats agreement: --figure draws Bland-Altman, which needs measurements; these are categories (--kind)");
  }
  if (!args.figures.empty() && args.raters.size() != 2) {
    throw InputError("stats agreement: --figure draws two raters, --raters names " + std::to_string(args.raters.size()));
  }
  if (!args.figures.empty()) require_gnuplot();
  json document =
      measurements
          ? result_head("agreement of measurements",
                        "limits of agreement: bias -+ 1.96 SD (n - 1), bias by Student's t; CCC with moments by n, Fisher's z; "
                        "ICC of Shrout and Fleiss, intervals by F",
                        rows.size())
          : result_head(
                "agreement of categories",
                "kappa's error of Fleiss, Cohen and Everitt, test with that under independence; weights |i-j| and (i-j)^2; "
                "Fleiss' kappa of all raters; rates with Wilson's and exact intervals",
                rows.size());
  document["table"] = rows.report();
  document["level"] = args.level;
  document["raters"] = args.raters;
  std::string text;
  (measurements ? analyse_measurements : analyse_categories)(args, rows, document, text);
  if (session.json) {
    print_json(document);
  } else {
    std::cout << rows.report_text() << "; " << args.raters.size() << " raters, " << (measurements ? "measurements" : "categories")
              << "\n\n"
              << text << percent_text(args.level) << " intervals\n"
              << std::flush;
  }
  return 0;
}

}  // namespace

void add_stats_agreement(CLI::App& parent, Session& session) {
  auto args = std::make_shared<Args>();
  CLI::App* command = add_command(
      parent, session, "agreement", "Kappa and concordance of raters; Bland-Altman, ICC and CCC of measurements",
      "clmnet stats agreement --data ratings.csv --raters pathologist_1,pathologist_2,clmnet --categories low,moderate,high",
      [args, &session] { return run(*args, session); });
  add_table_options(*command, args->table, "CSV with one row a subject");
  command->add_option("--raters", args->raters, "Columns: one rater or method each")->delimiter(',')->required();
  command->add_option("--kind", args->kind, "auto: numbers with fractions or more than 20 values are measurements")
      ->check(CLI::IsMember({"auto", "categories", "measurements"}))
      ->capture_default_str();
  command
      ->add_option("--categories", args->categories,
                   "Categories in order, for weighted kappa (default: numbers by value, else the alphabet)")
      ->delimiter(',');
  add_level_option(*command, args->level);
  command->add_option("--figure", args->figures, "Bland-Altman figure of two raters, SVG or PDF; may be given again");
}

}  // namespace clmnet::tools
