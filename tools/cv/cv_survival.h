#pragma once

#include <filesystem>
#include <functional>
#include <map>
#include <nlohmann/json.hpp>
#include <string>
#include <vector>

#include "survival/outcome.h"
#include "tools/cv/cv_features.h"
#include "tools/survival/cross_validation.h"

namespace clmnet::tools {

/// The survival part of a cross-validation as the command line asks for it; without `file` there is none.
struct ClinicalArgs {
  std::string file, time, event, patient;
  std::vector<std::string> missing, covariates;
  double horizon = 0;  ///< 0: the median of the event times
  int trees = 500;
  bool wanted() const { return !file.empty(); }
};

/// Patients with an outcome and images, sorted by name.
struct ClinicalData {
  std::vector<std::string> patient;
  survival::Outcome outcome;
  Eigen::MatrixXd x;  ///< patients x covariates, NaN where missing
  std::vector<std::string> covariates;
  std::vector<std::pair<std::string, std::size_t>> imputed;
  std::vector<std::string> without_images, without_outcome;  ///< of the CSV; of the manifest
  nlohmann::json cohort;                                     ///< Cohort::report()
  std::string cohort_text, time_name;
  double horizon = 0;
};

/// Reads the CSV and keeps the patients of `with_images`.
/// Throws InputError as Cohort does, when the patient column is missing, a patient stands in two rows, or nobody is in both.
ClinicalData read_clinical(const ClinicalArgs& args, const std::vector<std::string>& with_images);

/// 1 with the event, 0 without, for each patient with an outcome: what folds are stratified by.
std::map<std::string, int> events_of(const ClinicalData& data);

/// Outcomes dealt anew between the patients: a test against leaks.
void permute_outcomes(ClinicalData& data, std::uint64_t seed);

/// Folds of the clinical patients, [repeat][patient], from those of all patients.
using PatientFolds = std::vector<std::map<std::string, int>>;

/// What would stop the survival part after the networks were trained: a training part whose patients with known status at the
/// horizon are all of one kind. Empty when nothing would.
std::vector<std::string> survival_problems(const ClinicalData& data, const PatientFolds& folds);

/// Survival models of every fold: trained on the training patients' features and tested on the others', both made by the networks
/// of that fold, which saw no image of the tested patients.
/// features_of(repeat, fold)   images of all patients by the networks of one fold, from 0
/// Result: results [method x set] and what survival.json holds. Sets: each network, ensemble, with covariates also clinical and
/// both. Methods: logistic regression and random forest.
struct CvSurvival {
  std::vector<CrossValidation> results;
  std::vector<std::string> set_names;
  nlohmann::json document;
};
CvSurvival cross_validate_survival(const ClinicalData& data, const PatientFolds& folds, const ClinicalArgs& args,
                                   std::uint64_t seed, const std::function<CvFeatures(int repeat, int fold)>& features_of,
                                   const std::function<void(std::size_t done, std::size_t total)>& progress);

}  // namespace clmnet::tools
