#pragma once

#include <filesystem>
#include <optional>
#include <string>
#include <vector>

namespace clmnet::tools {

/// One curve of a figure; `band_x` with `lower` and `upper` is a pointwise band and may be empty.
struct FigureCurve {
  std::string name;                       ///< row of the legend
  std::vector<double> x, y;               ///< corners, drawn in order
  std::vector<double> band_x, lower, upper;
  std::vector<double> mark_x, mark_y;     ///< operating points, drawn as dots
  std::vector<double> mark_lower, mark_upper;  ///< error bars of the dots in y; empty: none
  bool line = true;                       ///< false: dots and bars alone
  int colour_of = -1;                     ///< position of the curve whose colour it shares; -1: its own
};

/// Curves over a square for print: ROC, precision-recall, FROC, calibration. Fonts, colours and lines as the Kaplan-Meier figure.
struct CurveFigure {
  std::vector<FigureCurve> curves;        ///< one to eight
  std::string x_label, y_label;
  double x_least = 0, x_most = 1, y_least = 0, y_most = 1;
  bool diagonal = false;                  ///< y = x, what chance or perfect calibration gives
  std::optional<double> level;            ///< a horizontal line, e.g. the prevalence
  std::vector<std::string> notes = {};    ///< further rows of the legend
};

/// The gnuplot script, without terminal and output. Throws std::invalid_argument for none or too many curves.
std::string curve_script(const CurveFigure& figure);

/// SVG or PDF by the ending of `target`. Throws as draw_figure and curve_script.
void draw_curves(const std::filesystem::path& target, const CurveFigure& figure);

}  // namespace clmnet::tools
