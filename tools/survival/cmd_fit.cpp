#include <filesystem>
#include <iostream>
#include <memory>

#include "tools/base/atomic_file.h"
#include "tools/base/error.h"
#include "tools/report/gnuplot.h"
#include "tools/report/km_figure.h"
#include "tools/survival/commands.h"
#include "tools/survival/feature_join.h"
#include "tools/survival/fit_report.h"
#include "tools/survival/model_file.h"

namespace clmnet::tools {
namespace {

namespace fs = std::filesystem;

struct Args {
  CohortColumns columns;
  std::vector<std::string> covariates;
  fs::path out, features, slides;
  std::string id, time_label;
  RiskOptions risk;
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

void add_features(const Args& args, const std::vector<std::string>& patients, CovariateTable& design, FitSummary& summary) {
  const PatientFeatures joined = join_features(args.features, args.slides, patients);
  const Eigen::Index clinical = design.x.cols();
  design.x.conservativeResize(Eigen::NoChange, clinical + joined.x.cols());
  design.x.rightCols(joined.x.cols()) = joined.x;
  for (Eigen::Index j = 0; j < joined.x.cols(); ++j) {
    design.names.push_back("feature_" + std::to_string(j));
    design.source.push_back(design.names.back());
    design.level.emplace_back();
  }
  summary.features = {{"run", args.features.string()}, {"slides", joined.slides}, {"per_patient", "mean over tiles, then over slides"}, {"features", joined.x.cols()},
                      {"patients_without_slide", joined.without_slide}, {"slides_without_patient", joined.without_patient}};
}

void require_sound(const Args& args) {
  if (args.features.empty() != args.slides.empty()) throw InputError("survival fit: --features and --slides (CSV with slide,patient_id) belong together");
  if (args.covariates.empty() && args.features.empty()) throw InputError("survival fit: nothing to learn from; give --covariates, or --features and --slides");
  if (fs::exists(args.out) && !fs::is_directory(args.out)) throw InputError(args.out.string() + ": is a file, expected a folder to write to");
  if (fs::is_directory(args.out) && !fs::is_empty(args.out) && !fs::exists(args.out / "survival.json")) {
    throw InputError(args.out.string() + ": holds something else than a survival result; give another folder with -o");
  }
}

FitSummary summarise(const Args& args, const Cohort& cohort) {
  FitSummary summary;
  summary.cohort = cohort.report();
  summary.cohort_text = cohort.report_text();
  summary.options = args.risk;
  summary.time_name = args.columns.time;
  for (const int label : labels_at(cohort.outcome(), args.risk.horizon)) {
    ++(label == 1 ? summary.events_by_horizon : label == 0 ? summary.beyond_horizon : summary.censored_before);
  }
  return summary;
}

std::vector<std::string> patients_of(const Args& args, const Cohort& cohort) {
  const std::string id = id_column(args, cohort.table());
  if (!id.empty()) return cohort.texts(id);
  std::vector<std::string> names;
  for (const std::size_t row : cohort.rows()) names.push_back("line " + std::to_string(cohort.table().line(row)));
  return names;
}

void write_figures(const Args& args, const std::vector<CrossValidation>& results) {
  for (const auto& result : results) {
    KmFigure figure{{"Low risk", "High risk"}, result.curves, args.time_label.empty() ? label_of_column(args.columns.time) : args.time_label};
    figure.test = "Log-rank " + p_text(result.test.p);
    const std::string name = result.method == RiskMethod::logistic ? "km" : "km_random_forest";
    for (const char* ending : {".svg", ".pdf"}) draw_km(args.out / (name + ending), figure);
  }
}

int run(const Args& args, const Session& session) {
  require_sound(args);
  require_gnuplot();
  const Cohort cohort(args.columns, {}, true);
  const auto patients = patients_of(args, cohort);
  FitSummary summary = summarise(args, cohort);
  CovariateTable design = covariates_of(cohort, args.covariates, args.columns);
  summary.imputed = design.missing;
  if (!args.features.empty()) add_features(args, patients, design, summary);
  summary.covariates = design.names;
  const auto fold = patient_folds(patients, labels_at(cohort.outcome(), args.risk.horizon), args.risk.folds, args.risk.seed);
  std::vector<CrossValidation> results;
  std::vector<RiskModel> final_models;
  for (const RiskMethod method : {RiskMethod::logistic, RiskMethod::forest}) {
    results.push_back(cross_validate(method, design.x, cohort.outcome(), fold, args.risk));
    final_models.push_back(train_risk_model(method, design.x, cohort.outcome(), args.risk));
  }
  const auto document = fit_json(summary, results, final_models, patients);
  std::error_code failed;
  fs::create_directories(args.out, failed);
  if (failed) throw InputError(args.out.string() + ": cannot be made (" + failed.message() + ")");
  write_figures(args, results);
  save_model(args.out / "model.json", {final_models[0], design.source, design.level, args.columns.time, args.risk.horizon});
  write_atomically(args.out / "survival.json", document.dump(2) + "\n");
  if (session.json) {
    print_json(document);
  } else {
    std::cout << fit_table(summary, results) << "\nWritten  " << (args.out / "survival.json").string() << ", km.svg, km.pdf, model.json" << std::endl;
  }
  return 0;
}

}  // namespace

void add_survival_fit(CLI::App& parent, Session& session) {
  auto args = std::make_shared<Args>();
  CLI::App* command = add_command(parent, session, "fit", "Risk at a horizon by logistic regression and random forest, cross-validated by patient",
                                  "clmnet survival fit --data cohort.csv --time months --event died --covariates age,sex --missing -999 --horizon 36 -o OUT",
                                  [args, &session] { return run(*args, session); });
  add_outcome_options(*command, args->columns);
  command->add_option("--covariates", args->covariates, "Columns to learn from; those that are not numbers become one term a level")->delimiter(',');
  command->add_option("--horizon", args->risk.horizon, "Time by which the event is predicted")->required()->check(CLI::PositiveNumber);
  command->add_option("-o,--out", args->out, "Folder for survival.json, km.svg, km.pdf, model.json")->required();
  command->add_option("--features", args->features, "Run folder of 'clmnet analyze': add the slides' features");
  command->add_option("--slides", args->slides, "CSV with slide,patient_id for --features");
  command->add_option("--id", args->id, "Column: patient; rows of one patient stay in one fold (default: patient_id or Patient-ID, else each row)");
  command->add_option("--folds", args->risk.folds, "Folds of the cross-validation")->check(CLI::Range(2, 100))->capture_default_str();
  command->add_option("--seed", args->risk.seed, "Seed of folds and forest")->capture_default_str();
  command->add_option("--trees", args->risk.trees, "Trees of the forest")->check(CLI::Range(1, 100000))->capture_default_str();
  command->add_option("--threads", args->risk.threads, "Threads of the forest; 0: all")->check(CLI::Range(0, 1024))->capture_default_str();
  command->add_option("--time-label", args->time_label, "Label of the time axis with its unit (default: the column)");
}

}  // namespace clmnet::tools
