#pragma once

#include <cstdint>
#include <functional>
#include <span>
#include <vector>

#include <Eigen/Core>

namespace clmnet::survival {

/// A binary tree of axis-parallel cuts. Node 0 is the root; the two children of a node stand side by side, after it.
struct DecisionTree {
  struct Node {
    double threshold = 0;        ///< value <= threshold goes to `next`, any other to `next + 1`
    std::int32_t feature = -1;   ///< -1: a leaf
    std::int32_t next = 0;       ///< the left child, or for a leaf its number
  };
  std::vector<Node> nodes;
  std::int32_t leaves = 0;

  /// Gives `node` two children, leaves so far; the number of the left one.
  std::int32_t split(std::int32_t node) {
    const auto child = static_cast<std::int32_t>(nodes.size());
    nodes.resize(nodes.size() + 2);
    nodes[node].next = child;
    return child;
  }

  /// The leaf that a row ends in; `row` holds the features side by side.
  std::int32_t leaf_of(const double* row) const {
    const Node* node = nodes.data();
    while (node->feature >= 0) node = nodes.data() + node->next + (row[node->feature] <= node->threshold ? 0 : 1);
    return node->next;
  }
};

/// How often each of n rows is in a tree's bag: n draws with replacement from the tree's own stream of the seed.
std::vector<std::uint8_t> bootstrap_counts(int rows, std::uint64_t seed, int tree);

/// Calls `visit(first_row, rows)` for blocks of consecutive rows on up to `threads` threads (0: all); rows is row-major,
/// [count, p], and lives as long as the call. Blocks come in any order.
void for_each_row_block(const Eigen::Ref<const Eigen::MatrixXd>& x, int threads,
                        const std::function<void(int first_row, int count, const double* rows)>& visit);

/// Calls `work(i)` for 0 <= i < count on up to `threads` threads (0: all).
void for_each_index(int count, int threads, const std::function<void(int)>& work);

/// Throws std::invalid_argument naming the first value of x [n, p] that is not finite, or when n or p is 0.
void require_finite(const Eigen::Ref<const Eigen::MatrixXd>& x);

}  // namespace clmnet::survival
