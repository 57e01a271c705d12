#include "survival/outcome.h"

#include <algorithm>
#include <cmath>
#include <numeric>
#include <stdexcept>
#include <string>

#include "survival/sorting.h"

namespace clmnet::survival {

std::size_t Outcome::events() const {
  return static_cast<std::size_t>(std::count(event.begin(), event.end(), std::uint8_t{1}));
}

void require_valid(const Outcome& outcome) {
  const std::size_t n = outcome.time.size();
  if (n == 0) throw std::invalid_argument("outcome: no subjects");
  if (outcome.event.size() != n) {
    throw std::invalid_argument("outcome: " + std::to_string(n) + " times but " + std::to_string(outcome.event.size()) +
                                " events");
  }
  if (!outcome.entry.empty() && outcome.entry.size() != n) {
    throw std::invalid_argument("outcome: " + std::to_string(n) + " times but " + std::to_string(outcome.entry.size()) +
                                " entries");
  }
  for (std::size_t i = 0; i < n; ++i) {
    const auto subject = [&] { return "outcome: subject " + std::to_string(i) + ": "; };
    if (!std::isfinite(outcome.time[i]) || outcome.time[i] < 0) {
      throw std::invalid_argument(subject() + "time " + std::to_string(outcome.time[i]) + ", expected finite and >= 0");
    }
    if (outcome.event[i] > 1) {
      throw std::invalid_argument(subject() + "event " + std::to_string(int{outcome.event[i]}) + ", expected 0 or 1");
    }
    if (!outcome.entry.empty() && !(std::isfinite(outcome.entry[i]) && outcome.entry[i] < outcome.time[i])) {
      throw std::invalid_argument(subject() + "entry " + std::to_string(outcome.entry[i]) + " is not before time " +
                                  std::to_string(outcome.time[i]));
    }
  }
}

Outcome merge_close_times(const Outcome& outcome) {
  Outcome merged = outcome;
  const std::size_t n = outcome.time.size();
  std::vector<double> all = outcome.time;
  all.insert(all.end(), outcome.entry.begin(), outcome.entry.end());
  const SortedTimes sorted = sort_and_merge(all);
  for (std::size_t i = 0; i < all.size(); ++i) {
    const std::size_t source = sorted.order[i];
    (source < n ? merged.time[source] : merged.entry[source - n]) = sorted.time[i];
  }
  for (std::size_t i = 0; i < merged.entry.size(); ++i) {
    if (merged.entry[i] >= merged.time[i]) {
      throw std::invalid_argument("outcome: subject " + std::to_string(i) + ": entry and time differ only by rounding");
    }
  }
  return merged;
}

double time_tolerance(const std::vector<double>& times) {
  std::vector<double> unique = times;
  std::sort(unique.begin(), unique.end());
  unique.erase(std::unique(unique.begin(), unique.end()), unique.end());
  double sum = 0;
  for (const double time : unique) sum += std::abs(time);
  return std::ldexp(1.0, -26) * std::max(1.0, unique.empty() ? 0.0 : sum / static_cast<double>(unique.size()));
}

Outcome select(const Outcome& outcome, const std::vector<std::size_t>& rows) {
  Outcome part;
  part.time.reserve(rows.size());
  part.event.reserve(rows.size());
  for (const std::size_t row : rows) {
    part.time.push_back(outcome.time.at(row));
    part.event.push_back(outcome.event.at(row));
    if (!outcome.entry.empty()) part.entry.push_back(outcome.entry.at(row));
  }
  return part;
}

}  // namespace clmnet::survival
