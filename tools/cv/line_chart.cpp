#include "tools/cv/line_chart.h"

#include <algorithm>
#include <array>
#include <iomanip>
#include <sstream>

namespace clmnet::tools {
namespace {

constexpr double kLeft = 56, kTop = 34, kWidth = 340, kHeight = 270;
constexpr std::array<const char*, 6> kColours = {"#0072B2", "#D55E00", "#009E73", "#CC79A7", "#56B4E9", "#E69F00"};
constexpr std::array<const char*, 6> kDashes = {"", "7 3", "2 3", "9 3 2 3", "4 2", "12 4"};

class Canvas {
 public:
  explicit Canvas(const LineChart& chart) : chart_(chart) { text_ << std::fixed << std::setprecision(2); }
  double x(double value) const { return kLeft + (value - chart_.x_min) / span(chart_.x_min, chart_.x_max) * kWidth; }
  double y(double value) const { return kTop + kHeight - (value - chart_.y_min) / span(chart_.y_min, chart_.y_max) * kHeight; }
  std::ostringstream& text() { return text_; }

  void axes() {
    text_ << "<rect x='" << kLeft << "' y='" << kTop << "' width='" << kWidth << "' height='" << kHeight
          << "' fill='none' stroke='#888'/>\n";
    for (int tick = 0; tick <= 4; ++tick) {
      const double share = tick / 4.0;
      const double vx = chart_.x_min + share * (chart_.x_max - chart_.x_min), vy = chart_.y_min + share * (chart_.y_max - chart_.y_min);
      text_ << "<text x='" << x(vx) << "' y='" << kTop + kHeight + 16 << "' text-anchor='middle'>" << number(vx) << "</text>"
            << "<text x='" << kLeft - 6 << "' y='" << y(vy) + 4 << "' text-anchor='end'>" << number(vy) << "</text>\n";
    }
    text_ << "<text x='" << kLeft + kWidth / 2 << "' y='" << kTop + kHeight + 34 << "' text-anchor='middle'>" << escape_html(chart_.x_label)
          << "</text><text transform='translate(14 " << kTop + kHeight / 2 << ") rotate(-90)' text-anchor='middle'>"
          << escape_html(chart_.y_label) << "</text><text x='" << kLeft << "' y='20' font-weight='bold'>" << escape_html(chart_.title)
          << "</text>\n";
  }

  void line(const ChartLine& line, std::size_t index) {
    const char* colour = kColours[index % kColours.size()];
    text_ << "<polyline fill='none' stroke-width='2' stroke='" << colour << "' stroke-dasharray='" << kDashes[index % kDashes.size()]
          << "' points='";
    for (std::size_t i = 0; i < line.points.size(); ++i) {
      const auto& [px, py] = line.points[i];
      if (line.steps && i > 0) text_ << x(px) << ',' << y(line.points[i - 1].second) << ' ';
      text_ << x(px) << ',' << y(py) << ' ';
    }
    text_ << "'/>\n";
    for (const auto& [px, py] : line.points) {
      if (line.marks) text_ << "<circle cx='" << x(px) << "' cy='" << y(py) << "' r='3' fill='" << colour << "'/>";
    }
    const double column = kLeft + static_cast<double>(index % 3) * 120, row = kTop + kHeight + 52 + static_cast<double>(index / 3) * 16;
    text_ << "<line x1='" << column << "' x2='" << column + 24 << "' y1='" << row - 4 << "' y2='" << row - 4 << "' stroke-width='2' stroke='"
          << colour << "' stroke-dasharray='" << kDashes[index % kDashes.size()] << "'/><text x='" << column + 28 << "' y='" << row << "'>"
          << escape_html(line.name) << "</text>\n";
  }

 private:
  static double span(double low, double high) { return high > low ? high - low : 1; }
  static std::string number(double value) {
    std::ostringstream text;
    text << std::setprecision(3) << value;
    return text.str();
  }

  const LineChart& chart_;
  std::ostringstream text_;
};

}  // namespace

std::string escape_html(const std::string& text) {
  std::string out;
  for (const char c : text) {
    switch (c) {
      case '&': out += "&amp;"; break;
      case '<': out += "&lt;"; break;
      case '>': out += "&gt;"; break;
      case '"': out += "&quot;"; break;
      case '\'': out += "&#39;"; break;
      default: out += c;
    }
  }
  return out;
}

std::string draw_svg(const LineChart& chart) {
  Canvas canvas(chart);
  canvas.text() << "<svg xmlns='http://www.w3.org/2000/svg' width='420' height='396' viewBox='0 0 420 396' role='img' aria-label='"
                << escape_html(chart.title) << "' font-family='sans-serif' font-size='12'>\n";
  canvas.axes();
  if (chart.diagonal) {
    canvas.text() << "<line x1='" << canvas.x(chart.x_min) << "' y1='" << canvas.y(chart.y_min) << "' x2='" << canvas.x(chart.x_max)
                  << "' y2='" << canvas.y(chart.y_max) << "' stroke='#bbb'/>\n";
  }
  for (std::size_t i = 0; i < chart.lines.size(); ++i) canvas.line(chart.lines[i], i);
  canvas.text() << "</svg>\n";
  return canvas.text().str();
}

}  // namespace clmnet::tools
