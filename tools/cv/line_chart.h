#pragma once

#include <string>
#include <utility>
#include <vector>

namespace clmnet::tools {

/// Text as HTML and SVG take it.
std::string escape_html(const std::string& text);

struct ChartLine {
  std::string name;
  std::vector<std::pair<double, double>> points;
  bool steps = false;   ///< drawn as stairs
  bool marks = false;   ///< with a dot at each point
};

struct LineChart {
  std::string title, x_label, y_label;
  double x_min = 0, x_max = 1, y_min = 0, y_max = 1;
  bool diagonal = false;  ///< a thin line from corner to corner: chance, or perfect calibration
  std::vector<ChartLine> lines;
};

/// An <svg> element of 420 x 380 px. Colours are Okabe and Ito's, apart for the colour-blind; each line is also dashed its own way.
std::string draw_svg(const LineChart& chart);

}  // namespace clmnet::tools
