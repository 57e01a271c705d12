#include "tools/report/curve_figure.h"

#include <gtest/gtest.h>

#include <cstdlib>
#include <stdexcept>

#include "tests/base/file_size_limit.h"
#include "tests/base/temporary_folder.h"
#include "tools/base/atomic_file.h"
#include "tools/base/error.h"
#include "tools/report/numbers.h"
#include "tools/report/text_table.h"

namespace clmnet::tools {
namespace {

bool has_gnuplot() { return std::system("gnuplot -V >/dev/null 2>&1") == 0; }

CurveFigure roc_like() {
  FigureCurve curve;
  curve.name = "a \"quoted\" name";
  curve.x = {0, 0, 1};
  curve.y = {0, 0.8, 1};
  return {{curve}, "x", "y", 0, 1, 0, 1, true, {}, {}};
}

bool legend_in_plot(const CurveFigure& figure) { return curve_script(figure).find("graph 1.0") == std::string::npos; }

TEST(CurveFigure, LegendStandsWhereNoCurveIs) {
  EXPECT_TRUE(legend_in_plot(roc_like()));
  // Curves in every corner push it over the plot.
  CurveFigure full = roc_like();
  full.curves[0].x = {0, 1, 1, 0, 0, 1, 1, 0};
  full.curves[0].y = {0.05, 0.05, 0.95, 0.95, 0.9, 0.9, 0.1, 0.1};
  EXPECT_FALSE(legend_in_plot(full));
}

TEST(CurveFigure, RefusesNoneAndTooMany) {
  CurveFigure figure = roc_like();
  figure.curves.resize(9, figure.curves[0]);
  EXPECT_THROW(curve_script(figure), std::invalid_argument);
  figure.curves.clear();
  EXPECT_THROW(curve_script(figure), std::invalid_argument);
}

TEST(CurveFigure, IsDrawnWholeOrNotAtAll) {
  if (!has_gnuplot()) GTEST_SKIP() << "gnuplot is not installed";
  const test::TemporaryFolder folder;
  draw_curves(folder / "a.svg", roc_like());
  EXPECT_NE(read_whole_file(folder / "a.svg").find("a \"quoted\" name"), std::string::npos);
  draw_curves(folder / "a.pdf", roc_like());
  EXPECT_EQ(read_whole_file(folder / "a.pdf").substr(0, 5), "%PDF-");
  EXPECT_THROW(draw_curves(folder / "a.png", roc_like()), InputError);
  EXPECT_FALSE(std::filesystem::exists(folder / "a.png"));
}

TEST(CurveFigure, AFullDiskIsSaidAndNoHalfFigureLeft) {
  if (!has_gnuplot()) GTEST_SKIP() << "gnuplot is not installed";
  const test::TemporaryFolder folder;
  for (const char* name : {"a.svg", "a.pdf"}) {
    const auto message = test::message_of<InputError>([&] {
      const test::FileSizeLimit limit(3000);
      draw_curves(folder / name, roc_like());
    });
    EXPECT_NE(message.find(std::string(name) + ": gnuplot could not write the figure to its end"), std::string::npos) << message;
  }
  EXPECT_EQ(folder.entries(), 0U);
}

TEST(Numbers, AsPeopleReadThem) {
  EXPECT_EQ(number_text(0.1 + 0.2), "0.3");
  EXPECT_EQ(number_text(std::nan("")), "NA");
  EXPECT_EQ(fixed_text(-INFINITY, 2), "-Inf");
  EXPECT_EQ(interval_text(0.5, 0.25, 0.75, 2), "0.50 (0.25–0.75)");
  EXPECT_EQ(interval_text(-0.5, -0.75, 0.25, 2), "-0.50 (-0.75 to 0.25)");
  EXPECT_EQ(interval_text(0.5, std::nan(""), 1, 1), "0.5");
  EXPECT_EQ(p_text(0.0004), "p < 0.001");
  EXPECT_EQ(p_text(0.0126), "p = 0.013");
  EXPECT_EQ(p_text(0.476), "p = 0.48");
  EXPECT_EQ(p_text(std::nan("")), "p undefined");
  EXPECT_TRUE(json_number(INFINITY).is_null());
}

TEST(TextTable, AlignsLettersNotBytes) {
  TextTable table({"", "µm"});
  table.add({"α–β", "1"});
  table.add({"x", "22.5"});
  EXPECT_EQ(table.text(), "       µm\nα–β     1\nx    22.5\n");
  EXPECT_THROW(table.add({"one"}), std::invalid_argument);
}

}  // namespace
}  // namespace clmnet::tools
