#include <algorithm>
#include <filesystem>
#include <iostream>
#include <memory>

#include "tools/base/atomic_file.h"
#include "tools/base/error.h"
#include "tools/report/gnuplot.h"
#include "tools/report/km_figure.h"
#include "tools/survival/commands.h"
#include "tools/survival/feature_sets.h"
#include "tools/survival/fit_figures.h"
#include "tools/survival/fit_report.h"
#include "tools/survival/model_file.h"

namespace clmnet::tools {
namespace {

namespace fs = std::filesystem;
using nlohmann::json;

struct Args {
  CohortColumns columns;
  std::vector<std::string> covariates, models{"logistic", "forest", "cox", "rsf"}, sets;
  fs::path out, features, slides;
  std::string id, time_label, pooling = "mean";
  RiskOptions risk;
  int resamples = 1000;
};

/// The column that says which rows are one patient: --id, else one that is called so, else every row is its own.
std::string id_column(const Args& args, const CsvTable& table) {
  if (!args.id.empty()) {
    table.column(args.id);
    return args.id;
  }
  for (const char* name : {"patient_id", "Patient-ID", "patient", "bcr_patient_barcode"}) {
    if (table.find(name)) return name;
  }
  return "";
}

std::vector<std::string> patients_of(const Args& args, const Cohort& cohort) {
  const std::string id = id_column(args, cohort.table());
  if (!id.empty()) return cohort.texts(id);
  if (!args.features.empty()) {
    throw InputError(cohort.table().name() + ": no column says who the patient is; name it with --id, as patient_id in " +
                     args.slides.string());
  }
  std::vector<std::string> names;
  for (const std::size_t row : cohort.rows()) names.push_back("line " + std::to_string(cohort.table().line(row)));
  return names;
}

void require_sound(const Args& args) {
  if (args.features.empty() != args.slides.empty()) {
    throw InputError("survival fit: --features and --slides (CSV with slide,patient_id) belong together");
  }
  if (args.covariates.empty() && args.features.empty()) {
    throw InputError("survival fit: nothing to learn from; give --covariates, or --features and --slides");
  }
  if (fs::exists(args.out) && !fs::is_directory(args.out)) {
    throw InputError(args.out.string() + ": is a file, expected a folder to write to");
  }
  if (fs::is_directory(args.out) && !fs::is_empty(args.out) && !fs::exists(args.out / "survival.json")) {
    throw InputError(args.out.string() + ": holds something else than a survival result; give another folder with -o");
  }
}

/// What the models learn from: rows are those with an outcome and, where slides count, with a slide.
struct Data {
  std::vector<std::string> patients;
  survival::Outcome outcome;
  Eigen::MatrixXd x;                 ///< clinical columns, then those of slides
  CovariateTable clinical;
  PatientFeatures slides;            ///< names and widths; its x is in `x`
  Pooling pooling = Pooling::mean;
};

Pooling pooling_of(const Args& args) {
  return args.pooling == "mean"        ? Pooling::mean
         : args.pooling == "max"       ? Pooling::max
         : args.pooling == "quantiles" ? Pooling::quantiles
                                       : Pooling::attention;
}

std::string some_of(const std::vector<std::string>& names) {
  std::string text;
  for (std::size_t k = 0; k < names.size() && k < 5; ++k) text += (k ? ", " : "") + names[k];
  return names.size() > 5 ? text + ", …" : text;
}

void keep_rows(Data& data, const std::vector<Eigen::Index>& rows) {
  std::vector<std::string> patients;
  for (const auto row : rows) patients.push_back(data.patients[static_cast<std::size_t>(row)]);
  data.patients = std::move(patients);
  data.outcome = pick(data.outcome, rows);
  data.x = Eigen::MatrixXd(data.x(rows, Eigen::all));
}

void add_slides(const Args& args, Data& data, FitSummary& summary) {
  data.slides = join_features(args.features, args.slides, data.patients, data.pooling);
  const Eigen::Index clinical = data.x.cols();
  data.x.conservativeResize(Eigen::NoChange, clinical + data.slides.x.cols());
  data.x.rightCols(data.slides.x.cols()) = data.slides.x;
  std::vector<Eigen::Index> rows;
  for (Eigen::Index i = 0; i < data.x.rows(); ++i) {
    if (!std::isnan(data.slides.x(i, 0))) rows.push_back(i);
  }
  const auto& without = data.slides.without_slide;
  summary.features = {{"run", args.features.string()},
                      {"pooling", name_of(data.pooling)},
                      {"slides", data.slides.slides},
                      {"tiles", data.slides.tiles},
                      {"width", data.slides.width},
                      {"patients_without_slide", without},
                      {"slides_without_patient", data.slides.without_patient}};
  summary.features_text = std::to_string(data.slides.slides) + " with " + std::to_string(data.slides.tiles) + " tiles of " +
                          std::to_string(data.slides.width) + " features, pooled by " + name_of(data.pooling) +
                          "; patients without a slide, left out: " +
                          (without.empty() ? "none" : std::to_string(without.size()) + " (" + some_of(without) + ")") +
                          "; slides of nobody in the cohort: " + std::to_string(data.slides.without_patient.size());
  keep_rows(data, rows);
  if (data.outcome.events() == 0) {
    throw InputError(args.slides.string() + ": no patient with a slide had the event, expected at least one");
  }
}

/// Also settles the horizon where none is given.
Data read_data(Args& args, FitSummary& summary) {
  const Cohort cohort(args.columns, {}, true);
  Data data;
  data.patients = patients_of(args, cohort);
  data.outcome = cohort.outcome();
  data.clinical = covariates_of(cohort, args.covariates, args.columns);
  data.x = data.clinical.x;
  data.pooling = pooling_of(args);
  summary.cohort = cohort.report();
  summary.cohort_text = cohort.report_text();
  summary.time_name = args.columns.time;
  summary.covariates = data.clinical.names;
  summary.imputed = data.clinical.missing;
  summary.resamples = args.resamples;
  if (!args.features.empty()) add_slides(args, data, summary);
  if (args.risk.horizon == 0) args.risk.horizon = median_event_time(data.outcome);
  summary.options = args.risk;
  summary.rows = data.outcome.size();
  summary.events = data.outcome.events();
  summary.patients = survival::make_groups(data.patients).size();
  for (const int label : labels_at(data.outcome, args.risk.horizon)) {
    ++(label == 1 ? summary.events_by_horizon : label == 0 ? summary.beyond_horizon : summary.censored_before);
  }
  return data;
}

/// "36 months" where the label of the time says its unit, else "36 (label)".
std::string horizon_text(const Args& args) {
  const std::string label = args.time_label.empty() ? label_of_column(args.columns.time) : args.time_label,
                    number = number_text(args.risk.horizon);
  const auto open = label.rfind('(');
  if (open == std::string::npos || label.back() != ')') return number + " (" + label + ")";
  return number + " " + label.substr(open + 1, label.size() - open - 2);
}

void write_figures(const Args& args, const Data& data, const std::string& main_set, const std::vector<CrossValidation>& results) {
  std::vector<CrossValidation> of_main;
  const std::string time = horizon_text(args);
  for (const auto& result : results) {
    KmFigure figure{{"Low risk", "High risk"},
                    result.curves,
                    args.time_label.empty() ? label_of_column(args.columns.time) : args.time_label};
    figure.test = "Log-rank " + p_text(result.test.p);
    std::string name = "km";
    if (result.set != main_set) name += "_" + result.set;
    if (result.set != main_set || !of_main.empty()) name += std::string("_") + key_of(result.method);
    for (const char* ending : {".svg", ".pdf"}) {
      draw_km(args.out / (name + ending), figure);
      if (result.set == main_set) {
        draw_calibration(args.out / (std::string("calibration") + name.substr(2) + ending), result, data.outcome,
                         args.risk.horizon, time);
      }
    }
    if (result.set == main_set) of_main.push_back(result);
  }
  for (const char* ending : {".svg", ".pdf"}) {
    draw_horizon_roc(args.out / (std::string("roc") + ending), of_main, data.outcome, args.risk.horizon);
  }
}

/// The first linear model of --models, fitted to everyone on the main set; null where there is none.
json save_linear_model(const Args& args, const Data& data, const FeatureSet& set) {
  for (const auto& key : args.models) {
    const RiskMethod method = method_of(key);
    if (method != RiskMethod::logistic && method != RiskMethod::cox) continue;
    const RiskModel model = train_risk_model(method, data.x(Eigen::all, set.columns), data.outcome, args.risk);
    SavedModel saved = to_save(model);
    saved.time_name = args.columns.time;
    const auto clinical = static_cast<Eigen::Index>(data.clinical.names.size());
    for (const auto column : set.columns) {
      if (column < clinical) {
        saved.source.push_back(data.clinical.source[static_cast<std::size_t>(column)]);
        saved.level.push_back(data.clinical.level[static_cast<std::size_t>(column)]);
        continue;
      }
      if (!saved.slides) saved.slides = SlideColumns{data.pooling, data.slides.width, {}};
      saved.slides->column.push_back(column - clinical);
    }
    save_model(args.out / "model.json", saved);
    json summary = {
        {"set", set.name}, {"model", key}, {"offset", saved.offset}, {"cut", saved.cut}, {"strength", model.strength}};
    for (Eigen::Index j = 0; j < saved.slope.size() && saved.slope.size() <= 64; ++j) {
      const auto column = static_cast<std::size_t>(set.columns[static_cast<std::size_t>(j)]);
      summary["coefficients"][column < data.clinical.names.size() ? data.clinical.names[column]
                                                                  : data.slides.names[column - data.clinical.names.size()]] =
          saved.slope[j];
    }
    return summary;
  }
  return nullptr;
}

int run(Args args, const Session& session) {
  require_sound(args);
  require_gnuplot();
  FitSummary summary;
  const Data data = read_data(args, summary);
  const auto sets = feature_sets(args.sets, data.clinical.names.size(), data.slides);
  const auto folds = repeated_folds(data.patients, labels_at(data.outcome, args.risk.horizon), args.risk);
  std::vector<CrossValidation> results;
  std::vector<RiskComparison> comparisons;
  const auto design_of = [&](std::size_t, int) -> const Eigen::MatrixXd& { return data.x; };
  for (const auto& key : args.models) {
    std::vector<CrossValidation> of_model;
    for (const auto& set : sets)
      of_model.push_back(cross_validate(method_of(key), set, design_of, data.outcome, folds, args.risk));
    for (std::size_t k = 1; k < of_model.size(); ++k) {
      comparisons.push_back(compare_risks(of_model[k], of_model[0], data.outcome, data.patients, args.risk.horizon,
                                          args.resamples, args.risk.seed));
      comparisons.back().first += std::string(" ") + key;
    }
    std::move(of_model.begin(), of_model.end(), std::back_inserter(results));
  }
  std::error_code failed;
  fs::create_directories(args.out, failed);
  if (failed) throw InputError(args.out.string() + ": cannot be made (" + failed.message() + ")");
  const FeatureSet& main = main_set(sets);
  write_figures(args, data, main.name, results);
  const json model = save_linear_model(args, data, main);
  const json document = fit_json(summary, results, comparisons, data.patients, model);
  write_atomically(args.out / "survival.json", document.dump(2) + "\n");
  if (session.json) {
    print_json(document);
  } else {
    std::cout << fit_table(summary, results, comparisons) << "\nWritten  " << (args.out / "survival.json").string()
              << "; km, roc and calibration (" << main.name << ") as .svg and .pdf"
              << (model.is_null() ? "" : "; model.json (" + model["model"].get<std::string>() + ", all patients)") << std::endl;
  }
  return 0;
}

}  // namespace

void add_survival_fit(CLI::App& parent, Session& session) {
  auto args = std::make_shared<Args>();
  CLI::App* command = add_command(
      parent, session, "fit", "Risk at a horizon from clinical columns and slide features, cross-validated by patient",
      "clmnet survival fit --data cohort.csv --time months --event died --covariates age,sex --missing -999 --horizon 36 "
      "--features RUN --slides slides.csv -o OUT",
      [args, &session] { return run(*args, session); });
  add_outcome_options(*command, args->columns);
  command
      ->add_option("--covariates", args->covariates, "Columns to learn from; those that are not numbers become one term a level")
      ->delimiter(',');
  command
      ->add_option("--horizon", args->risk.horizon,
                   "Time by which the event is predicted (default: the median of the event times)")
      ->check(CLI::PositiveNumber);
  command->add_option("-o,--out", args->out, "Folder for survival.json, figures and model.json")->required();
  command->add_option("--features", args->features, "Run folder of 'clmnet analyze': add the slides' features");
  command->add_option("--slides", args->slides, "CSV with slide,patient_id for --features");
  command->add_option("--pooling", args->pooling, "How tiles become one row a patient")
      ->check(CLI::IsMember({"mean", "max", "quantiles", "attention"}))
      ->capture_default_str();
  command->add_option("--models", args->models, "Models: logistic, forest, cox (ridge), rsf")
      ->delimiter(',')
      ->check(CLI::IsMember({"logistic", "forest", "cox", "rsf"}))
      ->capture_default_str();
  command->add_option("--sets", args->sets, "Columns to compare, the first is the reference (default: clinical,ensemble,both)")
      ->delimiter(',')->check(CLI::IsMember({"clinical", "vgg16", "deeplabv3", "unet", "ensemble", "both"}));
  command->add_option("--id", args->id,
                      "Column: patient; rows of one patient stay in one fold (default: patient_id or Patient-ID, else each row)");
  command->add_option("--folds", args->risk.folds, "Folds of the cross-validation")
      ->check(CLI::Range(2, 100))
      ->capture_default_str();
  command->add_option("--repeats", args->risk.repeats, "Repeats of the cross-validation with other folds")
      ->check(CLI::Range(1, 1000))
      ->capture_default_str();
  command->add_option("--seed", args->risk.seed, "Seed of folds, forests and bootstrap")->capture_default_str();
  command->add_option("--trees", args->risk.trees, "Trees of a forest")->check(CLI::Range(1, 100000))->capture_default_str();
  command->add_option("--resamples", args->resamples, "Resamples when sets are compared")
      ->check(CLI::Range(100, 1000000))
      ->capture_default_str();
  command->add_option("--threads", args->risk.threads, "Threads of a forest; 0: all")
      ->check(CLI::Range(0, 1024))
      ->capture_default_str();
  command->add_option("--time-label", args->time_label, "Label of the time axis with its unit (default: the column)");
}

}  // namespace clmnet::tools
