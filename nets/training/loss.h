#pragma once

#include "nets/member.h"
#include "nets/training/batches.h"

namespace clmnet::nets {

struct LossOptions {
  double class_weight = 1.0;
  double mask_weight = 1.0;          ///< 0 for a network whose map is its class-activation map
  double bag_weight = 0;             ///< of the map of an image whose class is known and whose mask is not
  double label_smoothing = 0.05;
  double focal_gamma = 0;            ///< 0: cross entropy; above, images that are already right count less (Lin et al. 2017)
  std::vector<double> class_balance; ///< weight of each class in the cross entropy; empty: equal
};

/// The parts of the multi-task loss; a part for which no image of the batch has a label is 0.
struct Loss {
  torch::Tensor total;   ///< scalar that gradients flow from
  double class_loss = 0; ///< cross entropy or focal loss, nats
  double mask_loss = 0;  ///< cross entropy plus soft Dice loss of the tumour class over the batch, bag loss included
};

/// class_weight * cross entropy (or focal loss, arXiv:1708.02002) + mask_weight * (cross entropy + 1 - Dice); missing labels and masks allowed per image.
/// The map is compared at the mask's size. With bag_weight the map of an image without mask learns from its class (multiple
/// instances): the mean log-odds of its quarter with most tumour are those of the image.  Dice loss: Milletari et al. 2016, arXiv:1606.04797.
Loss multi_task_loss(const MemberOutput& output, const Batch& batch, const LossOptions& options);

}  // namespace clmnet::nets
