#pragma once

#include <string>
#include <utility>
#include <vector>

#include "nets/torch.h"

namespace clmnet::nets {

/// Tensors by name in the order of a checkpoint; a name stands once.
using NamedTensors = std::vector<std::pair<std::string, torch::Tensor>>;

/// Parameters and buffers in PyTorch's order: a module's own parameters, its own buffers, then its children in the
/// order they were registered. The tensors are the module's own (no copies), on its device.
NamedTensors state_dict(const torch::nn::Module& module);

enum class LoadMode {
  kStrict,   ///< every tensor of the module, no other, each of its shape
  kLenient,  ///< transfer learning: what fits by name and shape is taken, the rest is reported
};

/// What load_state_dict took and what it left, and why.
struct LoadReport {
  struct Skipped {
    std::string name;
    std::string reason;  ///< "'classifier.6.weight' is [1000,4096], the model wants [2,4096]"
  };
  std::vector<std::string> matched;
  std::vector<std::string> missing;     ///< the module has it, the checkpoint does not: keeps its value
  std::vector<std::string> unexpected;  ///< the checkpoint has it, the module does not
  std::vector<Skipped> mismatched;      ///< both have it, with another shape or kind of number

  bool complete() const { return missing.empty() && unexpected.empty() && mismatched.empty(); }
  /// "matched 30 of 32 tensors; missing: …; unexpected: …; …"; at most `limit` names of each kind.
  std::string text(std::size_t limit = 4) const;
};

/// Copies `tensors` into the module's parameters and buffers, converting the float type and the device.
/// A missing "num_batches_tracked" is no fault: checkpoints older than PyTorch 0.4.1 lack it, and it becomes 0.
/// source  stands for the file in messages.
/// Throws  InputError before anything is changed: in strict mode when the report would not be complete; in both modes
///         when a tensor to be taken holds NaN or infinity, or when no tensor fits at all.
///         std::invalid_argument when a name stands twice in `tensors`.
LoadReport load_state_dict(torch::nn::Module& module, const NamedTensors& tensors, LoadMode mode,
                           const std::string& source);

/// "[256,1280,1,1]"
std::string shape_text(torch::IntArrayRef shape);

}  // namespace clmnet::nets
