#pragma once

#include <string>
#include <vector>

#include "tools/cv/cv_table.h"

namespace clmnet::tools {

/// An image to show, by its row in the table of the first repeat.
struct ExampleChoice {
  const char* kind;  ///< "best" and "worst": highest and lowest Dice of the ensemble; "wrong": its wrong calls, the surest first
  std::size_t row;
};

/// Three best, three worst and up to six wrong ones; the same for the same table.
std::vector<ExampleChoice> choose_examples(const CvTable& table);

/// What the predictions say of a row, under its picture.
std::string example_caption(const CvTable& table, std::size_t row);

}  // namespace clmnet::tools
