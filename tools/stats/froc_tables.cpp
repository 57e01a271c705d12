#include "tools/stats/froc_tables.h"

#include <map>
#include <numeric>

#include "tools/base/error.h"
#include "tools/stats/complete_rows.h"

namespace clmnet::tools {
namespace {

struct CaseLesions {
  std::map<std::string, int> number;   ///< name of a lesion -> from 1
  std::vector<double> weights;
  bool without = false;                ///< a row says that it has none
};

struct Cases {
  std::vector<std::string> order;
  std::map<std::string, CaseLesions> of;
};

bool is_none(const std::string& lesion, const std::vector<std::string>& codes) {
  return is_missing(lesion, codes) || parse_number(lesion) == 0.0;
}

double weight_at(const CsvTable& table, std::size_t row, std::size_t column) {
  const double weight = table.number(row, column);
  if (!(weight > 0)) {
    throw InputError(table.where(row, column) + ": weight " + table.cell(row, column) + ", expected more than 0");
  }
  return weight;
}

Cases read_cases(const FrocColumns& columns, const CompleteRows& rows) {
  const CsvTable& table = rows.table();
  const std::size_t case_column = table.column(columns.case_id), lesion_column = table.column(columns.lesion);
  Cases cases;
  for (const std::size_t row : rows.rows()) {
    const std::string& name = table.cell(row, case_column);
    const std::string& lesion = table.cell(row, lesion_column);
    const auto [at, fresh] = cases.of.try_emplace(name);
    if (fresh) cases.order.push_back(name);
    CaseLesions& own = at->second;
    const bool none = is_none(lesion, columns.missing);
    if (!fresh && (none || own.without)) {
      throw InputError(table.where(row, lesion_column) + ": case '" + name +
                       "' has a row without a lesion and another row; expected either one row without or rows with lesions");
    }
    own.without = none;
    if (none) continue;
    if (!own.number.emplace(lesion, static_cast<int>(own.number.size()) + 1).second) {
      throw InputError(table.where(row, lesion_column) + ": lesion '" + lesion + "' of case '" + name +
                       "' stands twice; name its lesions differently");
    }
    own.weights.push_back(columns.weight.empty() ? 1 : weight_at(table, row, table.column(columns.weight)));
  }
  return cases;
}

std::vector<survival::FrocMark> read_marks(const FrocColumns& columns, const CompleteRows& rows, const Cases& cases) {
  const CsvTable& table = rows.table();
  const std::size_t case_column = table.column(columns.case_id), lesion_column = table.column(columns.lesion);
  const auto rating = rows.numbers(columns.rating);
  const auto text_or_one = [&](const std::string& column, std::size_t row) {
    return column.empty() ? std::string("1") : table.cell(row, table.column(column));
  };
  std::vector<survival::FrocMark> marks;
  for (std::size_t i = 0; i < rows.size(); ++i) {
    const std::size_t row = rows.rows()[i];
    const std::string& name = table.cell(row, case_column);
    const std::string& lesion = table.cell(row, lesion_column);
    const auto found = cases.of.find(name);
    if (found == cases.of.end()) {
      throw InputError(table.where(row, case_column) + ": case '" + name + "' is not in " + columns.lesions.string() +
                       "; list every case there, those without lesions too");
    }
    int number = 0;
    if (!is_none(lesion, columns.missing)) {
      const auto own = found->second.number.find(lesion);
      if (own == found->second.number.end()) {
        throw InputError(table.where(row, lesion_column) + ": lesion '" + lesion + "', case '" + name + "' has " +
                         std::to_string(found->second.number.size()) + " lesions in " + columns.lesions.string() +
                         " and none of that name; a mark that hits nothing has an empty field or 0");
      }
      number = own->second;
    }
    marks.push_back({text_or_one(columns.modality, row), text_or_one(columns.reader, row), name, number, rating[i]});
  }
  return marks;
}

}  // namespace

FrocTables read_froc(const FrocColumns& columns) {
  std::vector<std::string> of_lesions{columns.case_id}, of_marks{columns.case_id, columns.rating};
  for (const auto& column : {columns.modality, columns.reader}) {
    if (!column.empty()) of_marks.push_back(column);
  }
  const CompleteRows lesion_rows(CsvTable::read(columns.lesions), columns.missing, of_lesions);
  const CompleteRows mark_rows(CsvTable::read(columns.marks), columns.missing, of_marks);
  const Cases cases = read_cases(columns, lesion_rows);
  std::vector<survival::FrocCase> list;
  for (const auto& name : cases.order) {
    auto weights = cases.of.at(name).weights;
    const double sum = std::accumulate(weights.begin(), weights.end(), 0.0);
    for (double& weight : weights) weight /= sum;
    list.push_back({name, std::move(weights)});
  }
  FrocTables tables;
  tables.study = survival::make_froc_study(std::move(list), read_marks(columns, mark_rows, cases));
  if (tables.study.lesions() == 0) throw InputError(columns.lesions.string() + ": no case has a lesion, expected at least one");
  tables.marks_report = mark_rows.report();
  tables.lesions_report = lesion_rows.report();
  tables.text = "marks: " + mark_rows.report_text() + "\nlesions: " + lesion_rows.report_text();
  return tables;
}

}  // namespace clmnet::tools
