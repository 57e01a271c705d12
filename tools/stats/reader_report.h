#pragma once

#include <CLI/CLI.hpp>
#include <nlohmann/json.hpp>
#include <string>

#include "survival/mrmc.h"

namespace clmnet::tools {

/// Which of the analyses a study was planned for; the others are reported beside it.
struct ReaderModel {
  std::string readers = "random", cases = "random";  ///< random or fixed
  bool random_readers() const { return readers == "random"; }
  bool random_cases() const { return cases == "random"; }
};
/// --readers and --cases.
void add_model_options(CLI::App& command, ReaderModel& model);
/// Throws CLI::ValidationError, wrong usage, where nothing is random.
void require_something_random(const ReaderModel& model);
/// "random readers, random cases"
std::string name_of(const ReaderModel& model);

/// One reader under one modality with its error.
nlohmann::json readings_json(const std::vector<std::string>& modalities, const std::vector<std::string>& readers,
                             const Eigen::MatrixXd& merit, const Eigen::MatrixXd& covariance, double level);
std::string readings_text(const std::vector<std::string>& modalities, const std::vector<std::string>& readers,
                          const Eigen::MatrixXd& merit, const Eigen::MatrixXd& covariance, double level, const std::string& name);

/// All three analyses of Obuchowski and Rockette.
nlohmann::json or_json(const survival::ObuchowskiRockette& result, const std::vector<std::string>& modalities);
/// The planned one with differences and single modalities, then the two others in a line each.
std::string or_text(const survival::ObuchowskiRockette& result, const std::vector<std::string>& modalities,
                    const ReaderModel& model);

nlohmann::json dbm_json(const survival::DorfmanBerbaumMetz& result);
std::string dbm_text(const survival::DorfmanBerbaumMetz& result);

}  // namespace clmnet::tools
