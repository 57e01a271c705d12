#pragma once

#include <Eigen/Core>
#include <string>
#include <vector>

#include "tests/survival/reference_case.h"

namespace clmnet::survival::reference {

/// Covariates of a regression as R's formula makes them: numbers as they are, other columns as 0/1 columns "<column><level>",
/// against the first level.
struct Design {
  std::vector<std::string> names;
  Eigen::MatrixXd x;   ///< rows x names
};
Design design_of(const CsvTable& table, const std::vector<std::size_t>& rows, const std::vector<std::string>& columns);

}  // namespace clmnet::survival::reference
