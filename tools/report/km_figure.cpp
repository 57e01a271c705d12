#include "tools/report/km_figure.h"

#include <algorithm>
#include <cctype>
#include <cmath>
#include <cstdio>
#include <sstream>
#include <stdexcept>

#include "tools/report/figure_style.h"
#include "tools/report/gnuplot.h"
#include "tools/report/numbers.h"

namespace clmnet::tools {
namespace {

constexpr auto& kColours = kFigureColours;
constexpr double kWidthPt = 504, kPlotHeightPt = 330, kRowPt = 16, kBelowAxisPt = 66, kLegendRow = 0.062;

/// Distance of the ticks: months and days as people count them, else 1, 2 or 5 times a power of ten; at most seven of them.
double tick_step(double longest, const std::string& label) {
  const auto speaks_of = [&](const char* lower, const char* upper) { return label.find(lower) != std::string::npos || label.find(upper) != std::string::npos; };
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

LegendPlace legend_place(const KmFigure& figure, double longest, double legend_height) {
  double lowest_left = 1, highest_right = 0;
  for (const auto& curve : figure.curves) {
    for (std::size_t i = 0; i < curve.time.size(); ++i) {
      const auto band = survival::survival_interval(curve.survival[i], curve.std_err[i], figure.scale, figure.level);
      if (curve.time[i] <= 0.72 * longest) lowest_left = std::min(lowest_left, std::isnan(band.lower) ? curve.survival[i] : band.lower);
    }
    const double at = 0.3 * longest;
    const auto point = survival::evaluate(curve, at);
    const auto band = survival::survival_interval(point.survival, point.std_err, figure.scale, figure.level);
    if (!curve.time.empty() && curve.time.back() >= at) highest_right = std::max(highest_right, std::isnan(band.upper) ? point.survival : band.upper);
  }
  if (lowest_left > legend_height + 0.04) return LegendPlace::lower_left;
  return highest_right < 1 - legend_height - 0.04 ? LegendPlace::upper_right : LegendPlace::above;
}

std::string median_text(const KmFigure& figure, std::size_t k) {
  const auto median = survival::event_time_quantile(figure.curves[k], 0.5, figure.scale, figure.level);
  const auto shown = [](double value) {
    char text[32];
    std::snprintf(text, sizeof text, std::abs(value) >= 100 ? "%.0f" : "%.1f", value);
    return std::isnan(value) ? std::string("not reached") : std::string(text);
  };
  if (std::isnan(median.time)) return "median not reached";
  return "median " + shown(median.time) + " (" + number_text(100 * figure.level) + "% CI " + shown(median.lower) + "–" + (std::isnan(median.upper) ? "not reached" : shown(median.upper)) + ")";
}

/// Corners of the step function and its band, and the censoring ticks, as inline data.
void add_data(std::ostringstream& script, const KmFigure& figure, std::size_t k) {
  const auto& curve = figure.curves[k];
  script << "$band" << k << " << EOD\n";
  double survival = 1, lower = 1, upper = 1;
  script << "0 1 1 1\n";
  for (std::size_t i = 0; i < curve.time.size(); ++i) {
    script << curve.time[i] << ' ' << survival << ' ' << lower << ' ' << upper << '\n';
    const auto band = survival::survival_interval(curve.survival[i], curve.std_err[i], figure.scale, figure.level);
    survival = curve.survival[i];
    if (!std::isnan(band.lower)) {
      lower = band.lower;
      upper = band.upper;
    }
    script << curve.time[i] << ' ' << survival << ' ' << lower << ' ' << upper << '\n';
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

void add_risk_table(std::ostringstream& script, const KmFigure& figure, double step, double longest, double height_pt, double left) {
  const double rows = static_cast<double>(figure.curves.size());
  const auto row_y = [&](double row) { return ((rows - row) * kRowPt - kRowPt * 0.45) / height_pt; };
  script << "set label " << gnuplot_text("Number at risk") << " at screen " << 0.012 << ", screen " << row_y(-1) << " left font ',11'\n";
  for (std::size_t k = 0; k < figure.curves.size(); ++k) {
    const double y = row_y(static_cast<double>(k));
    script << "set label " << gnuplot_text(figure.names[k]) << " at screen " << left - 0.042 << ", screen " << y << " right tc rgb '" << kColours[k] << "'\n";
    for (double t = 0; t <= longest * (1 + 1e-9); t += step) {
      script << "set label \"" << number_text(survival::evaluate(figure.curves[k], t).n_risk) << "\" at first " << t << ", screen " << y << " center\n";
    }
  }
}

/// One row a curve and one for the test, with lines in the curves' colours.
void add_legend(std::ostringstream& script, const KmFigure& figure, LegendPlace place) {
  const double rows = static_cast<double>(figure.curves.size()) + (figure.test.empty() ? 0 : 1);
  const double x = place == LegendPlace::upper_right ? 0.33 : 0.02;
  double y = place == LegendPlace::lower_left ? 0.03 + kLegendRow * (rows - 1) : place == LegendPlace::upper_right ? 0.97 : 1.0 + kLegendRow * (rows - 0.4);
  for (std::size_t k = 0; k < figure.curves.size(); ++k, y -= kLegendRow) {
    script << "set arrow from graph " << x << ", graph " << y << " to graph " << x + 0.045 << ", graph " << y << " nohead lw 2.5 lc rgb '" << kColours[k] << "' front\n";
    script << "set label "
           << gnuplot_text(figure.names[k] + ": " + std::to_string(figure.curves[k].events) + "/" + std::to_string(figure.curves[k].n) + " events, " +
                           median_text(figure, k))
           << " at graph " << x + 0.06 << ", graph " << y << " left front\n";
  }
  if (!figure.test.empty()) script << "set label " << gnuplot_text(figure.test) << " at graph " << x + 0.06 << ", graph " << y << " left front\n";
}

double figure_height(const KmFigure& figure) { return kPlotHeightPt + kBelowAxisPt + kRowPt * static_cast<double>(figure.curves.size()); }

}  // namespace

std::string label_of_column(const std::string& column) {
  std::string label = column;
  std::replace(label.begin(), label.end(), '_', ' ');
  for (const std::string unit : {"months", "days", "years", "weeks"}) {
    if (label.size() > unit.size() + 1 && label.ends_with(" " + unit)) label = label.substr(0, label.size() - unit.size()) + "(" + unit + ")";
  }
  if (!label.empty()) label[0] = static_cast<char>(std::toupper(static_cast<unsigned char>(label[0])));
  return label;
}

std::string km_script(const KmFigure& figure) {
  if (figure.curves.empty() || figure.curves.size() != figure.names.size() || figure.curves.size() > kColours.size()) {
    throw std::invalid_argument("km_script: one to eight curves with a name each are wanted");
  }
  double last = 0;
  for (const auto& curve : figure.curves) last = std::max(last, curve.time.empty() ? 0.0 : curve.time.back());
  const double step = tick_step(last > 0 ? last : 1, figure.time_label), longest = step * std::ceil(last / step - 1e-9);
  const double height = figure_height(figure), rows = static_cast<double>(figure.curves.size());
  const double legend_height = kLegendRow * (rows + (figure.test.empty() ? 0 : 1));
  const LegendPlace place = legend_place(figure, longest, legend_height);
  std::size_t widest = 8;
  for (const auto& name : figure.names) widest = std::max(widest, name.size());
  const double left = std::clamp(0.062 + 0.0125 * static_cast<double>(widest), 0.15, 0.36);
  std::ostringstream script;
  script.precision(10);
  for (std::size_t k = 0; k < figure.curves.size(); ++k) add_data(script, figure, k);
  script << "set lmargin at screen " << left << "\nset rmargin at screen 0.965\nset tmargin at screen " << 1 - (14 + (place == LegendPlace::above ? legend_height * kPlotHeightPt : 0)) / height << "\nset bmargin at screen "
         << (kBelowAxisPt + rows * kRowPt) / height << "\n"
         << "set border 3 lw 1\nset tics out nomirror\nset xrange [0:" << longest * 1.02 << "]\nset yrange [0:1.02]\nset xtics 0," << step << "," << longest
         << "\nset ytics 0,0.2,1 format '%.1f'\nset xlabel " << gnuplot_text(figure.time_label) << " offset 0,0.4\nset ylabel " << gnuplot_text(figure.value_label)
         << " offset 0.6,0\n";
  add_risk_table(script, figure, step, longest, height, left);
  add_legend(script, figure, place);
  script << "plot ";
  for (std::size_t k = 0; k < figure.curves.size(); ++k) {
    script << (k ? ", " : "") << "$band" << k << " using 1:3:4 with filledcurves fs transparent solid 0.15 noborder lc rgb '" << kColours[k] << "' notitle";
  }
  for (std::size_t k = 0; k < figure.curves.size(); ++k) {
    script << ", $band" << k << " using 1:2 with lines lw 2 lc rgb '" << kColours[k] << "' notitle, $censored" << k
           << " using 1:2:(0):(0.012) with vectors nohead lw 1.2 lc rgb '" << kColours[k] << "' notitle, $censored" << k
           << " using 1:2:(0):(-0.012) with vectors nohead lw 1.2 lc rgb '" << kColours[k] << "' notitle";
  }
  script << "\n";
  return script.str();
}

void draw_km(const std::filesystem::path& target, const KmFigure& figure) { draw_figure(target, km_script(figure), kWidthPt, figure_height(figure)); }

}  // namespace clmnet::tools
