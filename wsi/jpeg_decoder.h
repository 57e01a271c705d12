#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <span>

namespace clmnet::wsi {

/// What a JPEG tile must be, and where its pixels go.
struct JpegTarget {
  int width = 0;              ///< of the tile as stored, before shrinking
  int height = 0;
  int shrink = 1;             ///< 1, 2, 4 or 8; width and height must be multiples of it
  bool ycbcr = false;         ///< colours inside the JPEG, as TIFF's photometric interpretation says; else RGB
  std::uint8_t* rgb = nullptr;  ///< height / shrink rows of width / shrink pixels
  std::ptrdiff_t row_bytes = 0;
};

/// Decodes JPEG tiles with libjpeg-turbo: exact inverse DCT and smooth chroma upsampling, as libtiff and OpenSlide do.
/// One object serves one thread and any number of tiles.
class JpegDecoder {
 public:
  JpegDecoder();
  ~JpegDecoder();
  JpegDecoder(const JpegDecoder&) = delete;
  JpegDecoder& operator=(const JpegDecoder&) = delete;

  /// `tables` is a JPEG that holds tables alone and may be empty; `tile` may lack them. Returns false, with undefined pixels,
  /// when the tile has another size, another number of channels, more than 64 scans, or any damage that libjpeg notices.
  bool decode(std::span<const std::uint8_t> tables, std::span<const std::uint8_t> tile, const JpegTarget& target);

 private:
  struct State;
  std::unique_ptr<State> state_;
};

}  // namespace clmnet::wsi
