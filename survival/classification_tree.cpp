#include "survival/classification_tree.h"

#include <algorithm>
#include <cstring>
#include <limits>
#include <numeric>
#include <type_traits>
#include <utility>

#include "survival/feature_ranks.h"
#include "survival/random.h"

namespace clmnet::survival {
namespace {

// A row in a node is sorted and counted through one integer: rank, class (8 bits), times in the bag (8 bits).
constexpr int kRankShift = 16;

template <class Rank>
using KeyOf = std::conditional_t<sizeof(Rank) == 2, std::uint32_t, std::uint64_t>;

struct Split {
  int feature = -1;
  double score = -1;         // larger is purer
  std::uint32_t last_left = 0;  // the largest rank that goes left
};

struct PendingNode {
  std::int32_t node;
  std::int32_t begin, end;   // its rows in `rows_`
};

template <class Rank>
class Growing {
 public:
  using Key = KeyOf<Rank>;

  Growing(const FeatureRanks<Rank>& ranks, const Eigen::Ref<const Eigen::MatrixXd>& x, std::span<const int> label,
          int classes, const ForestOptions& options, int tree)
      : ranks_(ranks), x_(x), classes_(classes), options_(options),
        random_(options.seed, 2 * static_cast<std::uint64_t>(tree) + 1), feature_order_(x.cols()),
        total_(classes), left_(classes) {
    std::iota(feature_order_.begin(), feature_order_.end(), 0);
    result_.impurity_decrease.assign(x.cols(), 0.0);
    const auto counts = bootstrap_counts(static_cast<int>(x.rows()), options.seed, tree);
    for (std::size_t row = 0; row < counts.size(); ++row) {
      if (counts[row] == 0) continue;
      rows_.push_back(static_cast<std::uint32_t>(row));
      payload_.push_back(static_cast<std::uint16_t>((label[row] << 8) | counts[row]));
    }
    keys_.resize(rows_.size());
    scratch_.resize(rows_.size());
    moved_rows_.resize(rows_.size());
    moved_payload_.resize(rows_.size());
  }

  ClassificationTree run() {
    result_.tree.nodes.emplace_back();
    std::vector<PendingNode> pending{{0, 0, static_cast<std::int32_t>(rows_.size())}};
    while (!pending.empty()) {
      const PendingNode here = pending.back();
      pending.pop_back();
      count_classes(here);
      const Split split = may_split() ? find_split(here) : Split{};
      if (split.feature < 0) {
        make_leaf(here.node);
        continue;
      }
      const std::int32_t middle = partition(here, split);
      const std::int32_t child = result_.tree.split(here.node);
      result_.impurity_decrease[split.feature] += split.score - squares_ / rows_in_node_;
      pending.push_back({child + 1, middle, here.end});
      pending.push_back({child, here.begin, middle});
    }
    return std::move(result_);
  }

 private:
  void count_classes(const PendingNode& node) {
    std::fill(total_.begin(), total_.end(), 0.0);
    for (std::int32_t i = node.begin; i < node.end; ++i) total_[payload_[i] >> 8] += payload_[i] & 255;
    rows_in_node_ = std::accumulate(total_.begin(), total_.end(), 0.0);
    squares_ = std::inner_product(total_.begin(), total_.end(), total_.begin(), 0.0);
  }

  bool may_split() const {
    const bool pure = squares_ == rows_in_node_ * rows_in_node_;
    return !pure && rows_in_node_ >= options_.min_split && rows_in_node_ >= 2.0 * options_.min_leaf;
  }

  Split find_split(const PendingNode& node) {
    Split best;
    visit_drawn_features(random_, feature_order_, options_.features_per_split, options_.replace_constant, [&](int feature) {
      if (!gather(node, feature)) return false;
      if (classes_ == 2) {
        scan_two_classes(node.end - node.begin, feature, best);
      } else {
        scan_classes(node.end - node.begin, feature, best);
      }
      return true;
    });
    return best;
  }

  // The node's rows as sorted keys; false when the feature is constant among them.
  bool gather(const PendingNode& node, int feature) {
    const Rank* column = ranks_.of(feature);
    const std::uint32_t* row = rows_.data() + node.begin;
    const std::uint16_t* payload = payload_.data() + node.begin;
    const std::size_t count = static_cast<std::size_t>(node.end - node.begin);
    const Rank first = column[row[0]];
    Rank differs = 0;
    for (std::size_t i = 0; i < count; ++i) {
      const Rank rank = column[row[i]];
      differs = static_cast<Rank>(differs | (rank ^ first));
      keys_[i] = (static_cast<Key>(rank) << kRankShift) | payload[i];
    }
    if (differs == 0) return false;
    sort_keys(keys_.data(), scratch_.data(), count, kRankShift, rank_bits(ranks_.distinct[feature]));
    return true;
  }

  // The score, sum over children of (sum_k n_k^2) / n, is largest where the weighted Gini impurity is smallest.
  // For two classes write left_ones = n_left * ones / n + e: the score is then squares / n + 2 e^2 n / (n_left n_right),
  // one division a cut.
  void scan_two_classes(std::int32_t count, int feature, Split& best) {
    const double n = rows_in_node_;
    const double ones = total_[1];
    const double base = squares_ / n;
    const double scale = 2 / n;
    double left = 0, left_ones = 0;
    double best_score = best.score;
    for (std::int32_t i = 0; i + 1 < count; ++i) {
      const Key key = keys_[i];
      const double weight = static_cast<double>(key & 255);
      left += weight;
      left_ones += (key & 0xFF00) ? weight : 0.0;
      if ((key >> kRankShift) == (keys_[i + 1] >> kRankShift)) continue;
      const double distance = left_ones * n - ones * left;
      const double score = base + scale * (distance * distance / (left * (n - left)));
      if (score > best_score && left >= options_.min_leaf && n - left >= options_.min_leaf) {
        best_score = score;
        best = {feature, score, static_cast<std::uint32_t>(key >> kRankShift)};
      }
    }
  }

  void scan_classes(std::int32_t count, int feature, Split& best) {
    std::fill(left_.begin(), left_.end(), 0.0);
    const double n = rows_in_node_;
    double left = 0, left_squares = 0, right_squares = squares_;
    for (std::int32_t i = 0; i + 1 < count; ++i) {
      const Key key = keys_[i];
      const double weight = static_cast<double>(key & 255);
      const std::size_t k = (key >> 8) & 255;
      left += weight;
      left_squares += weight * (2 * left_[k] + weight);
      right_squares -= weight * (2 * (total_[k] - left_[k]) - weight);
      left_[k] += weight;
      if ((key >> kRankShift) == (keys_[i + 1] >> kRankShift)) continue;
      const double score = left_squares / left + right_squares / (n - left);
      if (score > best.score && left >= options_.min_leaf && n - left >= options_.min_leaf) {
        best = {feature, score, static_cast<std::uint32_t>(key >> kRankShift)};
      }
    }
  }

  // Stable, so that a node's rows stay in ascending order and reads of a column run forward.
  std::int32_t partition(const PendingNode& node, const Split& split) {
    const Rank* column = ranks_.of(split.feature);
    std::int32_t left = node.begin, right = 0;
    std::uint32_t above = std::numeric_limits<std::uint32_t>::max();
    std::uint32_t row_below = 0, row_above = 0;
    for (std::int32_t i = node.begin; i < node.end; ++i) {
      const std::uint32_t row = rows_[i];
      const std::uint16_t payload = payload_[i];
      const std::uint32_t rank = column[row];
      if (rank <= split.last_left) {
        if (rank == split.last_left) row_below = row;
        rows_[left] = row;
        payload_[left++] = payload;
      } else {
        if (rank < above) {
          above = rank;
          row_above = row;
        }
        moved_rows_[right] = row;
        moved_payload_[right++] = payload;
      }
    }
    std::copy(moved_rows_.begin(), moved_rows_.begin() + right, rows_.begin() + left);
    std::copy(moved_payload_.begin(), moved_payload_.begin() + right, payload_.begin() + left);
    auto& made = result_.tree.nodes[node.node];
    made.feature = split.feature;
    made.threshold = cut_between(x_(row_below, split.feature), x_(row_above, split.feature));
    return left;
  }

  void make_leaf(std::int32_t node) {
    result_.tree.nodes[node].next = result_.tree.leaves++;
    for (const double count : total_) result_.leaf_fraction.push_back(count / rows_in_node_);
  }

  const FeatureRanks<Rank>& ranks_;
  const Eigen::Ref<const Eigen::MatrixXd>& x_;
  const int classes_;
  const ForestOptions& options_;
  Random random_;
  std::vector<int> feature_order_;
  std::vector<std::uint32_t> rows_, moved_rows_;      // rows in the bag, node by node
  std::vector<std::uint16_t> payload_, moved_payload_;  // class << 8 | times in the bag
  std::vector<Key> keys_, scratch_;
  std::vector<double> total_, left_;                  // [classes] rows of the node, and left of the cut
  double rows_in_node_ = 0, squares_ = 0;
  ClassificationTree result_;
};

template <class Rank>
class Grower final : public ClassificationTreeGrower {
 public:
  Grower(const Eigen::Ref<const Eigen::MatrixXd>& x, std::span<const int> label, int classes, const ForestOptions& options)
      : x_(x), label_(label), classes_(classes), options_(options), ranks_(x, in_order(x.rows()), options.threads) {}

  ClassificationTree grow(int tree) const override {
    return Growing<Rank>(ranks_, x_, label_, classes_, options_, tree).run();
  }

 private:
  static std::vector<std::int32_t> in_order(Eigen::Index rows) {
    std::vector<std::int32_t> order(static_cast<std::size_t>(rows));
    std::iota(order.begin(), order.end(), 0);
    return order;
  }

  const Eigen::Ref<const Eigen::MatrixXd> x_;
  const std::span<const int> label_;
  const int classes_;
  const ForestOptions options_;
  const FeatureRanks<Rank> ranks_;
};

}  // namespace

std::unique_ptr<ClassificationTreeGrower> make_classification_grower(const Eigen::Ref<const Eigen::MatrixXd>& x,
                                                                     std::span<const int> label, int classes,
                                                                     const ForestOptions& options) {
  if (x.rows() <= 65536) return std::make_unique<Grower<std::uint16_t>>(x, label, classes, options);
  return std::make_unique<Grower<std::uint32_t>>(x, label, classes, options);
}

}  // namespace clmnet::survival
