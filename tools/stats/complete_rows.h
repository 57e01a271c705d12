#pragma once

#include <cstdint>
#include <filesystem>
#include <nlohmann/json.hpp>
#include <string>
#include <utility>
#include <vector>

#include "tools/base/csv.h"

namespace clmnet::tools {

/// Empty, blank, NA, NaN, or one of the codes of --missing; numbers compare by value ("-999" is also "-999.0").
bool is_missing(const std::string& cell, const std::vector<std::string>& codes);

/// The rows of a table that have a value in each of the columns that are needed. What is left out is counted per column.
class CompleteRows {
 public:
  /// Throws InputError when a column is not there or no row is left.
  CompleteRows(CsvTable table, std::vector<std::string> codes, const std::vector<std::string>& needed);

  const CsvTable& table() const { return table_; }
  const std::vector<std::size_t>& rows() const { return rows_; }  ///< kept rows of the table
  std::size_t size() const { return rows_.size(); }
  const std::vector<std::string>& codes() const { return codes_; }
  bool missing(std::size_t row, std::size_t column) const;        ///< of the table

  /// Of the kept rows. numbers throws InputError that names the cell that is none and speaks of --missing.
  std::vector<std::string> texts(const std::string& column) const;
  std::vector<double> numbers(const std::string& column) const;
  /// 1 where the cell is `positive`; with "1" as positive also TRUE/FALSE. Throws InputError unless the column holds
  /// `positive` and at most one other value.
  std::vector<std::uint8_t> truth(const std::string& column, const std::string& positive) const;

  /// Leaves out further kept rows, counted under the column's name. keep: one per kept row.
  void leave_out(const std::vector<bool>& keep, const std::string& why);

  /// {file, rows, kept, excluded, missing: {column: n}}
  nlohmann::json report() const;
  /// "194 of 197 rows, 3 left out: age missing in 2, sex missing in 1"
  std::string report_text() const;

 private:
  CsvTable table_;
  std::vector<std::string> codes_;
  std::vector<std::size_t> rows_;
  std::vector<std::pair<std::string, std::size_t>> missing_in_;
  std::vector<std::pair<std::string, std::size_t>> left_out_;
};

}  // namespace clmnet::tools
