#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include <opencv2/core/mat.hpp>

namespace clmnet::wsi {

/// No profile of a camera or scanner is larger; a file that claims more is damaged.
constexpr std::uint32_t kMostIccBytes = std::uint32_t{16} << 20;

/// What the text of an ICC profile says it is ("ScanScope v1"); empty where it is no ICC profile.
std::string icc_description(const std::vector<std::uint8_t>& profile);

/// Colours of one ICC profile brought to sRGB (IEC 61966-2-1) by LittleCMS, with the rendering intent that the profile names.
class SrgbTransform {
 public:
  /// Throws InputError, beginning with `where`, for bytes that are no ICC profile or one of other channels than R G B.
  SrgbTransform(const std::vector<std::uint8_t>& profile, const std::string& where);
  ~SrgbTransform();
  SrgbTransform(const SrgbTransform&) = delete;
  SrgbTransform& operator=(const SrgbTransform&) = delete;

  /// In place; CV_8UC3, R G B, rows may lie apart. Any thread may call it.
  void apply(cv::Mat& rgb) const;

  const std::string& description() const { return description_; }

 private:
  std::string description_;
  void* transform_ = nullptr;
};

}  // namespace clmnet::wsi
