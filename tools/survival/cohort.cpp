#include "tools/survival/cohort.h"

#include <algorithm>
#include <cmath>
#include <limits>
#include <numeric>

#include "survival/groups.h"
#include "tools/base/error.h"

namespace clmnet::tools {
namespace {

constexpr double kNaN = std::numeric_limits<double>::quiet_NaN();

Eigen::MatrixXd read_columns(const CsvTable& table, const std::vector<std::size_t>& rows, const std::vector<std::string>& codes,
                             const std::vector<std::string>& source, const std::vector<std::string>& level) {
  Eigen::MatrixXd x(static_cast<Eigen::Index>(rows.size()), static_cast<Eigen::Index>(source.size()));
  for (std::size_t j = 0; j < source.size(); ++j) {
    const std::size_t column = table.column(source[j]);
    for (std::size_t i = 0; i < rows.size(); ++i) {
      double value = kNaN;
      if (!is_missing(table.cell(rows[i], column), codes)) {
        value = level[j].empty() ? table.number(rows[i], column) : table.cell(rows[i], column) == level[j] ? 1.0 : 0.0;
      }
      x(static_cast<Eigen::Index>(i), static_cast<Eigen::Index>(j)) = value;
    }
  }
  return x;
}

double time_at(const CsvTable& table, std::size_t row, std::size_t column) {
  const double time = table.number(row, column);
  if (time < 0) {
    throw InputError(table.where(row, column) + ": time " + table.cell(row, column) +
                     " is negative, expected 0 or more; if it stands for 'missing' give --missing " + table.cell(row, column));
  }
  return time;
}

std::uint8_t event_at(const CsvTable& table, std::size_t row, std::size_t column) {
  const std::string& cell = table.cell(row, column);
  if (cell == "TRUE" || cell == "True" || cell == "true") return 1;
  if (cell == "FALSE" || cell == "False" || cell == "false") return 0;
  const auto value = parse_number(cell);
  if (!value || (*value != 0 && *value != 1)) {
    throw InputError(table.where(row, column) + ": event '" + cell +
                     "', expected 1 (seen) or 0 (censored); if it stands for 'missing' name it with --missing");
  }
  return *value == 1;
}

std::vector<std::string> with_outcome(const CohortColumns& columns, const std::vector<std::string>& needed) {
  std::vector<std::string> all{columns.time, columns.event};
  if (!columns.entry.empty()) all.push_back(columns.entry);
  all.insert(all.end(), needed.begin(), needed.end());
  return all;
}

}  // namespace

Cohort::Cohort(const CohortColumns& columns, const std::vector<std::string>& needed, bool needs_events)
    : rows_(CsvTable::read(columns.data), columns.missing, with_outcome(columns, needed)) {
  const CsvTable& table = rows_.table();
  const std::size_t time = table.column(columns.time), event = table.column(columns.event);
  for (const std::size_t row : rows_.rows()) {
    outcome_.time.push_back(time_at(table, row, time));
    outcome_.event.push_back(event_at(table, row, event));
    if (columns.entry.empty()) continue;
    const std::size_t entry = table.column(columns.entry);
    outcome_.entry.push_back(table.number(row, entry));
    if (outcome_.entry.back() >= outcome_.time.back()) {
      throw InputError(table.where(row, entry) + ": entry " + table.cell(row, entry) + " is not before the time " +
                       table.cell(row, time));
    }
  }
  if (needs_events && outcome_.events() == 0) {
    throw InputError(table.name() + ": column '" + columns.event + "' has no event (no 1) in " + std::to_string(rows_.size()) +
                     " rows, expected at least one");
  }
}

nlohmann::json Cohort::report() const {
  nlohmann::json report = rows_.report();
  report["events"] = outcome_.events();
  return report;
}

CovariateTable covariates_of(const Cohort& cohort, const std::vector<std::string>& columns, const CohortColumns& outcome) {
  const CsvTable& table = cohort.table();
  CovariateTable result;
  for (const auto& name : columns) {
    const std::size_t column = table.column(name);
    if (name == outcome.time || name == outcome.event) {
      throw InputError(table.name() + ": '" + name + "' is the outcome and cannot be a covariate");
    }
    std::vector<std::string> known;
    bool numeric = true;
    for (const std::size_t row : cohort.rows()) {
      if (cohort.missing(row, column)) continue;
      known.push_back(table.cell(row, column));
      numeric = numeric && parse_number(known.back()).has_value();
    }
    if (known.empty()) throw InputError(table.name() + ": column '" + name + "' has no value in the rows that count");
    if (known.size() < cohort.rows().size()) result.missing.emplace_back(name, cohort.rows().size() - known.size());
    const auto levels = numeric ? std::vector<std::string>{"", ""} : survival::make_groups(known).labels;
    for (std::size_t k = 1; k < std::max<std::size_t>(levels.size(), 2); ++k) {
      if (!numeric && k >= levels.size()) break;
      result.names.push_back(numeric ? name : name + "=" + levels[k]);
      result.source.push_back(name);
      result.level.push_back(numeric ? "" : levels[k]);
    }
  }
  result.x = read_columns(table, cohort.rows(), cohort.codes(), result.source, result.level);
  return result;
}

Eigen::MatrixXd covariates_of_new(const CsvTable& table, const std::vector<std::string>& missing,
                                  const std::vector<std::string>& source, const std::vector<std::string>& level) {
  std::vector<std::size_t> rows(table.rows());
  std::iota(rows.begin(), rows.end(), std::size_t{0});
  return read_columns(table, rows, missing, source, level);
}

}  // namespace clmnet::tools
