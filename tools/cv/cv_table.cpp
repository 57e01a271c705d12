#include "tools/cv/cv_table.h"

#include <algorithm>
#include <cmath>
#include <iomanip>
#include <limits>
#include <map>
#include <sstream>

#include "tools/base/atomic_file.h"
#include "tools/base/csv.h"
#include "tools/base/error.h"
#include "tools/stats/mean_interval.h"

namespace clmnet::tools {
namespace {

constexpr double kUndefined = std::numeric_limits<double>::quiet_NaN();

std::string cell_of(double value) {
  if (std::isnan(value)) return {};
  std::ostringstream text;
  text << std::setprecision(9) << value;
  return text.str();
}

double read_cell(const CsvTable& table, std::size_t row, std::size_t column) {
  return table.cell(row, column).empty() ? kUndefined : table.number(row, column);
}

/// The lists of map measures, each with its name in the file and in the file's order.
template <class Table>
auto map_columns(Table& table) {
  std::vector<std::pair<std::string, decltype(&table.map_before_crf.dice)>> list;
  for (const auto& measure : kMapMeasures) {
    for (auto& column : table.columns) list.emplace_back(measure.name + ("_" + column.name), &(column.map.*measure.values));
    list.emplace_back(std::string(measure.name) + "_before_crf", &(table.map_before_crf.*measure.values));
  }
  return list;
}

/// Each list of map measures of two tables with the same columns: act(own, other).
template <class Act>
void with_map_columns(CvTable& own, const CvTable& other, const Act& act) {
  const auto to = map_columns(own);
  const auto from = map_columns(other);
  for (std::size_t k = 0; k < to.size(); ++k) act(*to[k].second, *from[k].second);
}

/// Rows that belong together, in the order in which each group first appears.
struct RowGroups {
  std::vector<std::size_t> first;
  std::vector<std::vector<std::size_t>> rows;
};

template <class Key>
RowGroups rows_by(const CvTable& table, const Key& key) {
  RowGroups groups;
  std::map<std::string, std::size_t> place;
  for (std::size_t i = 0; i < table.rows.size(); ++i) {
    const auto [it, fresh] = place.emplace(key(table.rows[i]), groups.rows.size());
    if (fresh) {
      groups.first.push_back(i);
      groups.rows.emplace_back();
    }
    groups.rows[it->second].push_back(i);
  }
  return groups;
}

template <class Values>
double mean_over(const Values& values, const std::vector<std::size_t>& rows) {
  std::vector<double> picked;
  for (const std::size_t row : rows) picked.push_back(static_cast<double>(values[row]));
  return mean_of_defined(picked);
}

void average_map_columns(CvTable& groups_table, const CvTable& table, const RowGroups& groups) {
  with_map_columns(groups_table, table, [&](auto& to, const auto& from) {
    for (std::size_t i = 0; i < groups.rows.size(); ++i) to[i] = mean_over(from, groups.rows[i]);
  });
}

/// The predictors of a file.
CvTable without_rows(const CsvTable& csv) {
  CvTable table;
  for (const auto& name : csv.columns()) {
    if (name.rfind("prob_", 0) == 0) table.columns.push_back({name.substr(5), {}, {}, {}});
  }
  return table;
}

}  // namespace

CvTable rows_of(const CvTable& table, const std::vector<std::size_t>& rows) {
  CvTable part;
  for (const auto& column : table.columns) part.columns.push_back({column.name, {}, {}, {}});
  with_map_columns(part, table, [&](auto& to, const auto& from) {
    for (const std::size_t i : rows) to.push_back(from.at(i));
  });
  for (const std::size_t i : rows) {
    part.rows.push_back(table.rows[i]);
    for (std::size_t c = 0; c < table.columns.size(); ++c) {
      part.columns[c].probability.push_back(table.columns[c].probability[i]);
      part.columns[c].called.push_back(table.columns[c].called[i]);
    }
  }
  return part;
}

CvTable join_repeats(const CvTable& table) {
  const RowGroups groups = rows_by(table, [](const CvTable::Row& row) { return row.image; });
  CvTable joined = rows_of(table, groups.first);
  average_map_columns(joined, table, groups);
  for (std::size_t i = 0; i < groups.rows.size(); ++i) {
    for (std::size_t c = 0; c < table.columns.size(); ++c) {
      joined.columns[c].probability[i] = mean_over(table.columns[c].probability, groups.rows[i]);
      joined.columns[c].called[i] = mean_over(table.columns[c].called, groups.rows[i]) >= 0.5 ? 1 : 0;
    }
  }
  return joined;
}

CvTable by_patient(const CvTable& table) {
  const RowGroups groups = rows_by(table, [](const CvTable::Row& row) { return row.patient; });
  CvTable patients = rows_of(table, groups.first);
  average_map_columns(patients, table, groups);
  for (std::size_t i = 0; i < groups.rows.size(); ++i) {
    CvTable::Row& patient = patients.rows[i];
    patient.image = std::to_string(groups.rows[i].size());
    for (const std::size_t row : groups.rows[i]) {
      if (table.rows[row].label <= patient.label) continue;
      patient.label = table.rows[row].label;
      patient.diagnosis = table.rows[row].diagnosis;
    }
    for (std::size_t c = 0; c < table.columns.size(); ++c) {
      CvTable::Column& column = patients.columns[c];
      for (const std::size_t row : groups.rows[i]) {
        column.probability[i] = std::max(column.probability[i], table.columns[c].probability[row]);
        column.called[i] = std::max(column.called[i], table.columns[c].called[row]);
      }
    }
  }
  return patients;
}

void append(CvTable& table, const CvTable& more) {
  if (table.columns.empty()) {
    table = more;
    return;
  }
  const auto add = [](auto& to, const auto& from) { to.insert(to.end(), from.begin(), from.end()); };
  add(table.rows, more.rows);
  for (std::size_t c = 0; c < table.columns.size(); ++c) {
    if (table.columns[c].name != more.columns.at(c).name)
      throw InputError("folds of different networks: " + more.columns[c].name);
    add(table.columns[c].probability, more.columns[c].probability);
    add(table.columns[c].called, more.columns[c].called);
  }
  with_map_columns(table, more, add);
}

void write_cv_table(const std::filesystem::path& file, const CvTable& table, const std::string& image_column) {
  std::ostringstream text;
  text << image_column << ",patient_id,diagnosis,tumour,repeat,fold";
  for (const char* what : {"prob_", "called_"}) {
    for (const auto& column : table.columns) text << ',' << what << column.name;
  }
  const auto maps = map_columns(table);
  for (const auto& [name, values] : maps) text << ',' << name;
  text << '\n' << std::setprecision(9);
  for (std::size_t i = 0; i < table.rows.size(); ++i) {
    const auto& row = table.rows[i];
    text << csv_field(row.image) << ',' << csv_field(row.patient) << ',' << csv_field(row.diagnosis) << ',' << row.label << ','
         << row.repeat << ',' << row.fold;
    for (const auto& column : table.columns) text << ',' << column.probability[i];
    for (const auto& column : table.columns) text << ',' << static_cast<int>(column.called[i]);
    for (const auto& [name, values] : maps) text << ',' << cell_of((*values)[i]);
    text << '\n';
  }
  write_atomically(file, text.str());
}

CvTable read_cv_table(const std::filesystem::path& file) {
  const CsvTable csv = CsvTable::read(file);
  CvTable table = without_rows(csv);
  if (table.columns.empty()) throw InputError(file.string() + ": no column 'prob_…'; expected the predictions of a fold");
  const auto number = [&](std::size_t i, const std::string& name) { return csv.number(i, csv.column(name)); };
  for (std::size_t i = 0; i < csv.rows(); ++i) {
    table.rows.push_back({csv.cell(i, csv.column("image")), csv.cell(i, csv.column("patient_id")),
                          csv.cell(i, csv.column("diagnosis")), static_cast<int>(number(i, "tumour")),
                          static_cast<int>(number(i, "repeat")), static_cast<int>(number(i, "fold"))});
    for (auto& column : table.columns) {
      column.probability.push_back(number(i, "prob_" + column.name));
      column.called.push_back(number(i, "called_" + column.name) > 0 ? 1 : 0);
    }
    for (const auto& [name, values] : map_columns(table)) values->push_back(read_cell(csv, i, csv.column(name)));
  }
  return table;
}

std::string missing_cv_column(const std::filesystem::path& file) {
  const CsvTable csv = CsvTable::read(file);
  const CvTable table = without_rows(csv);
  std::vector<std::string> wanted = {"image", "patient_id", "diagnosis", "tumour", "repeat", "fold", "prob_ensemble"};
  for (const auto& column : table.columns) wanted.push_back("called_" + column.name);
  for (const auto& [name, values] : map_columns(table)) wanted.push_back(name);
  for (const auto& name : wanted) {
    if (!csv.find(name)) return name;
  }
  return {};
}

}  // namespace clmnet::tools
