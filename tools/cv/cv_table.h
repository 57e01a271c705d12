#pragma once

#include <cstdint>
#include <filesystem>
#include <string>
#include <vector>

#include "tools/map_measures.h"

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
    MapMeasures map;                   ///< of the ensemble after the CRF
  };
  std::vector<Row> rows;
  std::vector<Column> columns;  ///< the ensemble first
  MapMeasures map_before_crf;   ///< of the ensemble
};

/// Some rows of a table, in the order given.
CvTable rows_of(const CvTable& table, const std::vector<std::size_t>& rows);

/// One row per image: a probability is the mean over repeats, a call the majority (ties positive), a map measure the mean.
CvTable join_repeats(const CvTable& table);

/// One row per patient of a table without repeats: tumour where one of his images is, as a pathologist reads a case; the
/// probability is that of his most suspicious image, the call positive where one of his images is called. Map measures are means.
/// `image` holds how many images he has.
CvTable by_patient(const CvTable& table);

/// Adds another fold's rows; both must have the same columns.
void append(CvTable& table, const CvTable& more);

/// CSV: image,patient_id,diagnosis,tumour,repeat,fold, then prob_ and called_ of each column, then for each of kMapMeasures its
/// name and _ before each column's, and its name and _before_crf.
/// image_column  the first column's name; "images" for the table of by_patient()
void write_cv_table(const std::filesystem::path& file, const CvTable& table, const std::string& image_column = "image");
/// Throws InputError naming file and column when it is not what write_cv_table writes.
CvTable read_cv_table(const std::filesystem::path& file);

/// The first column that read_cv_table wants and the file lacks, since an older version wrote it; empty when it has all. Throws
/// InputError when the file is no table.
std::string missing_cv_column(const std::filesystem::path& file);

}  // namespace clmnet::tools
