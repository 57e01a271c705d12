#include "tools/cv/cv_survival.h"

#include <algorithm>
#include <set>

#include "survival/multiple_tests.h"
#include "survival/random.h"
#include "tools/base/error.h"
#include "tools/cv/cv_summary.h"
#include "tools/survival/cohort.h"
#include "tools/survival/fit_report.h"

namespace clmnet::tools {
using nlohmann::json;

namespace {

constexpr RiskMethod kMethods[] = {RiskMethod::logistic, RiskMethod::forest};
constexpr int kComparisonResamples = 1000;
constexpr const char* kNested =
    "The networks of each fold made the features of its training and of its test patients; a patient's features are the mean "
    "over his images. Survival models of a fold learned from its training patients alone and were applied once to its test "
    "patients, of whom neither the networks nor the models had seen anything. Features of training patients come from networks "
    "that were trained on these very patients, those of test patients from networks that were not.";

std::string patient_column(const ClinicalArgs& args, const CsvTable& table) {
  if (!args.patient.empty()) {
    table.column(args.patient);
    return args.patient;
  }
  for (const char* name : {"patient_id", "Patient-ID", "patient", "bcr_patient_barcode"}) {
    if (table.find(name)) return name;
  }
  throw InputError(args.file +
                   ": no column says who the patient is; name it with --patient, values as patient_id in the manifest");
}

/// Columns of the design that each model may use; clinical ones come first.
std::vector<FeatureSet> sets_of(const std::vector<CvFeatures::Part>& parts, Eigen::Index clinical, Eigen::Index features) {
  const auto columns = [](Eigen::Index from, Eigen::Index to) {
    std::vector<Eigen::Index> list;
    for (Eigen::Index j = from; j < to; ++j) list.push_back(j);
    return list;
  };
  std::vector<FeatureSet> sets;
  for (const auto& part : parts) sets.push_back({part.network, columns(clinical + part.begin, clinical + part.end)});
  if (parts.size() > 1) sets.push_back({"ensemble", columns(clinical, clinical + features)});
  if (clinical > 0) {
    sets.push_back({"clinical", columns(0, clinical)});
    sets.push_back({"both", columns(0, clinical + features)});
  }
  return sets;
}

/// What every model of one fold learns from and is tested on: patients x (clinical, features).
Eigen::MatrixXd design_of(const ClinicalData& data, const CvFeatures& images) {
  const CvFeatures patients = mean_by_patient(images);
  std::map<std::string, Eigen::Index> row_of;
  for (std::size_t i = 0; i < patients.patient.size(); ++i) row_of[patients.patient[i]] = static_cast<Eigen::Index>(i);
  Eigen::MatrixXd x(static_cast<Eigen::Index>(data.patient.size()), data.x.cols() + images.features.cols());
  x.leftCols(data.x.cols()) = data.x;
  for (std::size_t i = 0; i < data.patient.size(); ++i) {
    const auto row = row_of.find(data.patient[i]);
    if (row == row_of.end())
      throw InputError("patient '" + data.patient[i] +
                       "' has no features in a fold's features.h5; remove that file, the same command makes it anew");
    x.row(static_cast<Eigen::Index>(i)).tail(images.features.cols()) = patients.features.row(row->second).cast<double>();
  }
  return x;
}

std::vector<int> folds_of(const ClinicalData& data, const std::map<std::string, int>& fold_of_patient) {
  std::vector<int> folds;
  for (const auto& patient : data.patient) folds.push_back(fold_of_patient.at(patient));
  return folds;
}

int fold_count(const PatientFolds& folds) {
  int count = 0;
  for (const auto& [patient, fold] : folds.front()) count = std::max(count, fold + 1);
  return count;
}

FitSummary summary_of(const ClinicalData& data, const RiskOptions& options) {
  FitSummary summary;
  summary.cohort = data.cohort;
  summary.cohort_text = data.cohort_text;
  summary.covariates = data.covariates;
  summary.imputed = data.imputed;
  summary.features = {{"pooling", "mean over images"},
                      {"patients_without_images", data.without_images},
                      {"patients_without_outcome", data.without_outcome}};
  summary.options = options;
  summary.rows = summary.patients = data.patient.size();
  summary.events = data.outcome.events();
  summary.time_name = data.time_name;
  summary.resamples = kComparisonResamples;
  for (const int label : labels_at(data.outcome, options.horizon))
    ++(label == 1 ? summary.events_by_horizon : label == 0 ? summary.beyond_horizon : summary.censored_before);
  return summary;
}

/// The ensemble against every other set, by the same method; p of the log-rank tests and of the comparisons after Holm.
void add_comparisons(json& document, const std::vector<CrossValidation>& results,
                     const std::vector<RiskComparison>& comparisons) {
  std::vector<double> log_rank, auc;
  for (const auto& result : results) log_rank.push_back(result.test.p);
  for (const auto& one : comparisons) auc.push_back(one.auc_p);
  const auto log_rank_holm = survival::holm(log_rank), auc_holm = survival::holm(auc);
  for (std::size_t i = 0; i < results.size(); ++i) document["models"][i]["log_rank"]["p_holm"] = json_number(log_rank_holm[i]);
  for (std::size_t i = 0; i < comparisons.size(); ++i) document["comparisons"][i]["auc"]["p_holm"] = json_number(auc_holm[i]);
}

}  // namespace

ClinicalData read_clinical(const ClinicalArgs& args, const std::vector<std::string>& with_images) {
  if (args.time.empty() || args.event.empty())
    throw InputError("--clinical needs --time and --event, the columns of " + args.file + " with the outcome");
  CohortColumns columns;
  columns.data = args.file;
  columns.time = args.time;
  columns.event = args.event;
  columns.missing = args.missing;
  const Cohort cohort(columns, {}, true);
  const std::vector<std::string> names = cohort.texts(patient_column(args, cohort.table()));
  const CovariateTable covariates = covariates_of(cohort, args.covariates, columns);
  const std::set<std::string> imaged(with_images.begin(), with_images.end());
  std::map<std::string, Eigen::Index> rows;  // sorted, so that the order of the CSV decides nothing
  ClinicalData data;
  for (std::size_t i = 0; i < names.size(); ++i) {
    if (!rows.emplace(names[i], static_cast<Eigen::Index>(i)).second) {
      throw InputError(args.file + ": patient '" + names[i] + "' stands in two rows; expected one row a patient");
    }
    if (!imaged.contains(names[i])) data.without_images.push_back(names[i]);
  }
  for (const auto& name : imaged) {
    if (!rows.contains(name)) data.without_outcome.push_back(name);
  }
  std::vector<Eigen::Index> kept;
  for (const auto& [name, row] : rows) {
    if (!imaged.contains(name)) continue;
    kept.push_back(row);
    data.patient.push_back(name);
  }
  if (kept.empty()) {
    throw InputError(args.file + ": none of its " + std::to_string(names.size()) +
                     " patients has images in a manifest that is cross-validated (there: '" +
                     (with_images.empty() ? std::string() : with_images.front()) + "', here: '" + names.front() +
                     "'); --patient names the column");
  }
  data.outcome = pick(cohort.outcome(), kept);
  if (data.outcome.events() == 0) throw InputError(args.file + ": nobody with images had the event, expected some");
  data.x = covariates.x(kept, Eigen::all);
  data.covariates = covariates.names;
  data.imputed = covariates.missing;
  data.cohort = cohort.report();
  data.cohort_text = cohort.report_text();
  data.time_name = args.time;
  data.horizon = args.horizon > 0 ? args.horizon : median_event_time(data.outcome);
  return data;
}

std::map<std::string, int> events_of(const ClinicalData& data) {
  std::map<std::string, int> events;
  for (std::size_t i = 0; i < data.patient.size(); ++i) events[data.patient[i]] = data.outcome.event[i];
  return events;
}

void permute_outcomes(ClinicalData& data, std::uint64_t seed) {
  survival::Random random(seed, 29);
  std::vector<Eigen::Index> order(data.patient.size());
  for (std::size_t i = 0; i < order.size(); ++i) order[i] = static_cast<Eigen::Index>(i);
  for (std::size_t k = order.size(); k > 1; --k) std::swap(order[k - 1], order[random.below(static_cast<std::uint32_t>(k))]);
  data.outcome = pick(data.outcome, order);
}

std::vector<std::string> survival_problems(const ClinicalData& data, const PatientFolds& folds) {
  std::vector<std::string> problems;
  const auto label = labels_at(data.outcome, data.horizon);
  for (std::size_t repeat = 0; repeat < folds.size(); ++repeat) {
    const auto fold = folds_of(data, folds[repeat]);
    for (int f = 0; f < fold_count(folds); ++f) {
      std::size_t with = 0, without = 0;
      for (const auto row : rows_where(fold, f, false)) {
        with += label[static_cast<std::size_t>(row)] == 1;
        without += label[static_cast<std::size_t>(row)] == 0;
      }
      if (with > 0 && without > 0) continue;
      problems.push_back("survival, repeat " + std::to_string(repeat + 1) + ", fold " + std::to_string(f + 1) + ": " +
                         std::to_string(with) + " training patients had the event by the horizon " + number_text(data.horizon) +
                         " and " + std::to_string(without) + " outlived it; both are needed, give another --horizon");
    }
  }
  return problems;
}

CvSurvival cross_validate_survival(const ClinicalData& data, const PatientFolds& folds, const ClinicalArgs& args,
                                   std::uint64_t seed, const std::function<CvFeatures(int, int)>& features_of,
                                   const std::function<void(std::size_t, std::size_t)>& progress) {
  RiskOptions options;
  options.horizon = data.horizon;
  options.folds = fold_count(folds);
  options.repeats = static_cast<int>(folds.size());
  options.seed = seed;
  options.trees = args.trees;
  std::vector<Eigen::MatrixXd> designs;  // repeat by repeat
  std::vector<std::vector<int>> fold_of_patient;
  std::vector<FeatureSet> sets;
  for (int repeat = 0; repeat < options.repeats; ++repeat) {
    fold_of_patient.push_back(folds_of(data, folds[static_cast<std::size_t>(repeat)]));
    for (int fold = 0; fold < options.folds; ++fold) {
      const CvFeatures images = features_of(repeat, fold);
      if (sets.empty()) sets = sets_of(images.parts, data.x.cols(), images.features.cols());
      designs.push_back(design_of(data, images));
    }
  }
  const auto nested = [&](std::size_t repeat, int fold) -> const Eigen::MatrixXd& {
    return designs[repeat * static_cast<std::size_t>(options.folds) + static_cast<std::size_t>(fold)];
  };
  CvSurvival out;
  std::vector<RiskComparison> comparisons;
  for (const auto& set : sets) out.set_names.push_back(set.name);
  for (const RiskMethod method : kMethods) {
    const std::size_t first = out.results.size();
    for (const auto& set : sets) {
      progress(out.results.size(), std::size(kMethods) * sets.size());
      out.results.push_back(cross_validate(method, set, nested, data.outcome, fold_of_patient, options,
                                           "the folds are kept; the same command goes on"));
    }
    const auto ensemble = std::find(out.set_names.begin(), out.set_names.end(), "ensemble");
    for (std::size_t k = 0; ensemble != out.set_names.end() && k < sets.size(); ++k) {
      const auto own = static_cast<std::size_t>(ensemble - out.set_names.begin());
      if (k == own) continue;
      comparisons.push_back(compare_risks(out.results[first + own], out.results[first + k], data.outcome, data.patient,
                                          options.horizon, kComparisonResamples, seed));
      comparisons.back().first += std::string(" ") + key_of(method);
    }
  }
  out.document = fit_json(summary_of(data, options), out.results, comparisons, data.patient, nullptr);
  out.document["nested"] = kNested;
  add_comparisons(out.document, out.results, comparisons);
  return out;
}

}  // namespace clmnet::tools
