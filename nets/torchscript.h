#pragma once

#include <filesystem>
#include <memory>

#include "nets/member.h"
#include "nets/model_config.h"

namespace clmnet::nets {

/// Reads a TorchScript file as a network that says the class of a tile: [N,3,H,W] -> logits [N,classes].
/// Such a file is a program: reading it runs code of whoever made it. Only folders that the user named come here.
/// resize_px  side that tiles are brought to before the network sees them; 0: as they come
/// The member has no map (map_logits is the class, 1 x 1) and no features ([N,0]).
/// Throws InputError: no such file, not TorchScript; at predict, an output of another shape.
std::shared_ptr<Member> load_torchscript_member(const std::filesystem::path& file, std::int64_t classes, std::int64_t resize_px,
                                                torch::Device device);

/// Writes a model's class logits, fused and calibrated, as one TorchScript program: `folder` then holds config.json and
/// torchscript_model.pt as WSInfer's zoo has them, for tiles of the model's patch size and batches of any size. Where the model wants
/// colours normalised by Reinhard's method the program does it, each tile by its own; by Macenko's it takes colours as they are.
/// members  plain ones (not prepared), on the CPU, in config.members' order; they are put into evaluation mode
/// Throws InputError when the folder cannot be written.
void export_torchscript(const ModelConfig& config, const std::vector<std::shared_ptr<Member>>& members,
                        const std::filesystem::path& folder);

}  // namespace clmnet::nets
