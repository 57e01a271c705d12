#pragma once

#include <filesystem>
#include <nlohmann/json.hpp>
#include <string>
#include <vector>

#include "survival/froc.h"

namespace clmnet::tools {

/// Where the columns of a free-response study lie; an empty name: the study has one modality, one reader, equal weights.
struct FrocColumns {
  std::filesystem::path marks, lesions;
  std::string case_id = "case", lesion = "lesion", rating = "rating", modality, reader, weight;
  std::vector<std::string> missing;
};

/// The study with what was left out.
struct FrocTables {
  survival::FrocStudy study;
  nlohmann::json marks_report, lesions_report;
  std::string text;   ///< "120 of 121 rows of marks.csv, …"
};

/// lesions: one row a lesion with the case, the lesion's name and its weight; a case without lesions is a row whose lesion is
/// empty or 0. marks: one row a mark with case, lesion that it hits (empty or 0: none), rating. Weights of a case are divided
/// by their sum.
/// Throws InputError that names file, line and column when a lesion stands twice, a case is said to have lesions and none, a
/// mark's case or lesion is unknown, a weight is not positive, or a number is none; and when there is no case with lesions.
FrocTables read_froc(const FrocColumns& columns);

}  // namespace clmnet::tools
