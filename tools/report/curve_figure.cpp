#include "tools/report/curve_figure.h"

#include <algorithm>
#include <array>
#include <cmath>
#include <sstream>
#include <stdexcept>

#include "tools/report/figure_style.h"
#include "tools/report/gnuplot.h"

namespace clmnet::tools {
namespace {

constexpr double kPlotPt = 330, kLeftPt = 62, kRightPt = 18, kTopPt = 14, kBelowPt = 52, kRowPt = 20, kLinePt = 26;

/// A rectangle in parts of the plot, (0,0) is its lower left corner.
struct Box {
  double left, right, bottom, top;
  bool holds(double x, double y) const { return x >= left && x <= right && y >= bottom && y <= top; }
};

const char* colour(const CurveFigure& figure, std::size_t k) {
  const int shared = figure.curves[k].colour_of;
  return kFigureColours[shared < 0 ? k : static_cast<std::size_t>(shared)];
}

/// All rows of the legend; those of curves without a name are left out.
std::size_t legend_rows(const CurveFigure& figure) {
  const auto named =
      std::count_if(figure.curves.begin(), figure.curves.end(), [](const auto& curve) { return !curve.name.empty(); });
  return static_cast<std::size_t>(named) + figure.notes.size();
}

bool crosses(const CurveFigure& figure, const Box& box) {
  const auto meets = [&](double x0, double y0, double x1, double y1) {
    for (int k = 0; k <= 40; ++k) {
      const double part = k / 40.0, x = x0 + part * (x1 - x0), y = y0 + part * (y1 - y0);
      if (box.holds((x - figure.x_least) / (figure.x_most - figure.x_least),
                    (y - figure.y_least) / (figure.y_most - figure.y_least))) {
        return true;
      }
    }
    return false;
  };
  const auto any = [&](const std::vector<double>& x, const std::vector<double>& y) {
    for (std::size_t i = 1; i < x.size() && i < y.size(); ++i) {
      if (meets(x[i - 1], y[i - 1], x[i], y[i])) return true;
    }
    return false;
  };
  for (const auto& curve : figure.curves) {
    if (curve.line && any(curve.x, curve.y)) return true;
    if (any(curve.band_x, curve.lower) || any(curve.band_x, curve.upper)) return true;
    for (std::size_t i = 0; i < curve.mark_x.size(); ++i) {
      const bool barred = i < curve.mark_lower.size() && std::isfinite(curve.mark_lower[i]) && std::isfinite(curve.mark_upper[i]);
      if (meets(curve.mark_x[i], barred ? curve.mark_lower[i] : curve.mark_y[i], curve.mark_x[i],
                barred ? curve.mark_upper[i] : curve.mark_y[i])) {
        return true;
      }
    }
  }
  const double low = std::max(figure.x_least, figure.y_least), high = std::min(figure.x_most, figure.y_most);
  if (figure.diagonal && meets(low, low, high, high)) return true;
  return figure.level && meets(figure.x_least, *figure.level, figure.x_most, *figure.level);
}

/// Where the legend stands free of every curve; empty: over the plot.
std::optional<Box> legend_box(const CurveFigure& figure) {
  std::size_t widest = 0;
  for (const auto& curve : figure.curves) widest = std::max(widest, letters(curve.name));
  for (const auto& note : figure.notes) widest = std::max(widest, letters(note));
  const double width = (kLinePt + 14 + kLetterPt * static_cast<double>(widest)) / kPlotPt,
               height = kRowPt * static_cast<double>(legend_rows(figure)) / kPlotPt;
  constexpr double edge = 0.02;
  const std::array<Box, 4> boxes = {Box{1 - edge - width, 1 - edge, edge, edge + height},
                                    Box{edge, edge + width, edge, edge + height},
                                    Box{1 - edge - width, 1 - edge, 1 - edge - height, 1 - edge},
                                    Box{edge, edge + width, 1 - edge - height, 1 - edge}};
  for (const auto& box : boxes) {
    if (box.left >= 0 && !crosses(figure, box)) return box;
  }
  return std::nullopt;
}

double legend_above_pt(const CurveFigure& figure, const std::optional<Box>& box) {
  return box ? 0 : kRowPt * static_cast<double>(legend_rows(figure)) + 6;
}

void add_numbers(std::ostringstream& script, const std::string& name, const std::vector<const std::vector<double>*>& columns) {
  script << "$" << name << " << EOD\n";
  for (std::size_t i = 0; i < columns.front()->size(); ++i) {
    for (const auto* column : columns) {
      if (std::isfinite((*column)[i])) {
        script << (*column)[i] << ' ';
      } else {
        script << "NaN ";
      }
    }
    script << '\n';
  }
  script << "EOD\n";
}

void add_data(std::ostringstream& script, const CurveFigure& figure) {
  for (std::size_t k = 0; k < figure.curves.size(); ++k) {
    const auto& curve = figure.curves[k];
    if (curve.line) add_numbers(script, "curve" + std::to_string(k), {&curve.x, &curve.y});
    if (!curve.band_x.empty()) add_numbers(script, "band" + std::to_string(k), {&curve.band_x, &curve.lower, &curve.upper});
    if (curve.mark_x.empty()) continue;
    const auto& lower = curve.mark_lower.empty() ? curve.mark_y : curve.mark_lower;
    const auto& upper = curve.mark_upper.empty() ? curve.mark_y : curve.mark_upper;
    add_numbers(script, "marks" + std::to_string(k), {&curve.mark_x, &curve.mark_y, &lower, &upper});
  }
}

void add_legend(std::ostringstream& script, const CurveFigure& figure, const std::optional<Box>& box) {
  const double row = kRowPt / kPlotPt, x = box ? box->left : 0.0;
  double y = box ? box->top - row / 2 : 1 + row * (static_cast<double>(legend_rows(figure)) - 0.4);
  for (std::size_t k = 0; k < figure.curves.size(); ++k) {
    const auto& curve = figure.curves[k];
    if (curve.name.empty()) continue;
    const double end = x + kLinePt / kPlotPt;
    if (curve.line) {
      script << "set arrow from graph " << x << ", graph " << y << " to graph " << end << ", graph " << y
             << " nohead lw 2.5 lc rgb '" << colour(figure, k) << "' front\n";
    } else {
      script << "set label '' at graph " << (x + end) / 2 << ", graph " << y << " point pt 7 ps 0.6 lc rgb '" << colour(figure, k)
             << "' front\n";
    }
    script << "set label " << gnuplot_text(curve.name) << " at graph " << end + 8 / kPlotPt << ", graph " << y << " left front\n";
    y -= row;
  }
  for (const auto& note : figure.notes) {
    script << "set label " << gnuplot_text(note) << " at graph " << x + (kLinePt + 8) / kPlotPt << ", graph " << y
           << " left front\n";
    y -= row;
  }
}

double figure_height(const CurveFigure& figure) {
  return kPlotPt + kTopPt + kBelowPt + legend_above_pt(figure, legend_box(figure));
}
constexpr double kFigureWidth = kLeftPt + kPlotPt + kRightPt;

/// Steps of 1, 2 or 5 times a power of ten, five or six of them.
double tick_step(double range) {
  const double power = std::pow(10, std::floor(std::log10(range)) - 1);
  for (const double base : {1.0, 2.0, 5.0, 10.0, 20.0, 50.0}) {
    if (range / (base * power) <= 6.01) return base * power;
  }
  return range / 5;
}

/// Probabilities with ticks at tenths, all written with one digit.
bool in_tenths(double least, double most) { return most <= 1 && tick_step(most - least) > 0.099; }

}  // namespace

std::string curve_script(const CurveFigure& figure) {
  if (figure.curves.empty() || figure.curves.size() > kFigureColours.size()) {
    throw std::invalid_argument("curve_script: one to eight curves are wanted");
  }
  const auto box = legend_box(figure);
  const double height = figure_height(figure);
  std::ostringstream script;
  script.precision(10);
  add_data(script, figure);
  script << "set lmargin at screen " << kLeftPt / kFigureWidth << "\nset rmargin at screen " << 1 - kRightPt / kFigureWidth
         << "\nset tmargin at screen " << 1 - (kTopPt + legend_above_pt(figure, box)) / height << "\nset bmargin at screen "
         << kBelowPt / height << "\nset border 3 lw 1\nset tics out nomirror\n"
         << "set xrange [" << figure.x_least << ":" << figure.x_most << "]\nset yrange [" << figure.y_least << ":"
         << figure.y_most << "]\nset xtics " << tick_step(figure.x_most - figure.x_least) << "\nset ytics "
         << tick_step(figure.y_most - figure.y_least) << "\n"
         << (in_tenths(figure.y_least, figure.y_most) ? "set format y '%.1f'\n" : "")
         << (in_tenths(figure.x_least, figure.x_most) ? "set format x '%.1f'\n" : "")
         << "set xlabel " << gnuplot_text(figure.x_label) << " offset 0,0.2\nset ylabel " << gnuplot_text(figure.y_label)
         << " offset 0.8,0\n";
  const double low = std::max(figure.x_least, figure.y_least), high = std::min(figure.x_most, figure.y_most);
  const char* const guide = " nohead lw 1 dt (4,4) lc rgb '#808080' back\n";
  if (figure.diagonal) script << "set arrow from first " << low << "," << low << " to first " << high << "," << high << guide;
  if (figure.level) {
    script << "set arrow from first " << figure.x_least << "," << *figure.level << " to first " << figure.x_most << ","
           << *figure.level << guide;
  }
  add_legend(script, figure, box);
  std::string separator = "plot ";
  const auto next = [&]() -> std::ostringstream& {
    script << separator;
    separator = ", ";
    return script;
  };
  for (std::size_t k = 0; k < figure.curves.size(); ++k) {
    if (!figure.curves[k].band_x.empty()) {
      next() << "$band" << k << " using 1:2:3 with filledcurves fs transparent solid 0.15 noborder lc rgb '" << colour(figure, k)
             << "' notitle";
    }
  }
  for (std::size_t k = 0; k < figure.curves.size(); ++k) {
    const auto& curve = figure.curves[k];
    if (curve.line) next() << "$curve" << k << " using 1:2 with lines lw 2 lc rgb '" << colour(figure, k) << "' notitle";
    if (curve.mark_x.empty()) continue;
    if (!curve.mark_lower.empty()) {
      next() << "$marks" << k << " using 1:2:3:4 with yerrorbars pt 7 ps 0.01 lw 1.2 lc rgb '" << colour(figure, k)
             << "' notitle";
    }
    next() << "$marks" << k << " using 1:2 with points pt 7 ps 0.6 lc rgb '" << colour(figure, k) << "' notitle";
  }
  script << "\n";
  return script.str();
}

void draw_curves(const std::filesystem::path& target, const CurveFigure& figure) {
  draw_figure(target, curve_script(figure), kFigureWidth, figure_height(figure));
}

}  // namespace clmnet::tools
