#pragma once

#include <cstddef>
#include <limits>
#include <memory>
#include <utility>

#include "nets/torch.h"

namespace clmnet::nets {

class WinogradConv;

/// What a convolution's output goes through before anybody else sees it, in this order.
struct ConvTail {
  torch::nn::BatchNorm2dImpl* norm = nullptr;
  torch::Tensor add = {};  ///< of the output's shape: a shortcut
  bool relu = false;
};

/// torch's Conv2d, with its keys, that can be prepared for inference: what follows is then part of the convolution.
/// Prepared, and outside training and autograd, the normalisation is folded into weights and bias (Jacob et al. 2018,
/// arXiv:1712.05877), weights lie as the faster of oneDNN and WinogradConv wants them (CPU, float32) or with channels last, sum
/// and ReLU are done while the output is in the cache (on a GPU: by cuDNN's kernel itself, where it has one). A folded copy is made
/// at the first call that needs it; weights that change later are not seen.
/// Results differ from the plain ones by rounding. One thread at a time may call it.
class ConvImpl : public torch::nn::Conv2dImpl {
 public:
  explicit ConvImpl(const torch::nn::Conv2dOptions& how) : torch::nn::Conv2dImpl(how) {}

  torch::Tensor forward(const torch::Tensor& x) { return run(x, {}); }
  /// relu(norm(conv(x)) + add), of which `tail` says what there is; its norm must be the same at every call.
  torch::Tensor run(const torch::Tensor& x, const ConvTail& tail);
  void prepare() { prepared_ = true; }

 private:
  torch::Tensor run_plain(const torch::Tensor& x, const ConvTail& tail);
  torch::Tensor run_folded(const torch::Tensor& x, const ConvTail& tail);
  /// Weight and bias with the normalisation in them, float64; the bias may be undefined.
  std::pair<torch::Tensor, torch::Tensor> folded(const torch::nn::BatchNorm2dImpl* norm) const;
  void fold(const torch::Tensor& x, const torch::nn::BatchNorm2dImpl* norm);

  bool prepared_ = false;
  torch::Tensor folded_weight_, folded_bias_;     // empty until the first call that needs them
  bool packed_ = false;                           // folded_weight_ is in oneDNN's layout
  bool fuses_on_gpu_ = true;                      // until cuDNN says that it has no fused kernel for this layer
  std::shared_ptr<const WinogradConv> winograd_;  // empty until the first call that needs it
};
TORCH_MODULE(Conv);

/// Layers begin … end-1 of a chain, one after the other; each Conv takes along the normalisation and the ReLU behind it.
torch::Tensor run_chain(torch::nn::SequentialImpl& chain, torch::Tensor x, std::size_t begin = 0,
                        std::size_t end = std::numeric_limits<std::size_t>::max());

/// Lays a module's convolution weights out with channels last, as GPUs and oneDNN want them; the same values.
void use_channels_last(torch::nn::Module& module);

/// Prepares every Conv in a module for inference and puts the modules into evaluation mode.
void prepare_for_inference(torch::nn::Module& module);

}  // namespace clmnet::nets
