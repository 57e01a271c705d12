#include "tools/report/km_figure.h"

#include <gtest/gtest.h>

#include <stdexcept>

namespace clmnet::tools {
namespace {

KmFigure two_groups(const std::string& first = "Low risk") {
  return {{first, "High risk"},
          {survival::kaplan_meier({2, 4, 6, 8, 9, 10}, {1, 0, 1, 0, 0, 0}), survival::kaplan_meier({1, 2, 3, 4}, {1, 1, 1, 1})},
          "Time (months)"};
}

double right_edge(const std::string& script) {
  const std::string key = "set rmargin at screen ";
  return std::stod(script.substr(script.find(key) + key.size()));
}

// 2 of 6 die: S stays above one half. All four of the others die, the second at 2, where S is one half until 3: the middle
// is 2.5.
TEST(KmFigure, LegendSaysEventsMediansAndWhatTheyAre) {
  KmFigure figure = two_groups();
  figure.test = "Log-rank p = 0.018";
  const std::string script = km_script(figure);
  EXPECT_NE(script.find("Low risk: 2/6 events, median NR ("), std::string::npos);
  EXPECT_NE(script.find("High risk: 4/4 events, median 2.5 ("), std::string::npos);
  EXPECT_NE(script.find("95% CI (log-log); NR, not reached"), std::string::npos);
  EXPECT_NE(script.find("Log-rank p = 0.018"), std::string::npos);
  EXPECT_NE(script.find("Number at risk"), std::string::npos);
}

TEST(KmFigure, SpeaksOfNotReachedOnlyWhereItIs) {
  KmFigure figure;
  figure.names = {"All"};
  std::vector<double> time;
  for (int k = 1; k <= 40; ++k) time.push_back(k);
  figure.curves = {survival::kaplan_meier(time, std::vector<std::uint8_t>(40, 1))};
  figure.scale = survival::ConfidenceScale::plain;
  figure.level = 0.9;
  const std::string script = km_script(figure);
  EXPECT_NE(script.find("\"90% CI (plain)\""), std::string::npos);
  EXPECT_EQ(script.find("NR"), std::string::npos);
}

TEST(KmFigure, AnEmptyGroupHasNoMedian) {
  KmFigure figure = two_groups();
  figure.curves[1] = survival::KaplanMeier();
  EXPECT_NE(km_script(figure).find("\"High risk: nobody\""), std::string::npos);
}

TEST(KmFigure, GetsWiderSoThatALongLegendIsNotCut) {
  const double plain = right_edge(km_script(two_groups()));
  const double wide =
      right_edge(km_script(two_groups("Fibrosis above forty per cent of the area of all metastases that were resected")));
  EXPECT_NEAR(plain, 1 - 18.0 / 504, 1e-9);
  EXPECT_GT(wide, plain);   // 18 pt of a wider figure
}

// 1 of 4 dies at 1: S = 3/4 and log-log limits exp(log(3/4) exp(+-1.96 / sqrt(12) / log(3/4))). Before that S is 1 without doubt.
TEST(KmFigure, TheBandBeginsAtTheFirstEvent) {
  const std::string script = km_script(two_groups());
  const auto second = script.find("$band1 << EOD\n");
  ASSERT_NE(second, std::string::npos);
  EXPECT_EQ(script.substr(second, 57), "$band1 << EOD\n0 1 NaN NaN\n1 1 NaN NaN\n1 0.75 0.1279469176");
}

TEST(KmFigure, RefusesNoneTooManyAndNamelessCurves) {
  EXPECT_THROW(km_script({}), std::invalid_argument);
  KmFigure figure = two_groups();
  figure.names.pop_back();
  EXPECT_THROW(km_script(figure), std::invalid_argument);
  figure = two_groups();
  figure.names.resize(9, "one more");
  figure.curves.resize(9, figure.curves[0]);
  EXPECT_THROW(km_script(figure), std::invalid_argument);
}

TEST(KmFigure, LabelsOfColumns) {
  EXPECT_EQ(label_of_column("overall_survival_months"), "Overall survival (months)");
  EXPECT_EQ(label_of_column("months"), "Months");
}

}  // namespace
}  // namespace clmnet::tools
