#pragma once

#include <filesystem>

#include "nets/checkpoint/state_dict.h"

namespace clmnet::nets {

/// The tensors of a .pth / .pt file as torch.save writes it (zip form, PyTorch 1.6 and later), on the CPU, contiguous,
/// in the file's order. The state dict may be the whole file or lie under "state_dict", "model", "model_state_dict",
/// "net" or "module"; a "module." before every name (DataParallel) is taken off.
/// The file is data: its pickle is read by a parser that knows dicts, numbers, texts and tensors; a pickle that names
/// any other Python class or function is refused by that name, and nothing is ever imported or called.
/// Throws InputError for a missing, cut or broken file, one of the older form, a TorchScript program, a tensor that
/// reaches outside its storage, and a file without a state dict.
NamedTensors load_torch_pth(const std::filesystem::path& path);

}  // namespace clmnet::nets
