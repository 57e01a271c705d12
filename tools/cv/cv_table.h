#pragma once

#include <cstdint>
#include <filesystem>
#include <string>
#include <vector>

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
  std::vector<Column> columns;          ///< the ensemble first
  std::vector<double> dice_before_crf;  ///< of the ensemble, whose dice is after it
};

/// Some rows of a table, in the order given.
CvTable rows_of(const CvTable& table, const std::vector<std::size_t>& rows);

/// One row per image: a probability is the mean over repeats, a call the majority (ties positive), a Dice the mean.
CvTable join_repeats(const CvTable& table);

/// One row per patient of a table without repeats: tumour where one of his images is, as a pathologist reads a case; the
/// probability is that of his most suspicious image, the call positive where one of his images is called. Dice is the mean.
/// `image` holds how many images he has.
CvTable by_patient(const CvTable& table);

/// Adds another fold's rows; both must have the same columns.
void append(CvTable& table, const CvTable& more);

/// CSV: image,patient_id,diagnosis,tumour,repeat,fold, then prob_, called_, dice_ of each column and dice_before_crf.
/// image_column  the first column's name; "images" for the table of by_patient()
void write_cv_table(const std::filesystem::path& file, const CvTable& table, const std::string& image_column = "image");
/// Throws InputError naming file and column when it is not what write_cv_table writes.
CvTable read_cv_table(const std::filesystem::path& file);

}  // namespace clmnet::tools
