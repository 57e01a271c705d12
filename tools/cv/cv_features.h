#pragma once

#include <Eigen/Core>
#include <filesystem>
#include <string>
#include <vector>

namespace clmnet::tools {

/// Features of images by one network or, out of fold, by each image's own; and of patients.
struct CvFeatures {
  using Matrix = Eigen::Matrix<float, Eigen::Dynamic, Eigen::Dynamic, Eigen::RowMajor>;
  struct Part {
    std::string network;              ///< or "ensemble"
    std::int64_t begin = 0, end = 0;  ///< columns
  };
  std::vector<std::string> image, patient;  ///< N
  std::vector<std::int64_t> repeat, fold;   ///< N, from 1: whose networks made the row
  Matrix features;                          ///< N x F
  std::vector<Part> parts;                  ///< networks side by side
};

/// Rows of each patient (of one repeat and fold) become their mean; `image` holds how many there were.
CvFeatures mean_by_patient(const CvFeatures& images);

/// HDF5, whole or absent: `features` float32 [N,F], `image` and `patient_id` fixed-length UTF-8 [N], `repeat` and `fold` int64
/// [N], `part_names`, `part_columns` int64 [K,2]; with `patients` also patient_features [P,F], patients [P], patient_images,
/// patient_repeat and patient_fold. The note of `features` says that columns of different folds are different features.
void write_cv_features(const std::filesystem::path& file, const CvFeatures& images, const CvFeatures* patients = nullptr);
/// The images of such a file. Throws InputError when it is missing, is no such file or its arrays do not fit each other.
CvFeatures read_cv_features(const std::filesystem::path& file);

}  // namespace clmnet::tools
