#pragma once

#include "nets/blocks.h"
#include "nets/member.h"

namespace clmnet::nets {

struct UNetOptions {
  double width = 1.0;
  std::int64_t classes = 2;
  bool squeeze_excite = true;                        ///< a gate at the end of each block
  std::vector<std::int64_t> atrous_rates = {6, 12, 18};
  std::int64_t feature_size = 256;
};

/// U-Net with four down and four up stages, batch norm, ASPP in the bottleneck and SE in each block.
/// Ronneberger et al. 2015, arXiv:1505.04597.  map_logits are [N,classes,H,W]; H and W are at least 16, of any parity.
/// The features are pooled from the bottleneck's ASPP.
class UNetImpl : public Member {
 public:
  explicit UNetImpl(const UNetOptions& options);
  MemberOutput predict(const torch::Tensor& x) override;
  torch::Tensor classify(const torch::Tensor& activation) override;

 private:
  torch::nn::ModuleList down_, up_, merge_;
  torch::nn::Sequential bottleneck_;
  Conv map_{nullptr};
  Aspp aspp_{nullptr};
  PooledHead head_{nullptr};
};
TORCH_MODULE(UNet);

}  // namespace clmnet::nets
