#include "tools/base/csv.h"

#include <algorithm>
#include <charconv>
#include <cmath>

#include "tools/base/atomic_file.h"
#include "tools/base/error.h"

namespace clmnet {
namespace {

constexpr std::string_view kByteOrderMark = "\xEF\xBB\xBF";

/// Reads records one after the other from a text that stays alive meanwhile.
class RecordReader {
 public:
  RecordReader(std::string_view text, const std::string& name) : text_(text), name_(name) {
    if (text_.starts_with(kByteOrderMark)) position_ = kByteOrderMark.size();
  }

  /// The next record that is not an empty line; false at the end.
  bool next(std::vector<std::string>& fields, std::size_t& first_line) {
    while (position_ < text_.size()) {
      first_line = line_;
      fields.clear();
      read_record(fields);
      if (fields.size() > 1 || !fields[0].empty()) return true;
    }
    return false;
  }

 private:
  void read_record(std::vector<std::string>& fields) {
    for (;;) {
      fields.emplace_back();
      const bool more = text_.substr(position_).starts_with('"') ? read_quoted(fields.back()) : read_plain(fields.back());
      if (!more) return;
    }
  }

  /// Both return whether another field of the same record follows.
  bool read_plain(std::string& field) {
    const std::size_t end = std::min(text_.find_first_of(",\n", position_), text_.size());
    field.assign(text_.substr(position_, end - position_));
    position_ = end;
    return finish_field(field);
  }

  bool read_quoted(std::string& field) {
    const std::size_t opened = line_;
    for (++position_; position_ < text_.size(); ++position_) {
      const char c = text_[position_];
      if (c == '\n') ++line_;
      if (c != '"') {
        field += c;
      } else if (position_ + 1 < text_.size() && text_[position_ + 1] == '"') {
        field += c;
        ++position_;
      } else {
        ++position_;
        std::string rest;
        const bool more = read_plain(rest);
        if (!rest.empty()) throw InputError(name_ + ": line " + std::to_string(opened) + ": text after a closing quote");
        return more;
      }
    }
    throw InputError(name_ + ": line " + std::to_string(opened) + ": the quote is not closed");
  }

  bool finish_field(std::string& field) {
    const bool record_ends = position_ >= text_.size() || text_[position_] == '\n';
    if (record_ends && !field.empty() && field.back() == '\r') field.pop_back();
    if (position_ < text_.size()) {
      if (record_ends) ++line_;
      ++position_;
    }
    return !record_ends;
  }

  std::string_view text_;
  const std::string& name_;
  std::size_t position_ = 0;
  std::size_t line_ = 1;
};

/// Excel's "Unicode text" is UTF-16, and a spreadsheet given by mistake is a ZIP file: both hold zero bytes early on.
void require_plain_text(std::string_view text, const std::string& name) {
  if (text.starts_with("\xFF\xFE") || text.starts_with("\xFE\xFF")) {
    throw InputError(name + ": is UTF-16 text, expected UTF-8; save it as 'CSV UTF-8'");
  }
  if (const auto zero = text.find('\0'); zero != std::string_view::npos) {
    throw InputError(name + ": byte " + std::to_string(zero) + " is zero, so this is no CSV file; export the table as CSV");
  }
  const bool bare_returns = text.find('\r') != std::string_view::npos && text.find('\n') == std::string_view::npos;
  if (bare_returns && text.find('\r') + 1 < text.size()) {
    throw InputError(name + ": lines end with carriage returns only, expected line feeds; save it with Unix or Windows line ends");
  }
}

std::string joined(const std::vector<std::string>& names) {
  std::string text;
  for (const auto& name : names) text += (text.empty() ? "" : ", ") + name;
  return text;
}

}  // namespace

CsvTable CsvTable::read(const std::filesystem::path& path) { return parse(read_whole_file(path), path.string()); }

CsvTable CsvTable::parse(std::string_view text, const std::string& name) {
  require_plain_text(text, name);
  CsvTable table;
  table.name_ = name;
  RecordReader reader(text, name);
  std::vector<std::string> fields;
  std::size_t line = 0;
  if (!reader.next(fields, line)) throw InputError(name + ": the file is empty, expected a CSV header line");
  table.columns_ = fields;
  for (std::size_t i = 0; i < fields.size(); ++i) {
    if (std::find(fields.begin(), fields.begin() + static_cast<std::ptrdiff_t>(i), fields[i]) !=
        fields.begin() + static_cast<std::ptrdiff_t>(i)) {
      throw InputError(name + ": the column '" + fields[i] + "' stands twice in the header; rename one");
    }
  }
  while (reader.next(fields, line)) {
    if (fields.size() != table.columns_.size()) {
      throw InputError(name + ": line " + std::to_string(line) + " has " + std::to_string(fields.size()) +
                       " fields, the header has " + std::to_string(table.columns_.size()));
    }
    table.lines_.push_back(line);
    std::move(fields.begin(), fields.end(), std::back_inserter(table.cells_));
  }
  return table;
}

std::optional<std::size_t> CsvTable::find(std::string_view column) const {
  const auto it = std::find(columns_.begin(), columns_.end(), column);
  if (it == columns_.end()) return std::nullopt;
  return static_cast<std::size_t>(it - columns_.begin());
}

std::size_t CsvTable::column(std::string_view column) const {
  if (const auto at = find(column)) return *at;
  throw InputError(name_ + ": no column '" + std::string(column) + "'; there are: " + joined(columns_));
}

std::string CsvTable::where(std::size_t row, std::size_t column) const {
  return name_ + ": line " + std::to_string(line(row)) + ", column '" + columns_[column] + "'";
}

double CsvTable::number(std::size_t row, std::size_t column) const {
  if (const auto value = parse_number(cell(row, column))) return *value;
  throw InputError(where(row, column) + ": '" + cell(row, column) + "' is not a number");
}

std::optional<double> parse_number(std::string_view text) {
  while (!text.empty() && (text.front() == ' ' || text.front() == '\t')) text.remove_prefix(1);
  while (!text.empty() && (text.back() == ' ' || text.back() == '\t')) text.remove_suffix(1);
  if (text.starts_with('+') && text.size() > 1 && text[1] != '-') text.remove_prefix(1);
  double value = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
  if (text.empty() || error != std::errc() || end != text.data() + text.size() || !std::isfinite(value)) return std::nullopt;
  return value;
}

std::string csv_field(std::string_view text) {
  if (text.find_first_of(",\"\r\n") == std::string_view::npos) return std::string(text);
  std::string quoted = "\"";
  for (const char c : text) quoted += c == '"' ? "\"\"" : std::string(1, c);
  return quoted + "\"";
}

}  // namespace clmnet
