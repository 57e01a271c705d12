#pragma once

#include <filesystem>
#include <string>
#include <string_view>
#include <vector>

#include <opencv2/core/mat.hpp>

namespace clmnet::wsi {

// Picture files (PNG, JPEG, TIFF, BMP) through OpenCV, and text through libvips. Both bring a hundred libraries along, which
// take 0.1 s to load: they are in a part of their own (clmnet-pictures.so) that the first call loads.
// All throw InputError when that part cannot be loaded. Any thread may call them.

/// A picture as the bytes of a file. ending ".png", ".jpg"; options as cv::imencode's pairs. Channels in OpenCV's order (BGR).
/// Throws InputError when the picture cannot be coded so.
std::vector<unsigned char> encode_picture(const std::string& ending, const cv::Mat& picture, const std::vector<int>& options = {});

/// The picture in a file; empty when it is none. flags are cv::IMREAD_*. Throws cv::Exception as cv::imread does.
cv::Mat read_picture(const std::filesystem::path& path, int flags);

/// The picture in the bytes of a file; empty when they are none.
cv::Mat decode_picture(std::string_view bytes, int flags);

/// Coverage of a line of text in DejaVu Sans, CV_8U; empty where libvips has no text.
cv::Mat text_coverage(const std::string& text, double size_px, bool bold);

/// Loads the part now, as another thread may while there is something else to do. Without a word where it cannot be loaded: who needs it
/// will hear.
void load_picture_files() noexcept;

/// "8.14.1"
std::string libvips_version();

/// What clmnet-pictures.so gives.
struct PictureFunctions {
  bool (*encode)(const std::string& ending, const cv::Mat& picture, const std::vector<int>& options, std::vector<unsigned char>& bytes);
  cv::Mat (*read)(const std::string& path, int flags);
  cv::Mat (*decode)(const cv::Mat& bytes, int flags);
  cv::Mat (*text)(const std::string& text, double size_px, bool bold);
  const char* (*vips_version)();
};

}  // namespace clmnet::wsi
