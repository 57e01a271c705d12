#pragma once

#include <nlohmann/json.hpp>
#include <optional>
#include <string>
#include <vector>

#include "nets/training/manifest.h"
#include "tools/cv/cv_args.h"
#include "tools/progress.h"
#include "tools/training_config.h"

namespace clmnet::tools {

/// The images of a cross-validation, its folds and the clinical table.
struct CvData {
  std::vector<nets::ManifestRow> rows;        ///< that are tested, each once a repeat
  std::vector<nets::ManifestRow> train_only;  ///< trained on in every fold
  std::vector<nets::ManifestRow> test;        ///< of other patients, for the final model
  nets::ImageLoader load;                     ///< reads any of them
  std::size_t without_class = 0;              ///< rows left out, since their class is not known
  std::size_t copies = 0;                     ///< images with the same pixels as another one of the same patient
  std::vector<std::vector<int>> folds;        ///< [repeat][row], from 0
  std::optional<ClinicalData> clinical;

  int fold_count() const;
  PatientFolds patient_folds() const;
};

/// Reads all that the command line names, looks for faults and deals the folds. A process of --jobs takes the pixels as sound.
/// Throws InputError that lists every fault at once: missing files, images that cannot be read, masks of another size, the same
/// pixels in two patients, a patient on both sides of a split, classes that a fold or its training part lacks, patients without
/// a fold, survival outcomes that a training part lacks.
CvData read_cv_data(const CvArgs& args, const TrainingSetup& setup, ProgressBar& bar);

/// Rows to train and to validate on in one fold; the split is that of training.
struct FoldRows {
  std::vector<nets::ManifestRow> train, test;
};
FoldRows rows_of_fold(const CvData& data, int repeat, int fold);

/// Training options of one part of the run: every fold and the final model have a seed of their own.
nets::TrainingOptions training_of(const TrainingSetup& setup, std::uint64_t part);
/// Which of a part's rows are trained on and which validate.  Throws InputError as nets::split_by_patient.
nets::Split split_of(const std::vector<nets::ManifestRow>& rows, const TrainingSetup& setup, std::uint64_t part);
std::uint64_t part_of_fold(int repeat, int fold);
inline constexpr std::uint64_t kFinalModelPart = 999999;

/// "split" of metrics.json: per repeat and fold {repeat, fold, trained, validated, tested, tested_tumour, tested_patients}.
nlohmann::json describe_split(const CvData& data, const TrainingSetup& setup);

}  // namespace clmnet::tools
