#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <vector>

namespace clmnet::survival {

/// A partition of n subjects into named groups (arms, strata, clusters).
struct Groups {
  std::vector<std::uint32_t> code;   ///< n, position of the subject's group in `labels`
  std::vector<std::string> labels;   ///< one per group; a group may be empty

  std::size_t size() const { return labels.size(); }
};

/// Groups in the order of R's factor(): numbers by value where all labels are numbers, else by bytes (the C locale).
/// A number is written without trailing zeros ("1.0" and "1" are one group).
Groups make_groups(const std::vector<std::string>& label_of_subject);

/// Everyone in one group.
Groups one_group(std::size_t n, const std::string& label = "all");

/// The groups of the subjects in `rows`; labels stay, so codes keep their meaning.
Groups select(const Groups& groups, const std::vector<std::size_t>& rows);

/// Subjects of each group, ascending.
std::vector<std::vector<std::size_t>> members(const Groups& groups);

}  // namespace clmnet::survival
