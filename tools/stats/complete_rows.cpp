#include "tools/stats/complete_rows.h"

#include <algorithm>
#include <set>

#include "tools/base/error.h"

namespace clmnet::tools {
namespace {

std::string listed(const std::set<std::string>& values) {
  std::string text;
  std::size_t shown = 0;
  for (const auto& value : values) {
    if (++shown > 5) return text + ", …";
    text += (text.empty() ? "'" : ", '") + value + "'";
  }
  return text;
}

/// "1.0", "1" and TRUE are one value, so that what a spreadsheet made of a 0/1 column is read.
std::string plain(const std::string& cell) {
  if (cell == "TRUE" || cell == "True" || cell == "true") return "1";
  if (cell == "FALSE" || cell == "False" || cell == "false") return "0";
  const auto value = parse_number(cell);
  if (!value) return cell;
  const auto whole = static_cast<long long>(*value);
  return static_cast<double>(whole) == *value && std::abs(*value) < 1e15 ? std::to_string(whole) : cell;
}

}  // namespace

bool is_missing(const std::string& cell, const std::vector<std::string>& codes) {
  if (cell.find_first_not_of(" \t") == std::string::npos || cell == "NA" || cell == "NaN" || cell == "nan") return true;
  for (const auto& code : codes) {
    if (cell == code) return true;
    const auto value = parse_number(cell), missing = parse_number(code);
    if (value && missing && *value == *missing) return true;
  }
  return false;
}

CompleteRows::CompleteRows(CsvTable table, std::vector<std::string> codes, const std::vector<std::string>& needed)
    : table_(std::move(table)), codes_(std::move(codes)) {
  std::vector<std::size_t> columns;
  for (const auto& name : needed) {
    const std::size_t column = table_.column(name);
    if (std::find(columns.begin(), columns.end(), column) == columns.end()) columns.push_back(column);
  }
  std::vector<std::size_t> lacking(columns.size(), 0);
  for (std::size_t row = 0; row < table_.rows(); ++row) {
    bool whole = true;
    for (std::size_t k = 0; k < columns.size(); ++k) {
      if (!missing(row, columns[k])) continue;
      ++lacking[k];
      whole = false;
    }
    if (whole) rows_.push_back(row);
  }
  for (std::size_t k = 0; k < columns.size(); ++k) {
    if (lacking[k] > 0) missing_in_.emplace_back(table_.columns()[columns[k]], lacking[k]);
  }
  if (!rows_.empty()) return;
  std::string names;
  for (const auto& name : needed) names += (names.empty() ? "'" : ", '") + name + "'";
  throw InputError(table_.name() + ": no row has a value in each of " + names + "; " + report_text());
}

bool CompleteRows::missing(std::size_t row, std::size_t column) const { return is_missing(table_.cell(row, column), codes_); }

std::vector<std::string> CompleteRows::texts(const std::string& column) const {
  std::vector<std::string> result;
  const std::size_t position = table_.column(column);
  for (const std::size_t row : rows_) result.push_back(table_.cell(row, position));
  return result;
}

std::vector<double> CompleteRows::numbers(const std::string& column) const {
  std::vector<double> result;
  const std::size_t position = table_.column(column);
  for (const std::size_t row : rows_) {
    const auto value = parse_number(table_.cell(row, position));
    if (!value) {
      throw InputError(table_.where(row, position) + ": '" + table_.cell(row, position) +
                       "' is not a number; if it stands for 'missing' name it with --missing");
    }
    result.push_back(*value);
  }
  return result;
}

std::vector<std::uint8_t> CompleteRows::truth(const std::string& column, const std::string& positive) const {
  const std::size_t position = table_.column(column);
  const std::string wanted = plain(positive);
  std::set<std::string> others;
  std::vector<std::uint8_t> result;
  for (const std::size_t row : rows_) {
    const std::string value = plain(table_.cell(row, position));
    result.push_back(value == wanted);
    if (value == wanted) continue;
    others.insert(value);
    if (others.size() > 1) {
      throw InputError(table_.where(row, position) + ": truth '" + table_.cell(row, position) + "', found so far " +
                       listed(others) + " beside the positive '" + positive +
                       "'; expected two values (--positive names the positive one, --missing what is no value)");
    }
  }
  if (std::find(result.begin(), result.end(), 1) == result.end()) {
    throw InputError(table_.name() + ": column '" + column + "' has no '" + positive + "' (positive), found " + listed(others) +
                     "; give --positive");
  }
  return result;
}

void CompleteRows::leave_out(const std::vector<bool>& keep, const std::string& why) {
  std::vector<std::size_t> kept;
  for (std::size_t i = 0; i < rows_.size(); ++i) {
    if (keep[i]) kept.push_back(rows_[i]);
  }
  if (kept.size() < rows_.size()) left_out_.emplace_back(why, rows_.size() - kept.size());
  rows_ = std::move(kept);
}

nlohmann::json CompleteRows::report() const {
  nlohmann::json columns = nlohmann::json::object();
  for (const auto& [name, count] : missing_in_) columns[name] = count;
  nlohmann::json result = {{"file", table_.name()},
                           {"rows", table_.rows()},
                           {"kept", rows_.size()},
                           {"excluded", table_.rows() - rows_.size()},
                           {"missing", columns}};
  for (const auto& [why, count] : left_out_) result["left_out"][why] = count;
  return result;
}

std::string CompleteRows::report_text() const {
  std::string text = std::to_string(rows_.size()) + " of " + std::to_string(table_.rows()) + " rows";
  if (rows_.size() < table_.rows()) text += ", " + std::to_string(table_.rows() - rows_.size()) + " left out:";
  const char* separator = " ";
  for (const auto& [name, count] : missing_in_) {
    text += separator + name + " missing in " + std::to_string(count);
    separator = ", ";
  }
  for (const auto& [why, count] : left_out_) {
    text += separator + std::to_string(count) + " " + why;
    separator = ", ";
  }
  return text;
}

}  // namespace clmnet::tools
