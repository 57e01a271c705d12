#include "tools/stats/complete_rows.h"

#include <gtest/gtest.h>

#include "tools/base/error.h"
#include "tools/stats/mean_interval.h"

namespace clmnet::tools {
namespace {

CsvTable table(const std::string& text) { return CsvTable::parse(text, "t.csv"); }

template <typename Do>
std::string message(Do&& act) {
  try {
    act();
  } catch (const InputError& error) {
    return error.what();
  }
  return "no error";
}

TEST(IsMissing, CodesCompareByValueAndByText) {
  EXPECT_TRUE(is_missing("", {}));
  EXPECT_TRUE(is_missing(" \t", {}));
  EXPECT_TRUE(is_missing("NA", {}));
  EXPECT_TRUE(is_missing("-999.0", {"-999"}));
  EXPECT_TRUE(is_missing("[Not Available]", {"[Not Available]"}));
  EXPECT_FALSE(is_missing("-99", {"-999"}));
  EXPECT_FALSE(is_missing("0", {"-999"}));
  EXPECT_FALSE(is_missing("none", {}));
}

TEST(CompleteRows, CountsWhatIsLeftOutPerColumn) {
  const CompleteRows rows(table("a,b,c\n1,2,x\nNA,2,x\n,-9,x\n4,-9.0,x\n"), {"-9"}, {"a", "b"});
  EXPECT_EQ(rows.rows(), (std::vector<std::size_t>{0}));
  EXPECT_EQ(rows.report_text(), "1 of 4 rows, 3 left out: a missing in 2, b missing in 2");
  EXPECT_EQ(rows.report()["missing"], (nlohmann::json{{"a", 2}, {"b", 2}}));
}

TEST(CompleteRows, AColumnThatIsNotNeededMayBeEmpty) {
  const CompleteRows rows(table("a,b\n1,\n2,\n"), {}, {"a"});
  EXPECT_EQ(rows.size(), 2U);
  EXPECT_EQ(rows.report_text(), "2 of 2 rows");
}

TEST(CompleteRows, SaysWhichColumnsLeaveNothing) {
  EXPECT_NE(message([] {
              CompleteRows(table("a,b\n1,\n,2\n"), {}, {"a", "b"});
            }).find("t.csv: no row has a value in each of 'a', 'b'; 0 of 2 rows"),
            std::string::npos);
  EXPECT_NE(message([] { CompleteRows(table("a\n1\n"), {}, {"z"}); }).find("no column 'z'"), std::string::npos);
}

TEST(CompleteRows, NumbersNameTheCell) {
  const CompleteRows rows(table("a\n1\n\n1e2\nx\n"), {}, {"a"});
  EXPECT_EQ(message([&] { rows.numbers("a"); }),
            "t.csv: line 5, column 'a': 'x' is not a number; if it stands for 'missing' name it with --missing");
}

TEST(CompleteRows, TruthHasTwoValues) {
  EXPECT_EQ(CompleteRows(table("y\n1\n0.0\n1.0\nTRUE\nFALSE\n"), {}, {"y"}).truth("y", "1"),
            (std::vector<std::uint8_t>{1, 0, 1, 1, 0}));
  EXPECT_EQ(CompleteRows(table("y\nMSI\nMSS\n"), {}, {"y"}).truth("y", "MSI"), (std::vector<std::uint8_t>{1, 0}));
  EXPECT_NE(message([] { CompleteRows(table("y\n1\n0\n-1\n"), {}, {"y"}).truth("y", "1"); }).find("line 4"), std::string::npos);
  EXPECT_NE(message([] { CompleteRows(table("y\n0\n0\n"), {}, {"y"}).truth("y", "1"); }).find("has no '1'"), std::string::npos);
}

TEST(CompleteRows, LeavesOutMore) {
  CompleteRows rows(table("a\n1\n2\n3\n"), {}, {"a"});
  rows.leave_out({true, false, true}, "of another kind");
  EXPECT_EQ(rows.numbers("a"), (std::vector<double>{1, 3}));
  EXPECT_EQ(rows.report_text(), "2 of 3 rows, 1 left out: 1 of another kind");
}

TEST(MeanOfDefined, LeavesOutWhatIsUndefined) {
  EXPECT_DOUBLE_EQ(mean_of_defined({1, std::nan(""), 4}), 2.5);
  EXPECT_TRUE(std::isnan(mean_of_defined({std::nan("")})));
  EXPECT_TRUE(std::isnan(mean_of_defined({})));
}

TEST(MeanInterval, ByHand) {
  const auto result = mean_interval({1, 3, std::nan(""), 2}, {"p", "p", "q", "q"}, 200, 1, 0.95);
  EXPECT_EQ(result.n, 3U);
  EXPECT_DOUBLE_EQ(result.mean, 2);
  EXPECT_DOUBLE_EQ(result.sd, 1);
  EXPECT_DOUBLE_EQ(result.median, 2);
  // Both patients have the mean 2: no resample says anything else.
  EXPECT_DOUBLE_EQ(result.lower, 2);
  EXPECT_DOUBLE_EQ(result.upper, 2);
}

TEST(MeanInterval, OneUnitHasNoInterval) {
  const auto result = mean_interval({1, 3}, {"p", "p"}, 200, 1, 0.95);
  EXPECT_DOUBLE_EQ(result.mean, 2);
  EXPECT_TRUE(std::isnan(result.lower));
  EXPECT_EQ(mean_interval({}, {}, 200, 1, 0.95).n, 0U);
  EXPECT_TRUE(std::isnan(mean_interval({std::nan("")}, {"p"}, 200, 1, 0.95).mean));
}

}  // namespace
}  // namespace clmnet::tools
