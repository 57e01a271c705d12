#include "tools/report/km_figure.h"

#include <algorithm>
#include <cctype>
#include <cmath>
#include <cstdio>
#include <sstream>
#include <stdexcept>
#include <utility>

#include "tools/report/figure_style.h"
#include "tools/report/gnuplot.h"
#include "tools/report/numbers.h"

namespace clmnet::tools {
namespace {

constexpr auto& kColours = kFigureColours;
constexpr double kWidthPt = 504, kPlotPt = 316, kTopPt = 14, kRightPt = 18, kRowPt = 16, kBelowAxisPt = 66;
constexpr double kLegendRowPt = 18, kLegendLinePt = 22, kLegendEdgePt = 8;

/// Distance of the ticks: months and days as people count them, else 1, 2 or 5 times a power of ten; at most seven of them.
double tick_step(double longest, const std::string& label) {
  const auto speaks_of = [&](const char* lower, const char* upper) {
    return label.find(lower) != std::string::npos || label.find(upper) != std::string::npos;
  };
  std::vector<double> steps;
  if (speaks_of("month", "Month")) steps = {1, 2, 3, 6, 12, 24, 36, 48, 60, 120};
  if (speaks_of("day", "Day")) steps = {1, 7, 14, 30, 60, 90, 180, 365, 730, 1095, 1825};
  for (double power = std::pow(10, std::floor(std::log10(longest)) - 1); power <= longest; power *= 10) {
    for (const double base : {1.0, 2.0, 5.0}) steps.push_back(base * power);
  }
  double best = 0;
  for (const double step : steps) {
    if (longest / step <= 7 && best == 0) best = step;
  }
  return best > 0 ? best : longest / 5;
}

/// Where the legend stands without lying on a curve: below on the left, above on the right, else over the plot.
enum class LegendPlace { lower_left, upper_right, above };

std::string median_text(const KmFigure& figure, std::size_t k) {
  const auto median = survival::event_time_quantile(figure.curves[k], 0.5, figure.scale, figure.level);
  const auto shown = [](double value) {
    char text[32];
    std::snprintf(text, sizeof text, std::abs(value) >= 100 ? "%.0f" : "%.1f", value);
    return std::isnan(value) ? std::string("NR") : std::string(text);
  };
  return "median " + shown(median.time) + " (" + shown(median.lower) + "–" + shown(median.upper) + ")";
}

const char* name_of(survival::ConfidenceScale scale) {
  return scale == survival::ConfidenceScale::plain ? "plain" : scale == survival::ConfidenceScale::log ? "log" : "log-log";
}

/// Rows of the legend: one a curve, the test, and what the intervals are.
std::vector<std::string> legend_texts(const KmFigure& figure) {
  std::vector<std::string> rows;
  for (std::size_t k = 0; k < figure.curves.size(); ++k) {
    const auto& curve = figure.curves[k];
    if (curve.n == 0) {
      rows.push_back(figure.names[k] + ": nobody");
      continue;
    }
    rows.push_back(figure.names[k] + ": " + std::to_string(curve.events) + "/" + std::to_string(curve.n) + " events, " +
                   median_text(figure, k));
  }
  if (!figure.test.empty()) rows.push_back(figure.test);
  const bool open = std::any_of(rows.begin(), rows.end(), [](const auto& row) { return row.find("NR") != std::string::npos; });
  rows.push_back(number_text(100 * figure.level) + "% CI (" + name_of(figure.scale) + ")" + (open ? "; NR, not reached" : ""));
  return rows;
}

/// Where everything stands, in points from the left and from below.
struct KmLayout {
  double step = 1, longest = 1;           ///< of the time axis
  double left = 0, width = kWidthPt, height = 0, legend_above = 0;
  LegendPlace place = LegendPlace::above;
  double legend_x = 0, legend_top = 0;    ///< middle of the first row, in parts of the plot
  std::vector<std::string> legend;

  double plot_width() const { return width - left - kRightPt; }
};

/// Lowest band up to `share` of the axis and highest one from there on.
std::pair<double, double> free_corners(const KmFigure& figure, double longest, double share_left, double share_right) {
  double lowest = 1, highest = 0;
  for (const auto& curve : figure.curves) {
    const auto take = [&](double time, double survival, double error) {
      const auto band = survival::survival_interval(survival, error, figure.scale, figure.level);
      if (time <= share_left * longest) lowest = std::min(lowest, std::isnan(band.lower) ? survival : band.lower);
      if (time >= share_right * longest) highest = std::max(highest, std::isnan(band.upper) ? survival : band.upper);
    };
    for (std::size_t i = 0; i < curve.time.size(); ++i) take(curve.time[i], curve.survival[i], curve.std_err[i]);
    const auto entering = survival::evaluate(curve, share_right * longest);
    if (!curve.time.empty() && curve.time.back() >= share_right * longest) {
      take(share_right * longest, entering.survival, entering.std_err);
    }
  }
  return {lowest, highest};
}

KmLayout layout_of(const KmFigure& figure) {
  KmLayout layout;
  double last = 0;
  for (const auto& curve : figure.curves) last = std::max(last, curve.time.empty() ? 0.0 : curve.time.back());
  layout.step = tick_step(last > 0 ? last : 1, figure.time_label);
  layout.longest = layout.step * std::ceil(last / layout.step - 1e-9);
  std::size_t widest = 0, name = 8;
  layout.legend = legend_texts(figure);
  for (const auto& row : layout.legend) widest = std::max(widest, letters(row));
  for (const auto& one : figure.names) name = std::max(name, letters(one));
  layout.left = std::max(76.0, 31 + kLetterPt * static_cast<double>(name));
  const double needed = 2 * kLegendEdgePt + kLegendLinePt + 8 + kLetterPt * static_cast<double>(widest);
  layout.width = std::max(kWidthPt, layout.left + needed + kRightPt);
  const double share = needed / layout.plot_width(), rows = static_cast<double>(layout.legend.size());
  const double height = kLegendRowPt * rows / kPlotPt, edge = kLegendEdgePt / layout.plot_width();
  const auto [lowest, highest] = free_corners(figure, layout.longest, share, 1 - share);
  const double row = kLegendRowPt / kPlotPt;
  layout.legend_x = edge;
  if (lowest > height + 0.06) {
    layout.place = LegendPlace::lower_left;
    layout.legend_top = 0.02 + height - row / 2;
  } else if (highest < 1 - height - 0.04) {
    layout.place = LegendPlace::upper_right;
    layout.legend_x = 1 - share + edge;
    layout.legend_top = 0.99 - row / 2;
  } else {
    layout.legend_above = kLegendRowPt * rows + 4;
    layout.legend_top = 1 + height - row / 2 + 0.01;
  }
  layout.height = kTopPt + layout.legend_above + kPlotPt + kBelowAxisPt + kRowPt * static_cast<double>(figure.curves.size());
  return layout;
}

/// Corners of the step function and its band, and the censoring ticks, as inline data. A band without width is none: gnuplot would
/// draw a hairline down to 0 where it opens.
void add_data(std::ostringstream& script, const KmFigure& figure, std::size_t k) {
  const auto& curve = figure.curves[k];
  script << "$band" << k << " << EOD\n";
  double survival = 1, lower = 1, upper = 1;
  const auto corner = [&](double time) {
    script << time << ' ' << survival << ' ';
    if (lower < upper) {
      script << lower << ' ' << upper << '\n';
    } else {
      script << "NaN NaN\n";
    }
  };
  corner(0);
  for (std::size_t i = 0; i < curve.time.size(); ++i) {
    corner(curve.time[i]);
    const auto band = survival::survival_interval(curve.survival[i], curve.std_err[i], figure.scale, figure.level);
    survival = curve.survival[i];
    if (!std::isnan(band.lower)) {
      lower = band.lower;
      upper = band.upper;
    }
    corner(curve.time[i]);
  }
  script << "EOD\n$censored" << k << " << EOD\n";
  bool any = false;
  for (std::size_t i = 0; i < curve.time.size(); ++i) {
    if (curve.n_censor[i] == 0) continue;
    script << curve.time[i] << ' ' << curve.survival[i] << '\n';
    any = true;
  }
  if (!any) script << "NaN NaN\n";
  script << "EOD\n";
}

void add_risk_table(std::ostringstream& script, const KmFigure& figure, const KmLayout& layout) {
  const double rows = static_cast<double>(figure.curves.size());
  const auto row_y = [&](double row) { return ((rows - row) * kRowPt - kRowPt * 0.45) / layout.height; };
  script << "set label " << gnuplot_text("Number at risk") << " at screen " << 6 / layout.width << ", screen " << row_y(-1)
         << " left font ',11'\n";
  for (std::size_t k = 0; k < figure.curves.size(); ++k) {
    const double y = row_y(static_cast<double>(k));
    script << "set label " << gnuplot_text(figure.names[k]) << " at screen " << (layout.left - 21) / layout.width << ", screen "
           << y << " right tc rgb '" << kColours[k] << "'\n";
    for (double t = 0; t <= layout.longest * (1 + 1e-9); t += layout.step) {
      script << "set label \"" << number_text(survival::evaluate(figure.curves[k], t).n_risk) << "\" at first " << t
             << ", screen " << y << " center\n";
    }
  }
}

/// Rows of curves have a line in their colour.
void add_legend(std::ostringstream& script, const KmFigure& figure, const KmLayout& layout) {
  double y = layout.legend_top;
  const double x = layout.legend_x, end = x + kLegendLinePt / layout.plot_width();
  for (std::size_t k = 0; k < layout.legend.size(); ++k, y -= kLegendRowPt / kPlotPt) {
    if (k < figure.curves.size()) {
      script << "set arrow from graph " << x << ", graph " << y << " to graph " << end << ", graph " << y
             << " nohead lw 2.5 lc rgb '" << kColours[k] << "' front\n";
    }
    script << "set label " << gnuplot_text(layout.legend[k]) << " at graph " << end + 8 / layout.plot_width() << ", graph " << y
           << " left front\n";
  }
}

}  // namespace

std::string label_of_column(const std::string& column) {
  std::string label = column;
  std::replace(label.begin(), label.end(), '_', ' ');
  for (const std::string unit : {"months", "days", "years", "weeks"}) {
    if (label.size() > unit.size() + 1 && label.ends_with(" " + unit)) {
      label = label.substr(0, label.size() - unit.size()) + "(" + unit + ")";
    }
  }
  if (!label.empty()) label[0] = static_cast<char>(std::toupper(static_cast<unsigned char>(label[0])));
  return label;
}

std::string km_script(const KmFigure& figure) {
  if (figure.curves.empty() || figure.curves.size() != figure.names.size() || figure.curves.size() > kColours.size()) {
    throw std::invalid_argument("km_script: one to eight curves with a name each are wanted");
  }
  const KmLayout layout = layout_of(figure);
  std::ostringstream script;
  script.precision(10);
  for (std::size_t k = 0; k < figure.curves.size(); ++k) add_data(script, figure, k);
  script << "set lmargin at screen " << layout.left / layout.width << "\nset rmargin at screen " << 1 - kRightPt / layout.width
         << "\nset tmargin at screen " << 1 - (kTopPt + layout.legend_above) / layout.height << "\nset bmargin at screen "
         << 1 - (kTopPt + layout.legend_above + kPlotPt) / layout.height << "\n"
         << "set border 3 lw 1\nset tics out nomirror\nset xrange [0:" << layout.longest * 1.02
         << "]\nset yrange [0:1.02]\nset xtics 0," << layout.step << "," << layout.longest
         << "\nset ytics 0,0.2,1 format '%.1f'\nset xlabel " << gnuplot_text(figure.time_label) << " offset 0,0.4\nset ylabel "
         << gnuplot_text(figure.value_label) << " offset 0.6,0\n";
  add_risk_table(script, figure, layout);
  add_legend(script, figure, layout);
  script << "plot ";
  for (std::size_t k = 0; k < figure.curves.size(); ++k) {
    script << (k ? ", " : "") << "$band" << k << " using 1:3:4 with filledcurves fs transparent solid 0.15 noborder lc rgb '"
           << kColours[k] << "' notitle";
  }
  for (std::size_t k = 0; k < figure.curves.size(); ++k) {
    script << ", $band" << k << " using 1:2 with lines lw 2 lc rgb '" << kColours[k] << "' notitle, $censored" << k
           << " using 1:2:(0):(0.012) with vectors nohead lw 1.2 lc rgb '" << kColours[k] << "' notitle, $censored" << k
           << " using 1:2:(0):(-0.012) with vectors nohead lw 1.2 lc rgb '" << kColours[k] << "' notitle";
  }
  script << "\n";
  return script.str();
}

void draw_km(const std::filesystem::path& target, const KmFigure& figure) {
  const std::string script = km_script(figure);
  const KmLayout layout = layout_of(figure);
  draw_figure(target, script, layout.width, layout.height);
}

}  // namespace clmnet::tools
