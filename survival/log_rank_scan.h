#pragma once

#include <cstdint>
#include <vector>

namespace clmnet::survival {

/// The two-sample log-rank statistic of a node's rows, left against right, kept up to date while rows move to the left one
/// by one. Over all cuts of a feature it costs O(m log d) for m rows and d distinct event times, where the definition
/// costs O(m d).
///
/// Why: with Y_j at risk and d_j deaths at event time j, c_j = d_j (Y_j - d_j) / ((Y_j - 1) Y_j^2), and L the left rows,
///   U = sum_j (d_Lj - d_j Y_Lj / Y_j) = sum over L of (event - H(last)), H the node's Nelson-Aalen estimate;
///   V = sum_j c_j Y_Lj (Y_j - Y_Lj).
/// A row of weight w that is at risk at the first q times adds w to Y_Lj for j <= q, so V grows by
///   w sum_{j<=q} c_j Y_j - 2 w sum_{j<=q} c_j Y_Lj - w^2 sum_{j<=q} c_j,
/// and the middle sum is C(q) times the weight of left rows with more than q times, plus the sum of w C(q_i) over the
/// others (C the prefix sums of c): two Fenwick trees.
class LogRankScan {
 public:
  /// A row of the node; rows come in ascending order of `last`.
  struct Row {
    std::int32_t last;   ///< at risk at grid times 0 … last - 1
    std::uint8_t event;  ///< 1: its event is at grid time last - 1
    std::uint8_t weight; ///< times in the bag
  };

  /// A new node. Takes its rows in ascending order of `last`.
  void start_node(const std::vector<Row>& rows);

  int event_times() const { return static_cast<int>(c_.size()) - 1; }
  double weight() const { return weight_; }
  /// Grid time, deaths and number at risk of the node's event times, ascending.
  struct Step {
    std::int32_t time;
    double deaths;
    double at_risk;
  };
  const std::vector<Step>& steps() const { return steps_; }

  /// All rows right.
  void start_feature();
  /// Row `place` (its position in start_node's rows) moves to the left.
  void move_left(std::size_t place);
  /// U^2 / V; 0 where V is 0 up to rounding.
  double chi_squared() const;

 private:
  std::vector<Step> steps_;
  std::vector<double> c_, cy_;          // [d + 1] prefix sums of c_j and c_j Y_j
  std::vector<std::int32_t> times_of_;  // [m] number of the node's event times that a row is at risk at
  std::vector<double> score_;           // [m] weight * (event - H(last))
  std::vector<double> weight_of_;       // [m]
  std::vector<double> sum_w_, sum_wc_;  // Fenwick trees over 1 … d + 1
  double weight_ = 0, left_weight_ = 0, u_ = 0, v_ = 0, largest_v_ = 0;
};

}  // namespace clmnet::survival
