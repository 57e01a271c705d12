#include "tools/report/forest_figure.h"

#include <gtest/gtest.h>

#include <cmath>
#include <cstdlib>
#include <stdexcept>

#include "tests/base/temporary_folder.h"
#include "tools/base/atomic_file.h"

namespace clmnet::tools {
namespace {

ForestFigure figure() {
  return {{{"Age", 1.02, 0.98, 1.06, "0.35", ""},
           {"Stage: IV", 4.5, 2.5, 8.1, "<0.001", ""},
           {"Separating", std::nan(""), std::nan(""), std::nan(""), "NA", "not estimable"}}};
}

TEST(ForestFigure, SaysItsNumbers) {
  const std::string script = forest_script(figure());
  EXPECT_NE(script.find("1.02 (0.98–1.06)"), std::string::npos);
  EXPECT_NE(script.find("4.50 (2.50–8.10)"), std::string::npos);
  EXPECT_NE(script.find("not estimable"), std::string::npos);
  EXPECT_NE(script.find("set logscale x"), std::string::npos);
}

TEST(ForestFigure, NoteStandsUnderTheAxis) {
  ForestFigure noted = figure();
  noted.note = "Cox regression, n = 166, 89 events";
  EXPECT_NE(forest_script(noted).find("Cox regression, n = 166, 89 events"), std::string::npos);
  EXPECT_NE(forest_script(noted), forest_script(figure()));
}

TEST(ForestFigure, HugeIntervalsAreCutAtTheAxis) {
  ForestFigure wide = figure();
  wide.rows[0] = {"Sparse", 3, 1e-9, 1e12, "0.99", ""};
  EXPECT_EQ(forest_script(wide).find("1e+12 "), std::string::npos);
}

TEST(ForestFigure, RefusesNoneAndTooMany) {
  ForestFigure none;
  EXPECT_THROW(forest_script(none), std::invalid_argument);
  none.rows.resize(41, figure().rows[0]);
  EXPECT_THROW(forest_script(none), std::invalid_argument);
}

TEST(ForestFigure, IsDrawnAlsoWithoutAnyEstimate) {
  if (std::system("gnuplot -V >/dev/null 2>&1") != 0) GTEST_SKIP() << "gnuplot is not installed";
  const test::TemporaryFolder folder;
  draw_forest(folder / "f.pdf", figure());
  EXPECT_EQ(read_whole_file(folder / "f.pdf").substr(0, 5), "%PDF-");
  ForestFigure empty = figure();
  empty.rows.erase(empty.rows.begin(), empty.rows.begin() + 2);
  draw_forest(folder / "e.svg", empty);
  EXPECT_NE(read_whole_file(folder / "e.svg").find("not estimable"), std::string::npos);
}

}  // namespace
}  // namespace clmnet::tools
