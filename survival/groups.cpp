#include "survival/groups.h"

#include <algorithm>
#include <cstdio>
#include <map>
#include <optional>

#include "tools/base/csv.h"

namespace clmnet::survival {
namespace {

std::string number_text(double value) {
  char text[32];
  std::snprintf(text, sizeof text, "%.15g", value);
  return text;
}

}  // namespace

Groups make_groups(const std::vector<std::string>& label_of_subject) {
  Groups groups;
  groups.code.reserve(label_of_subject.size());
  const bool numeric = !label_of_subject.empty() &&
                       std::all_of(label_of_subject.begin(), label_of_subject.end(),
                                   [](const std::string& label) { return parse_number(label).has_value(); });
  if (numeric) {
    std::map<double, std::uint32_t> position;
    for (const auto& label : label_of_subject) position.emplace(*parse_number(label) + 0.0, 0);
    for (auto& [value, code] : position) {
      code = static_cast<std::uint32_t>(groups.labels.size());
      groups.labels.push_back(number_text(value));
    }
    for (const auto& label : label_of_subject) groups.code.push_back(position.at(*parse_number(label) + 0.0));
    return groups;
  }
  std::map<std::string, std::uint32_t> position;
  for (const auto& label : label_of_subject) position.emplace(label, 0);
  for (auto& [label, code] : position) {
    code = static_cast<std::uint32_t>(groups.labels.size());
    groups.labels.push_back(label);
  }
  for (const auto& label : label_of_subject) groups.code.push_back(position.at(label));
  return groups;
}

Groups one_group(std::size_t n, const std::string& label) { return {std::vector<std::uint32_t>(n, 0), {label}}; }

Groups select(const Groups& groups, const std::vector<std::size_t>& rows) {
  Groups part{{}, groups.labels};
  part.code.reserve(rows.size());
  for (const std::size_t row : rows) part.code.push_back(groups.code.at(row));
  return part;
}

std::vector<std::vector<std::size_t>> members(const Groups& groups) {
  std::vector<std::vector<std::size_t>> rows(groups.size());
  for (std::size_t i = 0; i < groups.code.size(); ++i) rows.at(groups.code[i]).push_back(i);
  return rows;
}

}  // namespace clmnet::survival
