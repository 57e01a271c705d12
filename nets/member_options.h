#pragma once

#include <cstdint>
#include <string>
#include <vector>

namespace clmnet::nets {

/// Which network, and how large. `network` is one of member_names().
struct MemberOptions {
  std::string network;
  double width = 1.0;            ///< multiplies all channel counts
  std::int64_t classes = 2;
  bool batch_norm = true;        ///< VGG16 only; the others always normalise
  bool squeeze_excite = true;
  std::int64_t feature_size = 256;
  std::vector<std::int64_t> atrous_rates;  ///< DeepLab-v3 and U-Net; empty: the network's own
};

/// The networks that make_member knows.
const std::vector<std::string>& member_names();

/// The three of CLM-Net, which a configuration without model.networks trains: "vgg16", "deeplabv3", "unet".
const std::vector<std::string>& clmnet_member_names();

/// True for a network that is a backbone for classification; its map is its class-activation map, which needs no masks.
bool maps_by_class_activation(const std::string& network);

}  // namespace clmnet::nets
