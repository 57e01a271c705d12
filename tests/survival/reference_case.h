#pragma once

#include <cstddef>
#include <filesystem>
#include <nlohmann/json.hpp>
#include <string>
#include <vector>

#include "survival/groups.h"
#include "survival/outcome.h"
#include "tools/base/csv.h"

namespace clmnet::survival::reference {

/// One reference case as a handler sees it: the data and how to read them, not what is expected.
struct Case {
  std::string id;
  std::string method;
  nlohmann::json columns;   ///< role -> column name, list of names, or null
  nlohmann::json settings;
  std::filesystem::path root;  ///< folder that holds cases/ and data/
  CsvTable data;
  /// Of the expected values only what some cases state nowhere else: the lists under 'time' or 'times' (when to evaluate), and
  /// which names stand under 'published', without their values.
  nlohmann::json stated;

  /// The column of a role, empty where the role is absent or null.
  std::string column(const std::string& role) const;
  /// The columns of a role that may be one name or a list; "all but y" and the like mean every other column.
  std::vector<std::string> column_list(const std::string& role) const;
  /// The times under a pointer such as "/efron/baseline/time", empty when the case states none.
  std::vector<double> times_at(const std::string& pointer) const;
  /// Another CSV that the settings name.
  CsvTable table(const std::string& relative_path) const;
};

/// What Case::stated keeps of a case's expected values.
nlohmann::json only_stated(const nlohmann::json& expected);

/// Rows of `table` with a value in each of `columns` (neither empty nor NA); R and the Python libraries drop the others.
std::vector<std::size_t> complete_rows(const CsvTable& table, const std::vector<std::string>& columns);

/// A number; true/false count as 1/0. Throws InputError naming the cell otherwise.
double number_in(const CsvTable& table, std::size_t row, const std::string& column);
std::vector<double> numbers_in(const CsvTable& table, const std::vector<std::size_t>& rows, const std::string& column);
std::vector<std::string> texts_in(const CsvTable& table, const std::vector<std::size_t>& rows, const std::string& column);

/// time, event and, where the case has it, entry.
Outcome outcome_of(const Case& test, const std::vector<std::size_t>& rows);
/// The roles time, event, entry that the case has, for complete_rows.
std::vector<std::string> outcome_columns(const Case& test);

/// NaN and infinity become null.
nlohmann::json number(double value);
nlohmann::json numbers(const std::vector<double>& values);

/// The outcome of comparing what came out with what was expected.
struct Comparison {
  std::size_t compared = 0;
  double worst_relative_error = 0;
  std::vector<std::string> misses;
};

/// By the rule of the reference's check.py: null is 'undefined in the reference' and skipped, every other key must be there,
/// text is equal, lists are of one length, numbers differ by at most abs + rel * |expected|; {mean, sd, n} is a band over seeds,
/// 4 sd + 0.01. Where the tolerance has NAME_rel and that is narrower, it holds under the key NAME; `calibration_rel` also where
/// it is wider.
/// Four things cannot be equal to the last digit and have a rule of their own: means over a bootstrap's seeds (X_mean, 4 X_sd +
/// 0.002) and their scatter; shares of a forest's importance (0.03, order by it); what others printed (`published`, half of the
/// last printed digit); the gradient that is left at an optimum (`max_abs_grad`, at most the reference's).
Comparison compare(const nlohmann::json& expected, const nlohmann::json& actual, const nlohmann::json& tolerance);

}  // namespace clmnet::survival::reference
