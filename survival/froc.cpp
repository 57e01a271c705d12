#include "survival/froc.h"

#include <algorithm>
#include <cmath>
#include <limits>
#include <map>
#include <numeric>
#include <stdexcept>

#include "survival/groups.h"
#include "survival/undefined.h"

namespace clmnet::survival {
namespace {

constexpr double kUnmarked = -std::numeric_limits<double>::infinity();

double highest(const std::vector<double>& ratings) {
  return ratings.empty() ? kUnmarked : *std::max_element(ratings.begin(), ratings.end());
}

void check_weights(const FrocCase& one) {
  if (!one.diseased()) return;
  const double sum = std::accumulate(one.lesion_weights.begin(), one.lesion_weights.end(), 0.0);
  const bool positive = std::all_of(one.lesion_weights.begin(), one.lesion_weights.end(), [](double w) { return w > 0; });
  if (!positive || !(std::abs(sum - 1) < 1e-6)) {
    throw std::invalid_argument("case '" + one.id + "': lesion weights must be positive and sum to 1, they sum to " +
                                std::to_string(sum));
  }
}

// All comparisons of lesions with false marks have one form: sum over F of sum over lesions of w psi, over |F| sum w.
// Here a case's own share in it, so that leaving the case out is a subtraction.
struct Comparison {
  struct Lesion {
    double rating, weight;
    std::size_t case_place;
  };
  std::vector<Lesion> lesions;
  std::vector<double> false_rating;      // [cases], of the cases in F
  std::vector<bool> in_f;                // [cases]
};

double psi(double lesion, double false_mark) { return lesion > false_mark ? 1.0 : lesion == false_mark ? 0.5 : 0.0; }

Comparison comparison_of(const FrocStudy& study, const FrocReading& reading, FrocMerit merit) {
  Comparison result;
  const bool all_cases = merit == FrocMerit::afroc1 || merit == FrocMerit::wafroc1;
  const bool weighted = merit == FrocMerit::wafroc || merit == FrocMerit::wafroc1;
  for (std::size_t c = 0; c < study.cases.size(); ++c) {
    const auto& one = study.cases[c];
    const double false_mark = highest(reading.false_marks[c]);
    result.false_rating.push_back(false_mark);
    result.in_f.push_back(all_cases || !one.diseased());
    if (!one.diseased()) continue;
    if (merit == FrocMerit::hr_auc) {
      result.lesions.push_back({std::max(false_mark, highest(reading.lesion_rating[c])), 1, c});
      continue;
    }
    for (std::size_t l = 0; l < one.lesion_weights.size(); ++l) {
      result.lesions.push_back({reading.lesion_rating[c][l], weighted ? one.lesion_weights[l] : 1, c});
    }
  }
  return result;
}

// The sums of a comparison, whole and per case.
struct Sums {
  double total = 0, weight = 0, in_f = 0;
  std::vector<double> lesion_part, false_part, own_part, case_weight;   // [cases]

  double value() const { return in_f > 0 && weight > 0 ? total / (in_f * weight) : kNaN; }
  double without(std::size_t c, bool c_in_f) const {
    const double f = in_f - (c_in_f ? 1 : 0), w = weight - case_weight[c];
    const bool empty = !(f > 0) || !(w > 1e-9);
    return empty ? kNaN : (total - lesion_part[c] - false_part[c] + own_part[c]) / (f * w);
  }
};

Sums sums_of(const Comparison& comparison) {
  const std::size_t cases = comparison.false_rating.size();
  Sums sums;
  sums.lesion_part.assign(cases, 0);
  sums.false_part.assign(cases, 0);
  sums.own_part.assign(cases, 0);
  sums.case_weight.assign(cases, 0);
  std::vector<double> false_sorted;
  for (std::size_t c = 0; c < cases; ++c) {
    if (comparison.in_f[c]) false_sorted.push_back(comparison.false_rating[c]);
  }
  std::sort(false_sorted.begin(), false_sorted.end());
  sums.in_f = static_cast<double>(false_sorted.size());
  auto lesions = comparison.lesions;
  std::sort(lesions.begin(), lesions.end(), [](const auto& a, const auto& b) { return a.rating < b.rating; });
  std::vector<double> weight_below{0.0};   // prefix sums in order of rating
  for (const auto& lesion : lesions) {
    weight_below.push_back(weight_below.back() + lesion.weight);
    const auto range = std::equal_range(false_sorted.begin(), false_sorted.end(), lesion.rating);
    const double beaten =
        static_cast<double>(range.first - false_sorted.begin()) + static_cast<double>(range.second - range.first) / 2;
    sums.total += lesion.weight * beaten;
    sums.weight += lesion.weight;
    sums.lesion_part[lesion.case_place] += lesion.weight * beaten;
    sums.case_weight[lesion.case_place] += lesion.weight;
    if (comparison.in_f[lesion.case_place]) {
      sums.own_part[lesion.case_place] += lesion.weight * psi(lesion.rating, comparison.false_rating[lesion.case_place]);
    }
  }
  for (std::size_t c = 0; c < cases; ++c) {
    if (!comparison.in_f[c]) continue;
    const auto first = std::partition_point(lesions.begin(), lesions.end(),
                                            [&](const auto& l) { return l.rating < comparison.false_rating[c]; });
    const auto last =
        std::partition_point(first, lesions.end(), [&](const auto& l) { return l.rating <= comparison.false_rating[c]; });
    const double below = weight_below[static_cast<std::size_t>(first - lesions.begin())];
    const double up_to = weight_below[static_cast<std::size_t>(last - lesions.begin())];
    sums.false_part[c] = weight_below.back() - up_to + (up_to - below) / 2;
  }
  return sums;
}

bool compares(FrocMerit merit) { return merit <= FrocMerit::hr_auc; }

double share(double count, double of) { return of > 0 ? count / of : kNaN; }

double count_merit(const FrocStudy& study, const FrocReading& reading, FrocMerit merit) {
  double lesions_marked = 0, false_healthy = 0, false_all = 0, diseased_marked = 0, healthy_unmarked = 0;
  for (std::size_t c = 0; c < study.cases.size(); ++c) {
    const double marks = static_cast<double>(reading.false_marks[c].size());
    const bool any_lesion = highest(reading.lesion_rating[c]) > kUnmarked;
    for (const double rating : reading.lesion_rating[c]) lesions_marked += rating > kUnmarked;
    false_all += marks;
    if (study.cases[c].diseased()) {
      diseased_marked += any_lesion || marks > 0;
    } else {
      false_healthy += marks;
      healthy_unmarked += marks == 0;
    }
  }
  const double cases = static_cast<double>(study.cases.size()), diseased = static_cast<double>(study.diseased_cases());
  switch (merit) {
    case FrocMerit::max_llf: return share(lesions_marked, static_cast<double>(study.lesions()));
    case FrocMerit::max_nlf: return share(false_healthy, cases - diseased);
    case FrocMerit::max_nlf_all_cases: return share(false_all, cases);
    case FrocMerit::hr_se: return share(diseased_marked, diseased);
    default: return share(healthy_unmarked, cases - diseased);
  }
}

}  // namespace

std::size_t FrocStudy::lesions() const {
  std::size_t sum = 0;
  for (const auto& one : cases) sum += one.lesion_weights.size();
  return sum;
}

std::size_t FrocStudy::diseased_cases() const {
  return static_cast<std::size_t>(std::count_if(cases.begin(), cases.end(), [](const FrocCase& c) { return c.diseased(); }));
}

std::vector<double> equal_lesion_weights(int lesions) {
  return std::vector<double>(static_cast<std::size_t>(std::max(lesions, 0)), lesions > 0 ? 1.0 / lesions : 0.0);
}

FrocStudy make_froc_study(std::vector<FrocCase> cases, const std::vector<FrocMark>& marks) {
  if (cases.empty()) throw std::invalid_argument("a free-response study needs at least one case");
  FrocStudy study;
  study.cases = std::move(cases);
  std::map<std::string, std::size_t> place;
  for (std::size_t c = 0; c < study.cases.size(); ++c) {
    check_weights(study.cases[c]);
    if (!place.emplace(study.cases[c].id, c).second) {
      throw std::invalid_argument("case '" + study.cases[c].id + "' stands twice");
    }
  }
  std::vector<std::string> treatment, reader;
  for (const auto& mark : marks) {
    treatment.push_back(mark.treatment);
    reader.push_back(mark.reader);
  }
  const Groups treatments = make_groups(treatment), readers = make_groups(reader);
  study.treatments = treatments.labels;
  study.readers = readers.labels;
  FrocReading blank;
  blank.false_marks.resize(study.cases.size());
  for (const auto& one : study.cases) blank.lesion_rating.emplace_back(one.lesion_weights.size(), kUnmarked);
  study.readings.assign(study.treatments.size() * study.readers.size(), blank);
  for (std::size_t i = 0; i < marks.size(); ++i) {
    const auto& mark = marks[i];
    const auto where = "mark " + std::to_string(i + 1) + " (treatment '" + mark.treatment + "', reader '" + mark.reader +
                       "', case '" + mark.case_id + "'): ";
    const auto found = place.find(mark.case_id);
    if (found == place.end()) throw std::invalid_argument(where + "no such case");
    if (!std::isfinite(mark.rating)) throw std::invalid_argument(where + "the rating is not a finite number");
    auto& reading = study.readings[treatments.code[i] * readers.size() + readers.code[i]];
    auto& lesions = reading.lesion_rating[found->second];
    if (mark.lesion < 0 || mark.lesion > static_cast<int>(lesions.size())) {
      throw std::invalid_argument(where + "lesion " + std::to_string(mark.lesion) + ", the case has " +
                                  std::to_string(lesions.size()));
    }
    if (mark.lesion == 0) {
      reading.false_marks[found->second].push_back(mark.rating);
    } else {
      double& rating = lesions[static_cast<std::size_t>(mark.lesion) - 1];
      rating = std::max(rating, mark.rating);
    }
  }
  return study;
}

FrocCurve froc_curve(const FrocStudy& study, std::size_t reading_place) {
  const auto& reading = study.readings.at(reading_place);
  std::map<double, std::pair<double, double>, std::greater<>> at;   // rating -> false marks, lesions
  for (const auto& marks : reading.false_marks) {
    for (const double rating : marks) at[rating].first += 1;
  }
  for (const auto& lesions : reading.lesion_rating) {
    for (const double rating : lesions) {
      if (rating > kUnmarked) at[rating].second += 1;
    }
  }
  FrocCurve curve;
  double false_marks = 0, lesions = 0;
  for (const auto& [rating, counts] : at) {
    false_marks += counts.first;
    lesions += counts.second;
    curve.threshold.push_back(rating);
    curve.nlf.push_back(false_marks / static_cast<double>(study.cases.size()));
    curve.llf.push_back(share(lesions, static_cast<double>(study.lesions())));
  }
  return curve;
}

double sensitivity_at(const FrocCurve& curve, double false_per_case, FrocInterpolation kind) {
  const auto after =
      static_cast<std::size_t>(std::upper_bound(curve.nlf.begin(), curve.nlf.end(), false_per_case) - curve.nlf.begin());
  const double before_x = after > 0 ? curve.nlf[after - 1] : 0.0, before_y = after > 0 ? curve.llf[after - 1] : 0.0;
  if (kind == FrocInterpolation::step || after == curve.nlf.size()) return before_y;
  return before_y + (curve.llf[after] - before_y) * (false_per_case - before_x) / (curve.nlf[after] - before_x);
}

Eigen::MatrixXd froc_merit(const FrocStudy& study, FrocMerit merit) {
  Eigen::MatrixXd result(study.treatments.size(), study.readers.size());
  for (std::size_t i = 0; i < study.readings.size(); ++i) {
    const auto& reading = study.readings[i];
    const double value =
        compares(merit) ? sums_of(comparison_of(study, reading, merit)).value() : count_merit(study, reading, merit);
    result(static_cast<Eigen::Index>(i / study.readers.size()), static_cast<Eigen::Index>(i % study.readers.size())) = value;
  }
  return result;
}

Eigen::MatrixXd leave_one_out_merit(const FrocStudy& study, FrocMerit merit) {
  if (!compares(merit)) throw std::invalid_argument("leave_one_out_merit: not defined for this figure of merit");
  Eigen::MatrixXd result(study.cases.size(), study.readings.size());
  for (std::size_t i = 0; i < study.readings.size(); ++i) {
    const Comparison comparison = comparison_of(study, study.readings[i], merit);
    const Sums sums = sums_of(comparison);
    for (std::size_t c = 0; c < study.cases.size(); ++c) {
      result(static_cast<Eigen::Index>(c), static_cast<Eigen::Index>(i)) = sums.without(c, comparison.in_f[c]);
    }
  }
  return result;
}

}  // namespace clmnet::survival
