#include "wsi/openslide_api.h"

#include <cstdlib>
#include <filesystem>
#include <memory>

#include <dlfcn.h>
#include <openslide.h>

namespace clmnet::wsi {
namespace {

template <typename Function>
bool find(void* library, const char* name, Function& into) {
  into = reinterpret_cast<Function>(::dlsym(library, name));
  return into != nullptr;
}

#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
constexpr bool kMayLoad = false;  // sanitizers forbid RTLD_DEEPBIND
#else
constexpr bool kMayLoad = true;
#endif

std::unique_ptr<OpenSlideApi> load(const std::filesystem::path& file) {
  std::error_code ignored;
  if (!kMayLoad || !std::filesystem::is_regular_file(file, ignored)) return nullptr;
  // Bound deeply: its calls of its own functions must not end up in the library that clmnet is linked with.
  void* library = ::dlopen(file.c_str(), RTLD_NOW | RTLD_LOCAL | RTLD_DEEPBIND);
  if (!library) return nullptr;
  auto api = std::make_unique<OpenSlideApi>();
  const char* (*version)() = nullptr;
  const bool all = find(library, "openslide_get_version", version) && find(library, "openslide_detect_vendor", api->detect_vendor) &&
                   find(library, "openslide_open", api->open) && find(library, "openslide_close", api->close) &&
                   find(library, "openslide_get_error", api->get_error) && find(library, "openslide_get_level_count", api->get_level_count) &&
                   find(library, "openslide_get_level0_dimensions", api->get_level0_dimensions) &&
                   find(library, "openslide_get_level_dimensions", api->get_level_dimensions) &&
                   find(library, "openslide_get_level_downsample", api->get_level_downsample) &&
                   find(library, "openslide_read_region", api->read_region) && find(library, "openslide_get_property_names", api->get_property_names) &&
                   find(library, "openslide_get_property_value", api->get_property_value) &&
                   find(library, "openslide_get_associated_image_names", api->get_associated_image_names) &&
                   find(library, "openslide_get_associated_image_dimensions", api->get_associated_image_dimensions) &&
                   find(library, "openslide_read_associated_image", api->read_associated_image) &&
                   find(library, "openslide_get_icc_profile_size", api->get_icc_profile_size) &&
                   find(library, "openslide_read_icc_profile", api->read_icc_profile);
  if (!all) return nullptr;  // stays loaded: OpenSlide's threads do not survive an unload
  api->version = std::string("OpenSlide ") + version();
  return api;
}

}  // namespace

const OpenSlideApi& linked_openslide() {
  static const OpenSlideApi api{std::string("OpenSlide ") + openslide_get_version(), openslide_detect_vendor, openslide_open, openslide_close,
                                openslide_get_error, openslide_get_level_count, openslide_get_level0_dimensions,
                                openslide_get_level_dimensions, openslide_get_level_downsample, openslide_read_region,
                                openslide_get_property_names, openslide_get_property_value, openslide_get_associated_image_names,
                                openslide_get_associated_image_dimensions, openslide_read_associated_image, nullptr, nullptr};
  return api;
}

const OpenSlideApi* openslide4() {
  static const std::unique_ptr<OpenSlideApi> api = [] {
    const char* given = std::getenv("CLMNET_OPENSLIDE");
    return load(given ? given : CLMNET_OPENSLIDE_DIR "/libopenslide.so.1");
  }();
  return api.get();
}

}  // namespace clmnet::wsi
