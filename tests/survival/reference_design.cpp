#include "tests/survival/reference_design.h"

#include <algorithm>

namespace clmnet::survival::reference {
namespace {

bool is_number(const std::string& text) {
  const bool truth = text == "TRUE" || text == "True" || text == "true" || text == "FALSE" || text == "False" || text == "false";
  return truth || parse_number(text).has_value();
}

}  // namespace

Design design_of(const CsvTable& table, const std::vector<std::size_t>& rows, const std::vector<std::string>& columns) {
  Design design;
  std::vector<std::vector<double>> values;
  for (const auto& column : columns) {
    const auto texts = texts_in(table, rows, column);
    const bool numeric = std::all_of(texts.begin(), texts.end(), is_number);
    if (numeric) {
      design.names.push_back(column);
      values.push_back(numbers_in(table, rows, column));
      continue;
    }
    const Groups levels = make_groups(texts);
    for (std::size_t k = 1; k < levels.size(); ++k) {
      design.names.push_back(column + levels.labels[k]);
      values.emplace_back();
      for (const auto code : levels.code) values.back().push_back(code == k ? 1.0 : 0.0);
    }
  }
  design.x.resize(static_cast<Eigen::Index>(rows.size()), static_cast<Eigen::Index>(values.size()));
  for (std::size_t j = 0; j < values.size(); ++j) {
    design.x.col(static_cast<Eigen::Index>(j)) = Eigen::Map<const Eigen::VectorXd>(values[j].data(), design.x.rows());
  }
  return design;
}

}  // namespace clmnet::survival::reference
