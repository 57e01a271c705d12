#pragma once

#include <cstdint>
#include <filesystem>
#include <string>
#include <vector>

#include "nets/training/manifest.h"
#include "tools/evaluation.h"

namespace clmnet::tools {

/// Out-of-fold predictions: one row per image and repeat, each by networks that saw no image of its patient.
struct CvTable {
  struct Row {
    std::string image, patient, diagnosis;
    int label = 0;
    int repeat = 1, fold = 1;  ///< from 1
  };
  struct Column {
    std::string name;                  ///< "ensemble" or a network
    std::vector<double> probability;   ///< of tumour
    std::vector<std::uint8_t> called;  ///< 1 where the fold's own threshold makes it tumour
    std::vector<double> dice;          ///< NaN without a known mask that holds tumour
  };
  std::vector<Row> rows;
  std::vector<Column> columns;        ///< the ensemble first
  std::vector<double> dice_before_crf;       ///< of the ensemble, whose dice is after it
};

/// The table of one fold from its predictions.
CvTable make_cv_table(const std::vector<nets::ManifestRow>& rows, const std::vector<Predictor>& predictors, int repeat, int fold);

/// Adds another fold's rows; both must have the same columns.
void append(CvTable& table, const CvTable& more);

/// CSV: image,patient_id,diagnosis,tumour,repeat,fold, then prob_, called_, dice_ of each column and dice_before_crf.
void write_cv_table(const std::filesystem::path& file, const CvTable& table);
/// Throws InputError naming file and column when it is not what write_cv_table writes.
CvTable read_cv_table(const std::filesystem::path& file);

}  // namespace clmnet::tools
