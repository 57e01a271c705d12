#include "tools/stats/mask_image.h"

#include <opencv2/core.hpp>
#include <opencv2/imgcodecs.hpp>

#include "tools/base/error.h"
#include "wsi/picture_file.h"

namespace clmnet::tools {
namespace fs = std::filesystem;

namespace {

cv::Mat one_channel(const cv::Mat& image, const fs::path& path) {
  if (image.channels() == 1) return image;
  std::vector<cv::Mat> planes;
  cv::split(image, planes);
  for (std::size_t k = 1; k < std::min<std::size_t>(3, planes.size()) && planes.size() >= 3; ++k) {
    if (cv::countNonZero(planes[k] != planes[0]) > 0) {
      throw InputError(path.string() + ": the image has colours, expected a mask in grey (0 outside, other values inside)");
    }
  }
  return planes[0];
}

}  // namespace

Mask read_mask(const fs::path& path, const MaskRule& rule) {
  std::error_code ignored;
  if (!fs::exists(path, ignored)) {
    throw InputError(path.string() + ": no such file; paths of masks count from the folder of the CSV");
  }
  if (fs::is_directory(path, ignored)) throw InputError(path.string() + ": is a folder, expected a mask image");
  cv::Mat image;
  try {
    image = wsi::read_picture(path, cv::IMREAD_UNCHANGED);
  } catch (const cv::Exception& error) {
    throw InputError(path.string() + ": the image cannot be read (" + error.err + ")");
  }
  if (image.empty()) throw InputError(path.string() + ": is no image that can be read; expected PNG, TIFF, JPEG or BMP");
  cv::Mat values;
  one_channel(image, path).convertTo(values, CV_64F);
  Mask mask{values.rows, values.cols,
            std::vector<std::uint8_t>(static_cast<std::size_t>(values.rows) * static_cast<std::size_t>(values.cols))};
  std::size_t at = 0;
  for (int y = 0; y < values.rows; ++y) {
    const double* line = values.ptr<double>(y);
    for (int x = 0; x < values.cols; ++x) mask.pixels[at++] = rule.label >= 0 ? line[x] == rule.label : line[x] > rule.above;
  }
  return mask;
}

}  // namespace clmnet::tools
