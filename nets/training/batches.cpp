#include "nets/training/batches.h"

#include <deque>
#include <future>

#include "tools/base/error.h"

namespace clmnet::nets {
namespace {

Batch collate(const std::vector<std::size_t>& rows, const std::function<LabelledImage(std::size_t)>& load) {
  Batch batch;
  batch.rows = rows;
  std::vector<torch::Tensor> images, masks;
  std::vector<std::int64_t> labels;
  for (const std::size_t row : rows) {
    const LabelledImage image = load(row);
    if (!images.empty() && image.rgb.sizes() != images.front().sizes()) {
      throw InputError("images of one batch have different sizes; give a crop size (input_px) or use batch 1");
    }
    images.push_back(image.rgb);
    masks.push_back(image.mask.defined() ? image.mask.to(torch::kInt64)
                                         : torch::full({image.rgb.size(0), image.rgb.size(1)}, -1, torch::kInt64));
    labels.push_back(image.label);
  }
  batch.rgb = torch::stack(images);
  batch.mask = torch::stack(masks);
  batch.label = torch::tensor(labels, torch::kInt64);
  return batch;
}

}  // namespace

void for_each_batch(const std::vector<std::size_t>& order, std::size_t batch_size, int workers, bool drop_single,
                    const std::function<LabelledImage(std::size_t)>& load,
                    const std::function<void(const Batch&)>& consume) {
  std::deque<std::future<Batch>> ahead;
  const std::size_t most_ahead = static_cast<std::size_t>(std::max(1, workers)) + 1;
  std::size_t next = 0;
  const auto start = [&] {
    const std::size_t end = std::min(order.size(), next + batch_size);
    std::vector<std::size_t> rows(order.begin() + static_cast<std::ptrdiff_t>(next), order.begin() + static_cast<std::ptrdiff_t>(end));
    next = end;
    if (drop_single && rows.size() == 1) return;
    ahead.push_back(std::async(std::launch::async, [rows = std::move(rows), &load] {
      const at::NoGradGuard no_grad;
      return collate(rows, load);
    }));
  };
  while (next < order.size() || !ahead.empty()) {
    while (next < order.size() && ahead.size() < most_ahead) start();
    if (ahead.empty()) break;
    const Batch batch = ahead.front().get();
    ahead.pop_front();
    consume(batch);
  }
}

}  // namespace clmnet::nets
