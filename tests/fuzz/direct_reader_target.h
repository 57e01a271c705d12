#pragma once

#include <cstddef>
#include <cstdint>

namespace clmnet::wsi {

/// Opens the bytes as a TIFF and reads some regions of every level at every shrink, inside, over the edge and outside.
/// Whatever the bytes are: returns, in bounded memory and time. Returns how many regions came back whole.
int read_everything_directly(const std::uint8_t* bytes, std::size_t count);

}  // namespace clmnet::wsi
