#pragma once

#include <Eigen/Core>
#include <cstddef>
#include <filesystem>
#include <nlohmann/json.hpp>
#include <string>
#include <vector>

#include "survival/outcome.h"
#include "tools/base/csv.h"
#include "tools/stats/complete_rows.h"

namespace clmnet::tools {

/// Where the outcome lies in a table and what stands for 'missing' beside an empty field and NA.
struct CohortColumns {
  std::filesystem::path data;
  std::string time, event;
  std::string entry;                  ///< empty: everyone from the start
  std::vector<std::string> missing;   ///< as --missing: numbers compare by value ("-999" is also "-999.0")
};

/// Patients of a CSV with a known outcome. Who lacks a value is counted per column, never silently dropped.
class Cohort {
 public:
  /// Keeps the rows that have time, event and each of `needed`.
  /// Throws InputError when a column is missing, a time is negative or no number, an event is not 0 or 1, no row is left, or
  /// nobody has an event and `needs_events`.
  Cohort(const CohortColumns& columns, const std::vector<std::string>& needed, bool needs_events);

  const CsvTable& table() const { return rows_.table(); }
  const std::vector<std::size_t>& rows() const { return rows_.rows(); }   ///< kept rows of the table
  const survival::Outcome& outcome() const { return outcome_; }           ///< of the kept rows
  const std::vector<std::string>& codes() const { return rows_.codes(); }
  bool missing(std::size_t row, std::size_t column) const { return rows_.missing(row, column); }   ///< of the table
  std::vector<std::string> texts(const std::string& column) const { return rows_.texts(column); }  ///< of the kept rows
  /// CompleteRows' report with the number of events.
  nlohmann::json report() const;
  std::string report_text() const { return rows_.report_text(); }

 private:
  CompleteRows rows_;
  survival::Outcome outcome_;
};

/// Covariates of the kept rows: numbers as they are, other columns as 0/1 columns "name=level" against the first level.
/// A missing value is NaN in each column that it touches.
struct CovariateTable {
  std::vector<std::string> names;
  Eigen::MatrixXd x;                        ///< kept rows x names
  std::vector<std::string> source;          ///< per name, the column of the CSV
  std::vector<std::string> level;           ///< per name, empty for a number
  std::vector<std::pair<std::string, std::size_t>> missing;  ///< column, how many kept rows lack it
};
/// Throws InputError when a column is absent, is the outcome itself, or has no value at all.
CovariateTable covariates_of(const Cohort& cohort, const std::vector<std::string>& columns, const CohortColumns& outcome);
/// The columns as a fitted model knows them, of every row of a table; what is missing is NaN.
/// Throws InputError when a column is absent or a cell that should be a number is none.
Eigen::MatrixXd covariates_of_new(const CsvTable& table, const std::vector<std::string>& missing,
                                  const std::vector<std::string>& source, const std::vector<std::string>& level);

}  // namespace clmnet::tools
