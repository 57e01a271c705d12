#pragma once

#include <filesystem>
#include <string>
#include <vector>

#include "survival/kaplan_meier.h"

namespace clmnet::tools {

/// Kaplan-Meier curves for print: pointwise bands, censoring ticks, numbers at risk under the axis, medians, the test's p.
struct KmFigure {
  std::vector<std::string> names;              ///< one per curve, at most eight
  std::vector<survival::KaplanMeier> curves;
  std::string time_label = "Time";             ///< with its unit
  std::string value_label = "Survival probability";
  std::string test = {};                       ///< "log-rank p = 0.012"; may be empty
  survival::ConfidenceScale scale = survival::ConfidenceScale::log_log;
  double level = 0.95;
};

/// The gnuplot script, without terminal and output.
std::string km_script(const KmFigure& figure);

/// SVG or PDF by the ending of `target`. Throws InputError as draw_figure, std::invalid_argument for no or too many curves.
void draw_km(const std::filesystem::path& target, const KmFigure& figure);

/// A column's name as a label: "overall_survival_months" is "Overall survival (months)".
std::string label_of_column(const std::string& column);

}  // namespace clmnet::tools
