#pragma once

#include <cstdint>
#include <functional>
#include <vector>

#include "nets/training/augment.h"
#include "nets/training/manifest.h"

namespace clmnet::nets {

/// Images that the networks see together.
struct Batch {
  torch::Tensor rgb;       ///< uint8 [N,H,W,3]
  torch::Tensor label;     ///< int64 [N]; -1 where unknown
  torch::Tensor mask;      ///< int64 [N,H,W]; -1 where unknown
  std::vector<std::size_t> rows;
};

/// Loads `order`'s rows in batches on worker threads, a few batches ahead, and hands them over in order on the calling
/// thread. A last batch of one image is left out when `drop_single` is set (batch norm cannot train on it).
/// load     gives the image of a row as it goes into the batch; all images of a batch have one size
/// Errors of a worker are thrown here.
void for_each_batch(const std::vector<std::size_t>& order, std::size_t batch_size, int workers, bool drop_single,
                    const std::function<LabelledImage(std::size_t row)>& load,
                    const std::function<void(const Batch&)>& consume);

}  // namespace clmnet::nets
