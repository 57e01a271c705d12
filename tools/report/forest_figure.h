#pragma once

#include <filesystem>
#include <string>
#include <vector>

namespace clmnet::tools {

/// One row of a forest plot. A row without an estimate (NaN) is shown with its note in place of numbers.
struct ForestRow {
  std::string name;
  double ratio = 0, lower = 0, upper = 0;   ///< hazard ratios with their interval, > 0
  std::string p;                            ///< "0.012"
  std::string note;                         ///< "reference", "not estimable"
};

/// Hazard ratios on a log axis with their numbers beside them, for print.
struct ForestFigure {
  std::vector<ForestRow> rows;              ///< one to forty, from top to bottom
  std::string ratio_label = "Hazard ratio";
  std::string interval_label = "95% CI";
  std::string note = {};                    ///< under the axis: n, events, method; may be empty
};

/// The gnuplot script, without terminal and output. Throws std::invalid_argument for none or too many rows.
std::string forest_script(const ForestFigure& figure);

/// SVG or PDF by the ending of `target`. Throws as draw_figure and forest_script.
void draw_forest(const std::filesystem::path& target, const ForestFigure& figure);

}  // namespace clmnet::tools
