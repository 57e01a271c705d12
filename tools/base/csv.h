#pragma once

#include <cstddef>
#include <filesystem>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace clmnet {

/// A CSV file with a header line (RFC 4180: quoted fields, doubled quotes, line breaks inside quotes, CRLF, a byte-order mark).
class CsvTable {
 public:
  /// Throws InputError when the file is missing, empty or no UTF-8 text, a quote is not closed, a column name stands twice,
  /// or a row has more or fewer fields than the header; the message names file and line. Empty lines are skipped.
  static CsvTable read(const std::filesystem::path& path);
  /// As read, from text; `name` stands for the file in messages.
  static CsvTable parse(std::string_view text, const std::string& name);

  const std::string& name() const { return name_; }
  const std::vector<std::string>& columns() const { return columns_; }
  std::size_t rows() const { return lines_.size(); }

  /// Position of a column, empty when there is none.
  std::optional<std::size_t> find(std::string_view column) const;
  /// Position of a column. Throws InputError that lists the columns there are.
  std::size_t column(std::string_view column) const;

  const std::string& cell(std::size_t row, std::size_t column) const { return cells_[row * columns_.size() + column]; }
  /// The line of the file (from 1) that a row begins on.
  std::size_t line(std::size_t row) const { return lines_[row]; }
  /// "cohort.csv: line 12, column 'age'", for messages.
  std::string where(std::size_t row, std::size_t column) const;

  /// A finite number in C notation. Throws InputError naming the cell otherwise; an empty cell is an error too.
  double number(std::size_t row, std::size_t column) const;

 private:
  std::string name_;
  std::vector<std::string> columns_;
  std::vector<std::string> cells_;
  std::vector<std::size_t> lines_;
};

/// A whole finite number, surrounding blanks allowed; empty otherwise. Independent of the locale.
std::optional<double> parse_number(std::string_view text);

/// A field as CSV: quoted when it holds a comma, a quote or a line break.
std::string csv_field(std::string_view text);

}  // namespace clmnet
