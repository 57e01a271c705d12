#include "survival/survival_tree.h"

#include <algorithm>
#include <limits>
#include <numeric>
#include <utility>

#include "survival/feature_ranks.h"
#include "survival/log_rank_scan.h"
#include "survival/random.h"

namespace clmnet::survival {
namespace {

struct Split {
  int feature = -1;
  double chi_squared = 0;
  std::uint32_t last_left = 0;   // the largest rank that goes left
};

struct PendingNode {
  std::int32_t node, begin, end;
};

// Key of a row in a node: rank, then its place in the node (place needs as many bits as rank: both are below the rows).
template <class Rank>
using KeyOf = std::conditional_t<sizeof(Rank) == 2, std::uint32_t, std::uint64_t>;

template <class Rank>
class Growing {
 public:
  using Key = KeyOf<Rank>;
  static constexpr int kRankShift = 8 * sizeof(Rank);

  Growing(const FeatureRanks<Rank>& ranks, const Eigen::Ref<const Eigen::MatrixXd>& x,
          const std::vector<std::int32_t>& order, const GridOutcome& outcome, const ForestOptions& options, int tree)
      : ranks_(ranks), x_(x), order_(order), outcome_(outcome), options_(options),
        random_(options.seed, 2 * static_cast<std::uint64_t>(tree) + 1), feature_order_(x.cols()) {
    std::iota(feature_order_.begin(), feature_order_.end(), 0);
    bag_ = bootstrap_counts(static_cast<int>(x.rows()), options.seed, tree);
    for (std::size_t place = 0; place < order.size(); ++place) {
      if (bag_[order[place]] > 0) rows_.push_back(static_cast<std::uint32_t>(place));
    }
    keys_.resize(rows_.size());
    scratch_.resize(rows_.size());
    moved_.resize(rows_.size());
    result_.leaf_begin.push_back(0);
  }

  SurvivalTree run() {
    result_.tree.nodes.emplace_back();
    std::vector<PendingNode> pending{{0, 0, static_cast<std::int32_t>(rows_.size())}};
    while (!pending.empty()) {
      const PendingNode here = pending.back();
      pending.pop_back();
      node_rows_.clear();
      for (std::int32_t i = here.begin; i < here.end; ++i) {
        const std::uint32_t row = rows_[i];
        node_rows_.push_back({outcome_.last[row], outcome_.event[row], bag_[order_[row]]});
      }
      scan_.start_node(node_rows_);
      const bool may_split = scan_.weight() >= options_.min_split && scan_.weight() >= 2.0 * options_.min_leaf &&
                             scan_.event_times() > 0;
      const Split split = may_split ? find_split(here) : Split{};
      if (split.feature < 0) {
        make_leaf(here.node);
        continue;
      }
      const std::int32_t middle = partition(here, split);
      const std::int32_t child = result_.tree.split(here.node);
      pending.push_back({child + 1, middle, here.end});
      pending.push_back({child, here.begin, middle});
    }
    return std::move(result_);
  }

 private:
  Split find_split(const PendingNode& node) {
    Split best;
    visit_drawn_features(random_, feature_order_, options_.features_per_split, options_.replace_constant, [&](int feature) {
      if (!gather(node, feature)) return false;
      scan(static_cast<std::size_t>(node.end - node.begin), feature, best);
      return true;
    });
    return best;
  }

  bool gather(const PendingNode& node, int feature) {
    const Rank* column = ranks_.of(feature);
    const std::uint32_t* row = rows_.data() + node.begin;
    const std::size_t count = static_cast<std::size_t>(node.end - node.begin);
    const Rank first = column[row[0]];
    Rank differs = 0;
    for (std::size_t i = 0; i < count; ++i) {
      const Rank rank = column[row[i]];
      differs = static_cast<Rank>(differs | (rank ^ first));
      keys_[i] = (static_cast<Key>(rank) << kRankShift) | static_cast<Key>(i);
    }
    if (differs == 0) return false;
    sort_keys(keys_.data(), scratch_.data(), count, kRankShift, rank_bits(ranks_.distinct[feature]));
    return true;
  }

  void scan(std::size_t count, int feature, Split& best) {
    constexpr Key kPlace = (Key{1} << kRankShift) - 1;
    const double n = scan_.weight();
    scan_.start_feature();
    double left = 0;
    for (std::size_t i = 0; i + 1 < count; ++i) {
      const auto place = static_cast<std::size_t>(keys_[i] & kPlace);
      scan_.move_left(place);
      left += node_rows_[place].weight;
      if (n - left < options_.min_leaf) break;
      if (left < options_.min_leaf || (keys_[i] >> kRankShift) == (keys_[i + 1] >> kRankShift)) continue;
      const double chi_squared = scan_.chi_squared();
      if (chi_squared > best.chi_squared) {
        best = {feature, chi_squared, static_cast<std::uint32_t>(keys_[i] >> kRankShift)};
      }
    }
  }

  // Stable: the rows of a node stay in order of time.
  std::int32_t partition(const PendingNode& node, const Split& split) {
    const Rank* column = ranks_.of(split.feature);
    std::int32_t left = node.begin, right = 0;
    std::uint32_t above = std::numeric_limits<std::uint32_t>::max();
    std::uint32_t row_below = 0, row_above = 0;
    for (std::int32_t i = node.begin; i < node.end; ++i) {
      const std::uint32_t row = rows_[i];
      const std::uint32_t rank = column[row];
      if (rank <= split.last_left) {
        if (rank == split.last_left) row_below = row;
        rows_[left++] = row;
      } else {
        if (rank < above) {
          above = rank;
          row_above = row;
        }
        moved_[right++] = row;
      }
    }
    std::copy(moved_.begin(), moved_.begin() + right, rows_.begin() + left);
    auto& made = result_.tree.nodes[node.node];
    made.feature = split.feature;
    made.threshold = cut_between(x_(order_[row_below], split.feature), x_(order_[row_above], split.feature));
    return left;
  }

  void make_leaf(std::int32_t node) {
    result_.tree.nodes[node].next = result_.tree.leaves++;
    for (const auto& step : scan_.steps()) {
      result_.step_time.push_back(static_cast<std::uint32_t>(step.time));
      result_.step_hazard.push_back(step.deaths / step.at_risk);
    }
    result_.leaf_begin.push_back(static_cast<std::uint32_t>(result_.step_time.size()));
  }

  const FeatureRanks<Rank>& ranks_;
  const Eigen::Ref<const Eigen::MatrixXd>& x_;
  const std::vector<std::int32_t>& order_;
  const GridOutcome& outcome_;
  const ForestOptions& options_;
  Random random_;
  std::vector<int> feature_order_;
  std::vector<std::uint8_t> bag_;
  std::vector<std::uint32_t> rows_, moved_;   // places in `outcome_`, node by node, in order of time
  std::vector<LogRankScan::Row> node_rows_;
  std::vector<Key> keys_, scratch_;
  LogRankScan scan_;
  SurvivalTree result_;
};

template <class Rank>
class Grower final : public SurvivalTreeGrower {
 public:
  Grower(const Eigen::Ref<const Eigen::MatrixXd>& x, std::vector<std::int32_t> order, GridOutcome outcome,
         const ForestOptions& options)
      : x_(x), order_(std::move(order)), outcome_(std::move(outcome)), options_(options),
        ranks_(x, order_, options.threads) {}

  SurvivalTree grow(int tree) const override {
    return Growing<Rank>(ranks_, x_, order_, outcome_, options_, tree).run();
  }

 private:
  const Eigen::Ref<const Eigen::MatrixXd> x_;
  const std::vector<std::int32_t> order_;
  const GridOutcome outcome_;
  const ForestOptions options_;
  const FeatureRanks<Rank> ranks_;
};

}  // namespace

std::unique_ptr<SurvivalTreeGrower> make_survival_grower(const Eigen::Ref<const Eigen::MatrixXd>& x,
                                                         std::vector<std::int32_t> order, GridOutcome outcome,
                                                         const ForestOptions& options) {
  if (x.rows() <= 65536) return std::make_unique<Grower<std::uint16_t>>(x, std::move(order), std::move(outcome), options);
  return std::make_unique<Grower<std::uint32_t>>(x, std::move(order), std::move(outcome), options);
}

}  // namespace clmnet::survival
