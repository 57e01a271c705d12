#include "wsi/colour_profile.h"

#include <array>
#include <memory>
#include <stdexcept>

#include <lcms2.h>

#include "tools/base/error.h"

namespace clmnet::wsi {
namespace {

struct CloseProfile {
  void operator()(void* profile) const { cmsCloseProfile(profile); }
};
using Profile = std::unique_ptr<void, CloseProfile>;

Profile open_profile(const std::vector<std::uint8_t>& bytes) {
  if (bytes.empty() || bytes.size() > kMostIccBytes) return nullptr;
  return Profile(cmsOpenProfileFromMem(bytes.data(), static_cast<cmsUInt32Number>(bytes.size())));
}

std::string text_of(cmsHPROFILE profile) {
  std::array<char, 256> text{};
  cmsGetProfileInfoASCII(profile, cmsInfoDescription, "en", "US", text.data(), static_cast<cmsUInt32Number>(text.size()));
  return text.data();
}

/// "GRAY", "CMYK": the four letters of a signature, without blanks at their end.
std::string letters(std::uint32_t signature) {
  std::string text;
  for (int shift = 24; shift >= 0; shift -= 8) text += static_cast<char>((signature >> shift) & 255);
  return text.substr(0, text.find_last_not_of(' ') + 1);
}

}  // namespace

std::string icc_description(const std::vector<std::uint8_t>& bytes) {
  const Profile profile = open_profile(bytes);
  return profile ? text_of(profile.get()) : std::string();
}

SrgbTransform::SrgbTransform(const std::vector<std::uint8_t>& bytes, const std::string& where) {
  const Profile profile = open_profile(bytes);
  if (!profile) {
    throw InputError(where + ": its ICC profile (" + std::to_string(bytes.size()) + " bytes) is damaged; leave out --icc");
  }
  description_ = text_of(profile.get());
  const auto channels = cmsGetColorSpace(profile.get());
  if (channels != cmsSigRgbData) {
    throw InputError(where + ": its ICC profile '" + description_ + "' is of " + letters(channels) + ", expected RGB; leave out --icc");
  }
  const Profile srgb(cmsCreate_sRGBProfile());
  // Without its cache of one pixel a transform may be used by several threads.
  transform_ = cmsCreateTransform(profile.get(), TYPE_RGB_8, srgb.get(), TYPE_RGB_8, cmsGetHeaderRenderingIntent(profile.get()),
                                  cmsFLAGS_NOCACHE);
  if (!transform_) {
    throw InputError(where + ": its ICC profile '" + description_ + "' does not say how its colours look; leave out --icc");
  }
}

SrgbTransform::~SrgbTransform() {
  if (transform_) cmsDeleteTransform(transform_);
}

void SrgbTransform::apply(cv::Mat& rgb) const {
  if (rgb.type() != CV_8UC3) throw std::invalid_argument("SrgbTransform: wants CV_8UC3");
  if (rgb.empty()) return;
  const auto row_bytes = static_cast<cmsUInt32Number>(rgb.step[0]);
  cmsDoTransformLineStride(transform_, rgb.data, rgb.data, static_cast<cmsUInt32Number>(rgb.cols), static_cast<cmsUInt32Number>(rgb.rows),
                           row_bytes, row_bytes, 0, 0);
}

}  // namespace clmnet::wsi
