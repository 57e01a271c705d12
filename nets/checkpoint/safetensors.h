#pragma once

#include <filesystem>
#include <map>
#include <string>

#include "nets/checkpoint/state_dict.h"

namespace clmnet::nets {

/// A safetensors file: an 8-byte header length, a JSON header, the tensors' bytes (little-endian, row-major).
/// https://github.com/huggingface/safetensors, format version 1.
struct Safetensors {
  NamedTensors tensors;                         ///< on the CPU, in the order of their bytes in the file
  std::map<std::string, std::string> metadata;  ///< "__metadata__"
};

/// Reads F64, F32, F16, BF16, I64, I32, I16, I8, U8 and BOOL. The file is data and is trusted in nothing: every length
/// and offset is checked against the file's size before memory is asked for.
/// Throws InputError when the file is missing, shorter or longer than its header says, the header is over 100 MiB or
/// not such a JSON, a name stands twice, tensors overlap or leave gaps, or a shape does not fit its bytes.
Safetensors load_safetensors(const std::filesystem::path& path);

enum class FloatStorage {
  kAsIs,
  kFloat16,  ///< floating tensors as F16; one with a value beyond 65504 keeps its type, integers keep theirs
};

/// Writes whole or not at all; equal input gives equal bytes. Tensors are laid out by falling element size, then in the
/// order given, so that each begins at a multiple of its element size, as the Python library wants it.
/// Throws InputError when the file cannot be written; std::invalid_argument when a name stands twice, is
/// "__metadata__", or the type of a tensor is none of those above.
void save_safetensors(const std::filesystem::path& path, const NamedTensors& tensors,
                      const std::map<std::string, std::string>& metadata = {},
                      FloatStorage storage = FloatStorage::kAsIs);

}  // namespace clmnet::nets
