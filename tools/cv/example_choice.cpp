#include "tools/cv/example_choice.h"

#include <algorithm>
#include <cmath>

#include "tools/report/numbers.h"

namespace clmnet::tools {
namespace {

constexpr std::size_t kBestAndWorst = 3, kWrong = 6;

/// How sure the ensemble was of what it said.
double surety(const CvTable& table, std::size_t row) {
  const double p = table.columns[0].probability[row];
  return table.columns[0].called[row] > 0 ? p : 1 - p;
}

}  // namespace

std::vector<ExampleChoice> choose_examples(const CvTable& table) {
  const auto& ensemble = table.columns[0];
  std::vector<std::size_t> with_dice, wrong;
  for (std::size_t i = 0; i < table.rows.size(); ++i) {
    if (table.rows[i].repeat != 1) continue;
    if (!std::isnan(ensemble.map.dice[i])) with_dice.push_back(i);
    if ((ensemble.called[i] > 0) != (table.rows[i].label > 0)) wrong.push_back(i);
  }
  std::stable_sort(with_dice.begin(), with_dice.end(),
                   [&](std::size_t a, std::size_t b) { return ensemble.map.dice[a] > ensemble.map.dice[b]; });
  std::stable_sort(wrong.begin(), wrong.end(), [&](std::size_t a, std::size_t b) { return surety(table, a) > surety(table, b); });
  std::vector<ExampleChoice> choices;
  const std::size_t some = std::min(kBestAndWorst, with_dice.size() / 2);
  for (std::size_t k = 0; k < some; ++k) choices.push_back({"best", with_dice[k]});
  for (std::size_t k = 0; k < some; ++k) choices.push_back({"worst", with_dice[with_dice.size() - 1 - k]});
  for (std::size_t k = 0; k < std::min(kWrong, wrong.size()); ++k) choices.push_back({"wrong", wrong[k]});
  return choices;
}

std::string example_caption(const CvTable& table, std::size_t i) {
  const auto& row = table.rows[i];
  const auto& ensemble = table.columns[0];
  std::string text = (row.diagnosis.empty() ? "class " + std::to_string(row.label) : row.diagnosis) + ", patient " + row.patient +
                     ", fold " + std::to_string(row.fold) + ": probability of tumour " + fixed_text(ensemble.probability[i], 2) +
                     ", called " + (ensemble.called[i] > 0 ? "tumour" : "normal");
  if (!std::isnan(ensemble.map.dice[i])) text += ", Dice " + fixed_text(ensemble.map.dice[i], 2);
  return text;
}

}  // namespace clmnet::tools
