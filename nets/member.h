#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "nets/member_options.h"
#include "nets/torch.h"

namespace clmnet::nets {

/// What a network of the ensemble says of a batch of tiles.
struct MemberOutput {
  torch::Tensor class_logits;  ///< [N,classes]
  torch::Tensor map_logits;    ///< [N,classes,h,w]; h x w is the input's size or a whole fraction of it
  torch::Tensor features;      ///< [N,feature_size], what the survival models see; empty without a classification head
  torch::Tensor activation;    ///< [N,K,h,w] whose mean the class head sees; undefined without a classification head
};

/// A network of the ensemble. Input: [N,3,H,W] float, normalised as the model's config.json says.
class Member : public torch::nn::Module {
 public:
  virtual MemberOutput predict(const torch::Tensor& x) = 0;
  /// Class logits [N,classes] of an activation as predict gives it: the network's last part, for class-activation maps.
  virtual torch::Tensor classify(const torch::Tensor& activation) = 0;
};

/// Builds a network with weights drawn from torch's global generator.
/// Throws InputError for an unknown network, a width or a class count that makes no sense.
std::shared_ptr<Member> make_member(const MemberOptions& options);

/// Convolutions Kaiming normal (fan out), normalisation 1 and 0, linear layers as LibTorch draws them, gates
/// open.  He et al. 2015.
void initialise_weights(torch::nn::Module& module);

}  // namespace clmnet::nets
