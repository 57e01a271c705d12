#include <algorithm>
#include <cctype>
#include <cmath>
#include <iostream>
#include <memory>

#include "survival/froc_bootstrap.h"
#include "survival/mrmc.h"
#include "tools/base/error.h"
#include "tools/report/curve_figure.h"
#include "tools/report/gnuplot.h"
#include "tools/report/numbers.h"
#include "tools/report/text_table.h"
#include "tools/stats/commands.h"
#include "tools/stats/froc_tables.h"
#include "tools/stats/reader_report.h"

namespace clmnet::tools {
namespace {

using nlohmann::json;
using survival::FrocMerit;

const std::vector<std::pair<std::string, FrocMerit>> kMerits = {{"afroc", FrocMerit::afroc},
                                                                {"afroc1", FrocMerit::afroc1},
                                                                {"wafroc", FrocMerit::wafroc},
                                                                {"wafroc1", FrocMerit::wafroc1},
                                                                {"hr-auc", FrocMerit::hr_auc}};
const std::vector<std::pair<std::string, FrocMerit>> kCounts = {{"max_llf", FrocMerit::max_llf},
                                                                {"max_nlf", FrocMerit::max_nlf},
                                                                {"max_nlf_all_cases", FrocMerit::max_nlf_all_cases},
                                                                {"hr_se", FrocMerit::hr_se},
                                                                {"hr_sp", FrocMerit::hr_sp}};

struct Args {
  FrocColumns columns;
  std::string merit = "wafroc", interpolation = "step";
  ReaderModel model;
  std::vector<double> rates{0.125, 0.25, 0.5, 1, 2, 4, 8};
  double level = 0.95;
  int resamples = 2000;
  std::uint64_t seed = 1;
  std::vector<std::filesystem::path> figures;
};

survival::FrocInterpolation interpolation_of(const Args& args) {
  return args.interpolation == "linear" ? survival::FrocInterpolation::linear : survival::FrocInterpolation::step;
}

FrocMerit merit_of(const Args& args) {
  return std::find_if(kMerits.begin(), kMerits.end(), [&](const auto& entry) { return entry.first == args.merit; })->second;
}

std::string convention_of(const Args& args) {
  return "false marks per case over all cases, sensitivity over all lesions, " + args.interpolation +
         " between points; an unmarked lesion and a case without false marks are -infinity, ties half; "
         "errors by the jackknife over cases; sensitivity: mean over readers with a percentile bootstrap of cases (" +
         std::to_string(args.resamples) + " resamples, seed " + std::to_string(args.seed) + ")";
}

struct Analysis {
  Eigen::MatrixXd merit, leave_one_out, covariance;
  std::vector<std::vector<survival::FrocSensitivity>> sensitivity;   ///< per modality
  std::optional<survival::ObuchowskiRockette> comparison;
};

Analysis analyse(const Args& args, const survival::FrocStudy& study) {
  Analysis result;
  result.merit = survival::froc_merit(study, merit_of(args));
  result.leave_one_out = survival::leave_one_out_merit(study, merit_of(args));
  result.covariance = survival::jackknife_covariance(result.leave_one_out);
  for (std::size_t t = 0; t < study.treatments.size(); ++t) {
    result.sensitivity.push_back(
        survival::mean_sensitivity(study, t, args.rates, interpolation_of(args), {args.resamples, args.seed, args.level}));
  }
  if (study.treatments.size() > 1) result.comparison = survival::obuchowski_rockette(result.merit, result.covariance, args.level);
  return result;
}

/// "wafroc1" as papers write it: wAFROC1.
std::string shown_name(const std::string& merit) {
  std::string name = merit;
  for (char& letter : name) letter = static_cast<char>(std::toupper(static_cast<unsigned char>(letter)));
  if (name[0] == 'W') name[0] = 'w';
  return merit == "hr-auc" ? "highest-rating AUC" : name;
}

void draw(const Args& args, const survival::FrocStudy& study) {
  if (args.figures.empty()) return;
  const double most = std::max(1e-9, *std::max_element(args.rates.begin(), args.rates.end()));
  CurveFigure figure{{},
                     "False marks per case",
                     study.readers.size() > 1 ? "Lesion sensitivity, mean over readers" : "Lesion sensitivity",
                     0,
                     0,
                     0,
                     1,
                     false,
                     {}};
  for (std::size_t t = 0; t < study.treatments.size(); ++t) {
    figure.x_most = std::max(figure.x_most, survival::mean_froc_curve(study, t).nlf.back());
  }
  figure.x_most = figure.x_most > 0 ? std::min(figure.x_most * 1.03, most) : most;
  std::vector<double> grid;
  for (int k = 0; k <= 100; ++k) grid.push_back(figure.x_most * k / 100);
  for (std::size_t t = 0; t < study.treatments.size(); ++t) {
    const auto mean = survival::mean_froc_curve(study, t);
    FigureCurve curve;
    curve.name = (study.treatments.size() > 1 ? study.treatments[t] + ": " : std::string()) + shown_name(args.merit) + " " +
                 fixed_text(survival::froc_merit(study, merit_of(args)).row(static_cast<Eigen::Index>(t)).mean(), 2);
    for (std::size_t i = 0; i < mean.nlf.size() && mean.nlf[i] <= figure.x_most; ++i) {
      if (i > 0) {
        curve.x.push_back(mean.nlf[i]);
        curve.y.push_back(mean.llf[i - 1]);
      }
      curve.x.push_back(mean.nlf[i]);
      curve.y.push_back(mean.llf[i]);
    }
    curve.x.push_back(figure.x_most);
    curve.y.push_back(curve.y.back());
    for (const auto& point :
         survival::mean_sensitivity(study, t, grid, survival::FrocInterpolation::step, {args.resamples, args.seed, args.level})) {
      curve.band_x.push_back(point.false_per_case);
      curve.lower.push_back(point.lower);
      curve.upper.push_back(point.upper);
    }
    figure.curves.push_back(std::move(curve));
  }
  figure.notes.push_back(std::to_string(study.cases.size()) + " cases, " + std::to_string(study.lesions()) + " lesions, " +
                         std::to_string(study.readers.size()) + (study.readers.size() == 1 ? " reader" : " readers"));
  figure.notes.push_back(percent_text(args.level) + " bands: bootstrap of cases");
  for (const auto& path : args.figures) draw_curves(path, figure);
}

json reading_json(const survival::FrocStudy& study) {
  json list = json::array();
  std::vector<Eigen::MatrixXd> values;
  auto all = kMerits;
  all.insert(all.end(), kCounts.begin(), kCounts.end());
  for (const auto& [name, merit] : all) values.push_back(survival::froc_merit(study, merit));
  for (std::size_t i = 0; i < study.readings.size(); ++i) {
    const auto t = i / study.readers.size(), r = i % study.readers.size();
    json entry = {{"modality", study.treatments[t]}, {"reader", study.readers[r]}};
    for (std::size_t k = 0; k < all.size(); ++k) {
      entry[all[k].first == "hr-auc" ? "hr_auc" : all[k].first] =
          json_number(values[k](static_cast<Eigen::Index>(t), static_cast<Eigen::Index>(r)));
    }
    const auto curve = survival::froc_curve(study, i);
    entry["froc"] = {{"threshold", curve.threshold}, {"false_marks_per_case", curve.nlf}, {"sensitivity", curve.llf}};
    list.push_back(entry);
  }
  return list;
}

json result_json(const Args& args, const FrocTables& tables, const Analysis& analysis) {
  const auto& study = tables.study;
  json document = result_head("free-response ROC", convention_of(args), study.cases.size());
  document["marks"] = tables.marks_report;
  document["lesions_table"] = tables.lesions_report;
  document["level"] = args.level;
  document["cases"] = {{"all", study.cases.size()}, {"with_lesions", study.diseased_cases()}};
  document["lesions"] = study.lesions();
  document["readers"] = study.readers;
  document["modalities"] = study.treatments;
  document["merit"] = args.merit;
  document["merits"] = readings_json(study.treatments, study.readers, analysis.merit, analysis.covariance, args.level);
  document["readings"] = reading_json(study);
  for (std::size_t t = 0; t < study.treatments.size(); ++t) {
    double sum = 0;
    json points = json::array();
    for (const auto& point : analysis.sensitivity[t]) {
      points.push_back({{"false_marks_per_case", point.false_per_case},
                        {"sensitivity", json_number(point.value)},
                        {"ci", {json_number(point.lower), json_number(point.upper)}}});
      sum += point.value;
    }
    document["sensitivity_at"].push_back({{"modality", study.treatments[t]},
                                          {"points", points},
                                          {"mean", json_number(sum / static_cast<double>(args.rates.size()))}});
  }
  if (analysis.comparison) {
    document["obuchowski_rockette"] = or_json(*analysis.comparison, study.treatments);
    document["dorfman_berbaum_metz"] = dbm_json(survival::dorfman_berbaum_metz(analysis.merit, analysis.leave_one_out));
  }
  return document;
}

void print_tables(const Args& args, const FrocTables& tables, const Analysis& analysis) {
  const auto& study = tables.study;
  std::cout << tables.text << "\n"
            << study.cases.size() << " cases, " << study.diseased_cases() << " with lesions, " << study.lesions() << " lesions; "
            << study.readers.size() << " readers, " << study.treatments.size() << " modalities\n\n"
            << readings_text(study.treatments, study.readers, analysis.merit, analysis.covariance, args.level, args.merit)
            << "\n";
  TextTable table({"modality", "false marks/case", "sensitivity", "lower", "upper"});
  for (std::size_t t = 0; t < study.treatments.size(); ++t) {
    double sum = 0;
    for (const auto& point : analysis.sensitivity[t]) {
      table.add({study.treatments[t], number_text(point.false_per_case), fixed_text(point.value, 4), fixed_text(point.lower, 4),
                 fixed_text(point.upper, 4)});
      sum += point.value;
    }
    table.add({study.treatments[t], "mean", fixed_text(sum / static_cast<double>(args.rates.size()), 4), "", ""});
  }
  std::cout << table.text() << "\n";
  if (analysis.comparison) {
    std::cout << or_text(*analysis.comparison, study.treatments, args.model) << "\n"
              << dbm_text(survival::dorfman_berbaum_metz(analysis.merit, analysis.leave_one_out));
  }
  std::cout << percent_text(args.level) << " intervals: " << args.merit
            << " by the jackknife over cases, sensitivity (mean over readers) by a bootstrap of cases\n"
            << std::flush;
}

int run(const Args& args, const Session& session) {
  if (!args.figures.empty()) require_gnuplot();
  const FrocTables tables = read_froc(args.columns);
  if (tables.study.treatments.size() > 8 && !args.figures.empty()) {
    throw InputError("stats froc: " + std::to_string(tables.study.treatments.size()) + " modalities, a figure shows at most 8");
  }
  if (args.merit != "afroc1" && args.merit != "wafroc1" && tables.study.diseased_cases() == tables.study.cases.size()) {
    throw InputError(args.columns.lesions.string() + ": every case has lesions, '" + args.merit +
                     "' needs cases without; list those, or give --merit wafroc1");
  }
  const Analysis analysis = analyse(args, tables.study);
  draw(args, tables.study);
  if (session.json) {
    print_json(result_json(args, tables, analysis));
  } else {
    print_tables(args, tables, analysis);
  }
  return 0;
}

}  // namespace

void add_stats_froc(CLI::App& parent, Session& session) {
  auto args = std::make_shared<Args>();
  CLI::App* command =
      add_command(parent, session, "froc", "Free-response studies: FROC, AFROC, weighted AFROC",
                  "clmnet stats froc --marks marks.csv --lesions lesions.csv --reader reader --modality aided --figure froc.svg",
                  [args, &session] {
                    require_something_random(args->model);
                    return run(*args, session);
                  });
  auto& columns = args->columns;
  command->add_option("--marks", columns.marks, "CSV with one row a mark: case, lesion that it hits (empty or 0: none), rating")
      ->required();
  command
      ->add_option("--lesions", columns.lesions, "CSV with one row a lesion; a case without is a row with an empty lesion or 0")
      ->required();
  add_missing_option(*command, columns.missing);
  command->add_option("--case", columns.case_id, "Column of both: case")->capture_default_str();
  command->add_option("--lesion", columns.lesion, "Column of both: lesion")->capture_default_str();
  command->add_option("--rating", columns.rating, "Column of marks: rating, high is suspicious")->capture_default_str();
  command->add_option("--reader", columns.reader, "Column of marks: reader (default: one reader)");
  command->add_option("--modality", columns.modality, "Column of marks: what is compared (default: one)");
  command->add_option("--weight", columns.weight, "Column of lesions: weight within its case (default: equal)");
  std::vector<std::string> names;
  for (const auto& [name, merit] : kMerits) names.push_back(name);
  command->add_option("--merit", args->merit, "Figure of merit that is tested")
      ->check(CLI::IsMember(names))
      ->capture_default_str();
  command->add_option("--at", args->rates, "False marks per case at which sensitivity is given (default: 0.125,0.25,0.5,1,2,4,8)")
      ->delimiter(',')
      ->check(CLI::NonNegativeNumber);
  command->add_option("--interpolation", args->interpolation, "Between two points of the curve")
      ->check(CLI::IsMember({"step", "linear"}))
      ->capture_default_str();
  add_model_options(*command, args->model);
  add_level_option(*command, args->level);
  command->add_option("--resamples", args->resamples, "Resamples of the bootstrap")
      ->check(CLI::Range(100, 1000000))
      ->capture_default_str();
  command->add_option("--seed", args->seed, "Seed of the bootstrap")->capture_default_str();
  command->add_option("--figure", args->figures, "FROC figure, SVG or PDF; may be given again");
}

}  // namespace clmnet::tools
