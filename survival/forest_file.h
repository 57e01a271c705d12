#pragma once

#include <cstdint>
#include <filesystem>
#include <map>
#include <string>
#include <utility>
#include <vector>

#include "survival/decision_tree.h"
#include "survival/random_forest.h"

namespace clmnet::survival {

/// What both kinds of forest put into a file: a line that names the form, the SHA-256 of what follows, a line of JSON
/// (settings, sizes), then the trees and arrays as little-endian numbers.
struct ForestFile {
  std::string kind;  ///< "classification" or "survival"
  ForestOptions options;
  int training_rows = 0;
  int features = 0;
  int classes = 0;
  std::vector<std::string> feature_names;  ///< empty or `features` of them
  std::vector<DecisionTree> trees;
  std::map<std::string, std::vector<std::vector<double>>> arrays;  ///< by name: a list of lists, mostly one a tree

  /// Moves an array out. Throws InputError when the file lacks it.
  std::vector<std::vector<double>> take_array(const std::string& name, const std::filesystem::path& path);
};

/// Throws InputError when the file cannot be written, std::invalid_argument when the number of names is wrong.
void write_forest_file(const std::filesystem::path& path, const ForestFile& file);

/// Throws InputError when the file is missing, damaged (its checksum or a number in it is wrong) or of another kind.
/// Every tree that comes back is one: links run forward, leaves are numbered once, features are in range.
ForestFile read_forest_file(const std::filesystem::path& path, const std::string& kind);

/// Throws InputError: the file is damaged.
[[noreturn]] void throw_damaged(const std::filesystem::path& path);

// What the two forests share beside the file.

/// Fills in features_per_split. Throws std::invalid_argument when an option is out of range.
void check_forest_options(ForestOptions& options, int features);
/// The leaf that row `row` of x ends in when its `feature` had `value`.
std::int32_t leaf_with_value(const DecisionTree& tree, const Eigen::Ref<const Eigen::MatrixXd>& x, int row, int feature,
                             double value);
/// Mean and error over trees of a loss that is listed where it is not zero: per tree (feature, loss).
PermutationImportance importance_over_trees(const std::vector<std::vector<std::pair<std::int32_t, double>>>& loss,
                                            int features);

}  // namespace clmnet::survival
