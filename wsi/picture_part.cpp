// clmnet-pictures.so: all that is linked with OpenCV's picture files and libvips.
#include <algorithm>
#include <cmath>
#include <cstdio>

#include <opencv2/imgcodecs.hpp>
#include <vips/vips.h>

#include "wsi/picture_file.h"

namespace clmnet::wsi {
namespace {

bool vips_ready() {
  static const bool ready = VIPS_INIT("clmnet") == 0;
  return ready;
}

cv::Mat render_with_vips(const std::string& text, double size_px, bool bold) {
  if (!vips_ready()) return {};
  char* escaped = g_markup_escape_text(text.c_str(), static_cast<gssize>(text.size()));
  const std::string markup = escaped;
  g_free(escaped);
  char font[64];
  std::snprintf(font, sizeof font, "DejaVu Sans %s%d", bold ? "Bold " : "", std::max(4, static_cast<int>(std::lround(size_px * 0.75))));
  VipsImage* image = nullptr;
  if (vips_text(&image, markup.c_str(), "font", font, "dpi", 72, nullptr) != 0) {
    vips_error_clear();
    return {};
  }
  std::size_t size = 0;
  void* memory = vips_image_write_to_memory(image, &size);
  const int width = vips_image_get_width(image), height = vips_image_get_height(image), bands = vips_image_get_bands(image);
  g_object_unref(image);
  cv::Mat coverage;
  if (memory != nullptr && bands == 1) coverage = cv::Mat(height, width, CV_8U, memory).clone();
  g_free(memory);
  return coverage;
}

bool encode(const std::string& ending, const cv::Mat& picture, const std::vector<int>& options, std::vector<unsigned char>& bytes) {
  return cv::imencode(ending, picture, bytes, options);
}

cv::Mat read(const std::string& path, int flags) { return cv::imread(path, flags); }

cv::Mat decode(const cv::Mat& bytes, int flags) { return cv::imdecode(bytes, flags); }

const char* vips_version_text() { return vips_version_string(); }

}  // namespace
}  // namespace clmnet::wsi

extern "C" const clmnet::wsi::PictureFunctions* clmnet_picture_functions() {
  using namespace clmnet::wsi;
  static const PictureFunctions all{encode, read, decode, render_with_vips, vips_version_text};
  return &all;
}
