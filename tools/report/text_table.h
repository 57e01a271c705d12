#pragma once

#include <string>
#include <vector>

namespace clmnet::tools {

/// A table for the terminal: the first column to the left, the others to the right, as wide as they need to be.
class TextTable {
 public:
  explicit TextTable(std::vector<std::string> header);
  /// Throws std::invalid_argument unless there is a cell for each column.
  void add(std::vector<std::string> cells);
  /// Lines with a line break each; UTF-8 letters count as one column.
  std::string text() const;

 private:
  std::vector<std::vector<std::string>> rows_;
};

}  // namespace clmnet::tools
