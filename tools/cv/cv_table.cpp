#include "tools/cv/cv_table.h"

#include <cmath>
#include <iomanip>
#include <limits>
#include <sstream>

#include "tools/base/atomic_file.h"
#include "tools/base/csv.h"
#include "tools/base/error.h"

namespace clmnet::tools {
namespace {

constexpr double kNoDice = std::numeric_limits<double>::quiet_NaN();

std::string dice_cell(double dice) {
  if (std::isnan(dice)) return {};
  std::ostringstream text;
  text << std::setprecision(9) << dice;
  return text.str();
}

double read_dice(const CsvTable& table, std::size_t row, std::size_t column) {
  return table.cell(row, column).empty() ? kNoDice : table.number(row, column);
}

}  // namespace

CvTable make_cv_table(const std::vector<nets::ManifestRow>& rows, const std::vector<Predictor>& predictors, int repeat, int fold) {
  CvTable table;
  for (const auto& row : rows) table.rows.push_back({row.image.string(), row.patient, row.diagnosis, row.label, repeat, fold});
  for (const auto& predictor : predictors) {
    CvTable::Column column{predictor.name, predictor.probability, {}, predictor.dice};
    for (const double p : predictor.probability) column.called.push_back(p >= predictor.class_threshold ? 1 : 0);
    table.columns.push_back(std::move(column));
  }
  table.dice_before_crf = predictors.front().dice_before_crf;
  return table;
}

void append(CvTable& table, const CvTable& more) {
  if (table.columns.empty()) {
    table = more;
    return;
  }
  const auto add = [](auto& to, const auto& from) { to.insert(to.end(), from.begin(), from.end()); };
  add(table.rows, more.rows);
  add(table.dice_before_crf, more.dice_before_crf);
  for (std::size_t c = 0; c < table.columns.size(); ++c) {
    if (table.columns[c].name != more.columns.at(c).name) throw InputError("folds of different networks: " + more.columns[c].name);
    add(table.columns[c].probability, more.columns[c].probability);
    add(table.columns[c].called, more.columns[c].called);
    add(table.columns[c].dice, more.columns[c].dice);
  }
}

void write_cv_table(const std::filesystem::path& file, const CvTable& table) {
  std::ostringstream text;
  text << "image,patient_id,diagnosis,tumour,repeat,fold";
  for (const char* what : {"prob_", "called_", "dice_"}) {
    for (const auto& column : table.columns) text << ',' << what << column.name;
  }
  text << ",dice_before_crf\n" << std::setprecision(9);
  for (std::size_t i = 0; i < table.rows.size(); ++i) {
    const auto& row = table.rows[i];
    text << csv_field(row.image) << ',' << csv_field(row.patient) << ',' << csv_field(row.diagnosis) << ',' << row.label << ','
         << row.repeat << ',' << row.fold;
    for (const auto& column : table.columns) text << ',' << column.probability[i];
    for (const auto& column : table.columns) text << ',' << static_cast<int>(column.called[i]);
    for (const auto& column : table.columns) text << ',' << dice_cell(column.dice[i]);
    text << ',' << dice_cell(table.dice_before_crf[i]) << '\n';
  }
  write_atomically(file, text.str());
}

CvTable read_cv_table(const std::filesystem::path& file) {
  const CsvTable csv = CsvTable::read(file);
  CvTable table;
  for (const auto& name : csv.columns()) {
    if (name.rfind("prob_", 0) == 0) table.columns.push_back({name.substr(5), {}, {}, {}});
  }
  if (table.columns.empty()) throw InputError(file.string() + ": no column 'prob_…'; expected the predictions of a fold");
  const auto number = [&](std::size_t i, const std::string& name) { return csv.number(i, csv.column(name)); };
  for (std::size_t i = 0; i < csv.rows(); ++i) {
    table.rows.push_back({csv.cell(i, csv.column("image")), csv.cell(i, csv.column("patient_id")), csv.cell(i, csv.column("diagnosis")),
                          static_cast<int>(number(i, "tumour")), static_cast<int>(number(i, "repeat")),
                          static_cast<int>(number(i, "fold"))});
    for (auto& column : table.columns) {
      column.probability.push_back(number(i, "prob_" + column.name));
      column.called.push_back(number(i, "called_" + column.name) > 0 ? 1 : 0);
      column.dice.push_back(read_dice(csv, i, csv.column("dice_" + column.name)));
    }
    table.dice_before_crf.push_back(read_dice(csv, i, csv.column("dice_before_crf")));
  }
  return table;
}

}  // namespace clmnet::tools
