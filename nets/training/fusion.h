#pragma once

#include <functional>
#include <memory>
#include <vector>

#include "nets/training/trainer.h"

namespace clmnet::nets {

/// What K trained networks say of M validation images.
struct ValidationOutputs {
  std::vector<torch::Tensor> class_logits;  ///< K of [M,C]
  std::vector<torch::Tensor> map_logits;    ///< K of [M,C,h,w]
  torch::Tensor label;                      ///< int64 [M]; -1 where unknown
  torch::Tensor mask;                       ///< int64 [M,h,w]; 1 where most of the pixel is tumour, -1 where unknown
  torch::Tensor guide;                      ///< uint8 [V,h,w,3]: the first V images, which are not augmented, at the maps' size
};

/// Runs the networks over the validation rows, each as it is and in `views` augmented ones, so that calibration also
/// holds for other stains, scales and focus than the scanners' own.
/// map_px  pixels of the image per pixel of the maps
ValidationOutputs run_on_validation(const std::vector<std::shared_ptr<Member>>& members, const TrainingData& data,
                                    const ModelConfig& config, const AugmentOptions& augment, int views,
                                    std::int64_t map_px, std::uint64_t seed, int workers, torch::Device device,
                                    const std::function<bool()>& stop_requested);

/// Log loss of the calibrated class over the outputs that a fusion was learned from, nats: what it minimises, so what to choose between
/// weights by. NaN where no label is known.
struct ClassLogLoss {
  std::vector<double> networks;
  double ensemble = 0;
};

/// Learns how the networks are fused and writes it into `config`: a temperature for each network's class and map logits
/// (Guo et al. 2017, arXiv:1706.04599), then weights >= 0 that minimise the negative log-likelihood of the fused
/// probabilities. A pull towards equal weights (ridge) decides where the data does not. Class thresholds are chosen for
/// config.sensitivity, or for balanced accuracy where that is 0; those of maps for the MapScore. Expected calibration errors, before
/// (temperature 1) and after, are written along.
ClassLogLoss fit_fusion(const ValidationOutputs& outputs, ModelConfig& config);

/// Probability of tumour of each pixel as `config` fuses the networks.  float [M,h,w].
torch::Tensor fused_tumour_map(const ValidationOutputs& outputs, const ModelConfig& config);

/// The operating point in [0.002,0.998] for balanced accuracy, since classes may be rare or common elsewhere: the threshold with the
/// largest sensitivity + specificity when the log odds of each image are spread around what was found with a standard deviation of
/// 1, as another stain, another scanner moves them (Youden's index from kernel estimates: Fluss et al. 2005, doi
/// 10.1002/bimj.200410135). Unsmoothed, a handful of images decide; spread wider, it forgets what the images say. 0.5 where one of the
/// classes has no image; of equal ones the nearest to 0.5.
/// probability [n], truth [n] of 0 and 1
double balanced_threshold(const torch::Tensor& probability, const torch::Tensor& truth);

}  // namespace clmnet::nets
