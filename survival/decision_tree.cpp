#include "survival/decision_tree.h"

#include <algorithm>
#include <cmath>
#include <stdexcept>
#include <string>

#include <tbb/parallel_for.h>
#include <tbb/task_arena.h>

#include "survival/random.h"
#include "tools/base/cores.h"

namespace clmnet::survival {

std::vector<std::uint8_t> bootstrap_counts(int rows, std::uint64_t seed, int tree) {
  Random random(seed, 2 * static_cast<std::uint64_t>(tree));
  std::vector<std::uint8_t> counts(static_cast<std::size_t>(rows), 0);
  for (int i = 0; i < rows; ++i) {
    // 255 draws of one row do not happen (probability below 1e-500); the bound keeps the type small all the same.
    std::uint8_t& count = counts[random.below(static_cast<std::uint32_t>(rows))];
    if (count < 255) ++count;
  }
  return counts;
}

void for_each_index(int count, int threads, const std::function<void(int)>& work) {
  if (threads == 1) {
    for (int i = 0; i < count; ++i) work(i);
    return;
  }
  const int wanted = threads > 0 ? threads : usable_cores();
  tbb::task_arena(std::min(wanted, tbb::this_task_arena::max_concurrency())).execute([&] { tbb::parallel_for(0, count, work); });
}

void for_each_row_block(const Eigen::Ref<const Eigen::MatrixXd>& x, int threads,
                        const std::function<void(int, int, const double*)>& visit) {
  constexpr int kBlock = 64;
  const int rows = static_cast<int>(x.rows());
  for_each_index((rows + kBlock - 1) / kBlock, threads, [&](int block) {
    const int first = block * kBlock;
    const int count = std::min(kBlock, rows - first);
    const Eigen::Matrix<double, Eigen::Dynamic, Eigen::Dynamic, Eigen::RowMajor> copy = x.middleRows(first, count);
    visit(first, count, copy.data());
  });
}

void require_finite(const Eigen::Ref<const Eigen::MatrixXd>& x) {
  if (x.rows() == 0 || x.cols() == 0) {
    throw std::invalid_argument("a forest needs at least one row and one feature, found " + std::to_string(x.rows()) +
                                " x " + std::to_string(x.cols()));
  }
  for (Eigen::Index j = 0; j < x.cols(); ++j) {
    for (Eigen::Index i = 0; i < x.rows(); ++i) {
      if (!std::isfinite(x(i, j))) {
        throw std::invalid_argument("a forest needs finite values, row " + std::to_string(i) + ", feature " +
                                    std::to_string(j) + " is " + std::to_string(x(i, j)));
      }
    }
  }
}

}  // namespace clmnet::survival
