#pragma once

#include <Eigen/Core>
#include <filesystem>
#include <string>
#include <vector>

namespace clmnet::tools {

/// Slide features of patients: a slide's is the mean over its tiles, a patient's the mean over the slides.
struct PatientFeatures {
  Eigen::MatrixXd x;                          ///< patients x features; NaN for a patient without a slide
  std::vector<std::string> without_slide;     ///< patients of the cohort that no slide belongs to
  std::vector<std::string> without_patient;   ///< slides whose patient is not in the cohort
  std::size_t slides = 0;                     ///< slides that were used
};

/// run        folder of `clmnet analyze`, with <slide>/features.h5
/// manifest   CSV with the columns slide, patient_id; a slide may be named with or without its extension
/// patients   those of the cohort, each once
/// Throws InputError when a file or column is missing, a features.h5 has another number of features than the first, or no
/// slide belongs to a patient of the cohort. In a build without slide support it says so.
PatientFeatures join_features(const std::filesystem::path& run, const std::filesystem::path& manifest, const std::vector<std::string>& patients);

}  // namespace clmnet::tools
