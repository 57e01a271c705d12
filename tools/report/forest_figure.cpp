#include "tools/report/forest_figure.h"

#include <algorithm>
#include <cmath>
#include <sstream>
#include <stdexcept>

#include "tools/report/figure_style.h"
#include "tools/report/gnuplot.h"
#include "tools/report/numbers.h"

namespace clmnet::tools {
namespace {

constexpr double kRowPt = 20, kTopPt = 30, kBelowPt = 46, kPlotPt = 210, kNumbersPt = 118, kPPt = 52, kGapPt = 14, kNotePt = 26,
                 kWidest = 1e3;
constexpr std::size_t kMostRows = 40;

bool is_estimate(const ForestRow& row) {
  return std::isfinite(row.ratio) && row.ratio > 0 && std::isfinite(row.lower) && std::isfinite(row.upper) && row.lower > 0;
}

/// Two digits after the point below 10, as papers print ratios.
std::string ratio_text(double value) { return fixed_text(value, value < 10 ? 2 : value < 100 ? 1 : 0); }

struct Layout {
  double names_pt, width_pt, height_pt, below_pt, plot_left, plot_right, least, most;

  double x(double points) const { return points / width_pt; }
  double y(std::size_t row) const { return (height_pt - kTopPt - kRowPt * (static_cast<double>(row) + 0.5)) / height_pt; }
};

Layout layout_of(const ForestFigure& figure) {
  Layout layout{};
  std::size_t widest = 9;
  double least = 0.5, most = 2;
  for (const auto& row : figure.rows) {
    widest = std::max(widest, letters(row.name));
    if (!is_estimate(row)) continue;
    least = std::min(least, std::max(row.lower, 1 / kWidest));
    most = std::max(most, std::min(row.upper, kWidest));
  }
  layout.names_pt = 10 + kLetterPt * static_cast<double>(widest);
  layout.plot_left = layout.names_pt + kGapPt;
  layout.plot_right = layout.plot_left + kPlotPt;
  layout.width_pt = layout.plot_right + kGapPt + kNumbersPt + kPPt;
  layout.width_pt = std::max(layout.width_pt, 20 + kLetterPt * static_cast<double>(letters(figure.note)));
  layout.below_pt = kBelowPt + (figure.note.empty() ? 0 : kNotePt);
  layout.height_pt = kTopPt + layout.below_pt + kRowPt * static_cast<double>(figure.rows.size());
  layout.least = least / 1.1;
  layout.most = most * 1.1;
  return layout;
}

/// 1, 2 and 5 times powers of ten, less of them the wider the axis is.
std::string ticks(const Layout& layout) {
  const double decades = std::log10(layout.most / layout.least);
  std::vector<double> steps = decades > 3     ? std::vector<double>{1}
                              : decades > 1.8 ? std::vector<double>{1, 3}
                              : decades > 1.2 ? std::vector<double>{1, 2, 5}
                                              : std::vector<double>{1, 1.5, 2, 3, 5, 7};
  std::string list;
  for (int power = -4; power <= 4; ++power) {
    for (const double step : steps) {
      const double value = step * std::pow(10, power);
      if (value < layout.least || value > layout.most) continue;
      list += (list.empty() ? "" : ", ") + gnuplot_text(number_text(value)) + " " + number_text(value);
    }
  }
  return list;
}

void add_row(std::ostringstream& script, const Layout& layout, const ForestRow& row, std::size_t place) {
  const double y = layout.y(place);
  const auto label = [&](const std::string& text, double points, const char* side) {
    script << "set label " << gnuplot_text(text) << " at screen " << layout.x(points) << ", screen " << y << " " << side << "\n";
  };
  label(row.name, 10, "left");
  const double numbers = layout.plot_right + kGapPt;
  if (!is_estimate(row)) {
    label(row.note, numbers, "left");
    return;
  }
  label(ratio_text(row.ratio) + " (" + ratio_text(row.lower) + "–" + ratio_text(row.upper) + ")", numbers, "left");
  label(row.p, numbers + kNumbersPt, "left");
}

void add_points(std::ostringstream& script, const ForestFigure& figure, const Layout& layout) {
  const double rows = static_cast<double>(figure.rows.size());
  bool any = false;
  script << "$rows << EOD\n";
  for (std::size_t k = 0; k < figure.rows.size(); ++k) {
    const auto& row = figure.rows[k];
    if (!is_estimate(row)) continue;
    any = true;
    const auto held = [&](double value) { return std::clamp(value, layout.least, layout.most); };
    script << held(row.ratio) << ' ' << rows - static_cast<double>(k) - 0.5 << ' ' << held(row.lower) << ' ' << held(row.upper)
           << '\n';
  }
  if (!any) script << "NaN NaN NaN NaN\n";
  script << "EOD\n";
}

}  // namespace

std::string forest_script(const ForestFigure& figure) {
  if (figure.rows.empty() || figure.rows.size() > kMostRows) {
    throw std::invalid_argument("forest_script: one to forty rows are wanted");
  }
  const Layout layout = layout_of(figure);
  std::ostringstream script;
  script.precision(10);
  add_points(script, figure, layout);
  script << "set lmargin at screen " << layout.x(layout.plot_left) << "\nset rmargin at screen " << layout.x(layout.plot_right)
         << "\nset tmargin at screen " << 1 - kTopPt / layout.height_pt << "\nset bmargin at screen "
         << layout.below_pt / layout.height_pt << "\nset border 1 lw 1\nset logscale x\nset xrange [" << layout.least << ":"
         << layout.most << "]\nset yrange [0:" << figure.rows.size() << "]\nunset ytics\nset mxtics 1\nset xtics out nomirror ("
         << ticks(layout) << ")\nset xlabel " << gnuplot_text(figure.ratio_label + " (log scale)")
         << " offset 0,0.2\nset arrow from first 1, graph 0 to first 1, graph 1 nohead lw 1 dt (4,4) lc rgb '#808080' back\n";
  const double head = (layout.height_pt - kTopPt * 0.55) / layout.height_pt, numbers = layout.plot_right + kGapPt;
  script << "set label \"Covariate\" at screen " << layout.x(10) << ", screen " << head << " left\nset label "
         << gnuplot_text("HR (" + figure.interval_label + ")") << " at screen " << layout.x(numbers) << ", screen " << head
         << " left\nset label \"p\" at screen " << layout.x(numbers + kNumbersPt) << ", screen " << head << " left\n";
  if (!figure.note.empty()) {
    script << "set label " << gnuplot_text(figure.note) << " at screen " << layout.x(10) << ", screen "
           << 9 / layout.height_pt << " left\n";
  }
  for (std::size_t k = 0; k < figure.rows.size(); ++k) add_row(script, layout, figure.rows[k], k);
  script << "plot $rows using 1:2:3:4 with xerrorbars pt 7 ps 0.01 lw 1.6 lc rgb '" << kFigureColours[0]
         << "' notitle, $rows using 1:2 with points pt 5 ps 0.8 lc rgb '" << kFigureColours[0] << "' notitle\n";
  return script.str();
}

void draw_forest(const std::filesystem::path& target, const ForestFigure& figure) {
  const std::string script = forest_script(figure);
  const Layout layout = layout_of(figure);
  draw_figure(target, script, layout.width_pt, layout.height_pt);
}

}  // namespace clmnet::tools
