#pragma once

#include <cstdint>
#include <string>

struct _openslide;

namespace clmnet::wsi {

/// The functions of one OpenSlide library.
struct OpenSlideApi {
  std::string version;                             ///< "OpenSlide 4.0.1"
  const char* (*detect_vendor)(const char*) = nullptr;
  _openslide* (*open)(const char*) = nullptr;
  void (*close)(_openslide*) = nullptr;
  const char* (*get_error)(_openslide*) = nullptr;
  int (*get_level_count)(_openslide*) = nullptr;
  void (*get_level0_dimensions)(_openslide*, std::int64_t*, std::int64_t*) = nullptr;
  void (*get_level_dimensions)(_openslide*, std::int32_t, std::int64_t*, std::int64_t*) = nullptr;
  double (*get_level_downsample)(_openslide*, std::int32_t) = nullptr;
  void (*read_region)(_openslide*, std::uint32_t*, std::int64_t, std::int64_t, std::int32_t, std::int64_t, std::int64_t) = nullptr;
  const char* const* (*get_property_names)(_openslide*) = nullptr;
  const char* (*get_property_value)(_openslide*, const char*) = nullptr;
  const char* const* (*get_associated_image_names)(_openslide*) = nullptr;
  void (*get_associated_image_dimensions)(_openslide*, const char*, std::int64_t*, std::int64_t*) = nullptr;
  void (*read_associated_image)(_openslide*, const char*, std::uint32_t*) = nullptr;
  std::int64_t (*get_icc_profile_size)(_openslide*) = nullptr;   ///< null in OpenSlide 3
  void (*read_icc_profile)(_openslide*, void*) = nullptr;        ///< null in OpenSlide 3
};

/// The library that clmnet is linked with: Debian's OpenSlide 3.4.
const OpenSlideApi& linked_openslide();

/// OpenSlide 4 of the wheel openslide-bin, loaded once from CLMNET_OPENSLIDE (a path of libopenslide.so.1) or from where
/// tools/setup puts it; null where there is none. It reads DICOM and gives ICC profiles.
const OpenSlideApi* openslide4();

}  // namespace clmnet::wsi
