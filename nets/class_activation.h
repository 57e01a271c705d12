#pragma once

#include "nets/member.h"

namespace clmnet::nets {

/// Grad-CAM++ of the log-odds of tumour (all classes but 0 against class 0): where in a tile a network sees what speaks for it.
/// Chattopadhay et al. 2018, arXiv:1710.11063, equations 10 and 19 with y the log-odds.
/// activation  [N,K,h,w] of the member's predict, also from inference mode
/// Result      float32 [N,h,w]; the largest value of a tile is 1, or 0 where nothing speaks for tumour. Says where, not how much.
torch::Tensor grad_cam_plus_plus(Member& member, const torch::Tensor& activation);

}  // namespace clmnet::nets
