#include "tools/base/csv.h"

#include <gtest/gtest.h>

#include "tests/base/temporary_folder.h"
#include "tools/base/error.h"

namespace clmnet {
namespace {

using test::message_of;
using test::TemporaryFolder;

CsvTable parse(std::string_view text) { return CsvTable::parse(text, "t.csv"); }
std::string error_of(std::string_view text) {
  return message_of<InputError>([&] { parse(text); });
}

// ---- what is read ----

TEST(Csv, PlainCells) {
  const auto table = parse("id,age\np1,65\np2,7.5\n");
  ASSERT_EQ(table.rows(), 2u);
  EXPECT_EQ(table.columns(), (std::vector<std::string>{"id", "age"}));
  EXPECT_EQ(table.cell(1, 0), "p2");
  EXPECT_DOUBLE_EQ(table.number(1, 1), 7.5);
}

TEST(Csv, QuotesHoldCommasQuotesAndLineBreaks) {
  const auto table = parse("id,note\np1,\"a, \"\"b\"\"\nc\"\np2,x\n");
  ASSERT_EQ(table.rows(), 2u);
  EXPECT_EQ(table.cell(0, 1), "a, \"b\"\nc");
  EXPECT_EQ(table.line(0), 2u);
  EXPECT_EQ(table.line(1), 4u) << "the line break inside the quotes counts";
}

TEST(Csv, WindowsLineEndsAndByteOrderMark) {
  const auto table = parse("\xEF\xBB\xBFid,age\r\np1,\"65\"\r\n\r\np2,66");
  ASSERT_EQ(table.rows(), 2u);
  EXPECT_EQ(table.columns()[0], "id");
  EXPECT_DOUBLE_EQ(table.number(0, 1), 65);
  EXPECT_DOUBLE_EQ(table.number(1, 1), 66);
  EXPECT_EQ(table.line(1), 4u);
}

TEST(Csv, EmptyCellsStayAtTheEndOfALine) {
  const auto table = parse("a,b,c\n,,\n1,,\n1,2,");
  ASSERT_EQ(table.rows(), 3u);
  EXPECT_EQ(table.cell(0, 0), "");
  EXPECT_EQ(table.cell(1, 2), "");
  EXPECT_EQ(table.cell(2, 1), "2");
}

TEST(Csv, HeaderOnlyIsATableWithoutRows) { EXPECT_EQ(parse("a,b\n").rows(), 0u); }

TEST(Csv, CarriageReturnInsideALineIsKept) { EXPECT_EQ(parse("a,b\nx\ry,2\n").cell(0, 0), "x\ry"); }

TEST(Csv, FieldsThatAreWrittenAreReadBack) {
  for (const std::string text : {"plain", "a,b", "say \"x\"", "two\nlines", "ends with \"", "\"", "", "\r\n", "ü, µm"}) {
    EXPECT_EQ(parse("a,b\n" + csv_field(text) + ",1\n").cell(0, 0), text) << text;
  }
}

TEST(Csv, FindIsEmptyWithoutTheColumn) {
  EXPECT_EQ(parse("a,b\n").find("b"), 1u);
  EXPECT_EQ(parse("a,b\n").find("B"), std::nullopt) << "names keep their case";
}

// ---- what is refused ----

TEST(CsvErrors, MissingFile) {
  const auto message = message_of<InputError>([] { CsvTable::read("/nowhere/cohort.csv"); });
  EXPECT_EQ(message, "/nowhere/cohort.csv: no such file; check the path");
}

TEST(CsvErrors, Folder) {
  TemporaryFolder folder;
  EXPECT_EQ(message_of<InputError>([&] { CsvTable::read(folder.path()); }),
            folder.path().string() + ": is a folder, expected a file");
}

TEST(CsvErrors, EmptyText) { EXPECT_EQ(error_of(""), "t.csv: the file is empty, expected a CSV header line"); }
TEST(CsvErrors, OnlyLineBreaks) { EXPECT_NE(error_of("\n\r\n\n").find("is empty"), std::string::npos); }
TEST(CsvErrors, OnlyAByteOrderMark) { EXPECT_NE(error_of("\xEF\xBB\xBF").find("is empty"), std::string::npos); }

TEST(CsvErrors, QuoteNotClosedNamesTheLineItOpensOn) {
  EXPECT_EQ(error_of("a,b\n1,2\n3,\"x\n\n5,6\n"), "t.csv: line 3: the quote is not closed");
}
TEST(CsvErrors, QuoteNotClosedInTheHeader) { EXPECT_EQ(error_of("a,\"b"), "t.csv: line 1: the quote is not closed"); }
TEST(CsvErrors, TextAfterAQuote) { EXPECT_EQ(error_of("a,b\n\"1\"2,3\n"), "t.csv: line 2: text after a closing quote"); }

TEST(CsvErrors, ColumnTwice) {
  EXPECT_EQ(error_of("a,b,a\n1,2,3\n"), "t.csv: the column 'a' stands twice in the header; rename one");
}
TEST(CsvErrors, TwoColumnsWithoutAName) { EXPECT_NE(error_of("a,,\n1,2,3\n").find("'' stands twice"), std::string::npos); }

TEST(CsvErrors, RowTooShort) { EXPECT_EQ(error_of("a,b\n1,2\n3\n"), "t.csv: line 3 has 1 fields, the header has 2"); }
TEST(CsvErrors, RowTooLong) { EXPECT_EQ(error_of("a,b\n1,2,3\n"), "t.csv: line 2 has 3 fields, the header has 2"); }

TEST(CsvErrors, TruncatedInTheMiddleOfARow) {
  // What a full disk or a broken download leaves.
  EXPECT_NE(error_of("id,time,event\np1,12,1\np2,1").find("line 3 has 2 fields"), std::string::npos);
}

TEST(CsvErrors, Utf16) {
  EXPECT_EQ(error_of(std::string_view("\xFF\xFE" "a\0,\0", 6)), "t.csv: is UTF-16 text, expected UTF-8; save it as 'CSV UTF-8'");
  EXPECT_NE(error_of(std::string_view("\xFE\xFF\0a", 4)).find("UTF-16"), std::string::npos);
}
TEST(CsvErrors, BinaryFile) {
  EXPECT_EQ(error_of(std::string_view("PK\x03\x04\0\0a,b\n", 10)),
            "t.csv: byte 4 is zero, so this is no CSV file; export the table as CSV");
}
TEST(CsvErrors, BareCarriageReturns) { EXPECT_NE(error_of("a,b\r1,2\r3,4\r").find("carriage returns only"), std::string::npos); }

TEST(CsvErrors, MissingColumnListsWhatThereIs) {
  const auto table = parse("id,age\np1,65\n");
  EXPECT_EQ(message_of<InputError>([&] { (void)table.column("Age"); }), "t.csv: no column 'Age'; there are: id, age");
}

TEST(CsvErrors, NumberNamesTheCell) {
  const auto table = parse("id,age\np1,65\n\np2,n/a\n");
  EXPECT_EQ(message_of<InputError>([&] { (void)table.number(1, 1); }), "t.csv: line 4, column 'age': 'n/a' is not a number");
}
TEST(CsvErrors, EmptyCellIsNoNumber) {
  const auto table = parse("id,age\np1,\n");
  EXPECT_NE(message_of<InputError>([&] { (void)table.number(0, 1); }).find("'' is not a number"), std::string::npos);
}

// ---- numbers ----

TEST(ParseNumber, Accepts) {
  EXPECT_DOUBLE_EQ(parse_number("65").value(), 65);
  EXPECT_DOUBLE_EQ(parse_number(" +1.5e-3\t").value(), 0.0015);
  EXPECT_DOUBLE_EQ(parse_number("-999").value(), -999);
  EXPECT_DOUBLE_EQ(parse_number(".5").value(), 0.5);
}

TEST(ParseNumber, Refuses) {
  for (const char* text : {"", " ", "1,5", "1.5.2", "12 months", "0x10", "1e", "e5", "--1", "+-1", "+", "- 1", "1 2", "nan", "inf",
                           "-inf", "1e999", "NA", "1_000"}) {
    EXPECT_EQ(parse_number(text), std::nullopt) << "'" << text << "'";
  }
}

}  // namespace
}  // namespace clmnet
