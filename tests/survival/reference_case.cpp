#include "tests/survival/reference_case.h"

#include <algorithm>
#include <cmath>
#include <limits>
#include <set>

#include "tools/base/error.h"

namespace clmnet::survival::reference {
namespace {

bool missing(const std::string& cell) { return cell.empty() || cell == "NA" || cell == "NaN" || cell == "nan"; }

double truth_value(const std::string& cell) {
  if (cell == "TRUE" || cell == "True" || cell == "true") return 1;
  if (cell == "FALSE" || cell == "False" || cell == "false") return 0;
  return std::numeric_limits<double>::quiet_NaN();
}

}  // namespace

std::string Case::column(const std::string& role) const {
  const auto found = columns.find(role);
  return found == columns.end() || found->is_null() ? "" : found->get<std::string>();
}

std::vector<std::string> Case::column_list(const std::string& role) const {
  const auto found = columns.find(role);
  if (found == columns.end() || found->is_null()) return {};
  if (found->is_array()) return found->get<std::vector<std::string>>();
  const auto text = found->get<std::string>();
  if (data.find(text)) return {text};
  if (!text.starts_with("all")) return {text};
  std::set<std::string> other;
  for (const auto& [name, value] : columns.items()) {
    if (name == role) continue;
    if (value.is_string()) other.insert(value.get<std::string>());
    if (value.is_array()) other.insert(value.begin(), value.end());
  }
  std::vector<std::string> rest;
  for (const auto& name : data.columns()) {
    if (!other.contains(name)) rest.push_back(name);
  }
  return rest;
}

CsvTable Case::table(const std::string& relative_path) const { return CsvTable::read(root / relative_path); }

std::vector<double> Case::times_at(const std::string& pointer) const {
  const nlohmann::json::json_pointer where(pointer);
  return stated.contains(where) ? stated.at(where).get<std::vector<double>>() : std::vector<double>{};
}

nlohmann::json only_stated(const nlohmann::json& expected) {
  nlohmann::json kept = nlohmann::json::object();
  if (!expected.is_object()) return kept;
  for (const auto& [key, value] : expected.items()) {
    if ((key == "time" || key == "times") && value.is_array()) kept[key] = value;
    if (key == "published" && value.is_object()) {
      for (const auto& [name, printed] : value.items()) kept[key][name] = nullptr;
    } else if (value.is_object()) {
      kept[key] = only_stated(value);
    }
  }
  return kept;
}

std::vector<std::size_t> complete_rows(const CsvTable& table, const std::vector<std::string>& columns) {
  std::vector<std::size_t> positions, rows;
  for (const auto& name : columns) {
    if (!name.empty()) positions.push_back(table.column(name));
  }
  for (std::size_t row = 0; row < table.rows(); ++row) {
    if (std::none_of(positions.begin(), positions.end(), [&](std::size_t c) { return missing(table.cell(row, c)); })) {
      rows.push_back(row);
    }
  }
  return rows;
}

double number_in(const CsvTable& table, std::size_t row, const std::string& column) {
  const std::size_t position = table.column(column);
  const double truth = truth_value(table.cell(row, position));
  return std::isnan(truth) ? table.number(row, position) : truth;
}

std::vector<double> numbers_in(const CsvTable& table, const std::vector<std::size_t>& rows, const std::string& column) {
  std::vector<double> values;
  for (const std::size_t row : rows) values.push_back(number_in(table, row, column));
  return values;
}

std::vector<std::string> texts_in(const CsvTable& table, const std::vector<std::size_t>& rows, const std::string& column) {
  std::vector<std::string> values;
  const std::size_t position = table.column(column);
  for (const std::size_t row : rows) values.push_back(table.cell(row, position));
  return values;
}

std::vector<std::string> outcome_columns(const Case& test) {
  std::vector<std::string> names;
  for (const char* role : {"time", "event", "entry", "start"}) {
    if (const auto name = test.column(role); !name.empty()) names.push_back(name);
  }
  return names;
}

Outcome outcome_of(const Case& test, const std::vector<std::size_t>& rows) {
  Outcome outcome;
  outcome.time = numbers_in(test.data, rows, test.column("time"));
  for (const double event : numbers_in(test.data, rows, test.column("event"))) {
    if (event != 0 && event != 1) throw InputError(test.id + ": event " + std::to_string(event) + ", expected 0 or 1");
    outcome.event.push_back(event == 1);
  }
  for (const char* role : {"entry", "start"}) {
    if (const auto name = test.column(role); !name.empty()) outcome.entry = numbers_in(test.data, rows, name);
  }
  return outcome;
}

nlohmann::json number(double value) { return std::isfinite(value) ? nlohmann::json(value) : nlohmann::json(); }

nlohmann::json numbers(const std::vector<double>& values) {
  nlohmann::json list = nlohmann::json::array();
  for (const double value : values) list.push_back(number(value));
  return list;
}

}  // namespace clmnet::survival::reference
