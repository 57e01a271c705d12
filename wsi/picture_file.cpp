#include "wsi/picture_file.h"

#include "tools/base/error.h"
#include "tools/base/late_library.h"

namespace clmnet::wsi {
namespace {

const PictureFunctions& functions() {
  static const PictureFunctions& all =
      *function_of_part<const PictureFunctions*()>("clmnet-pictures.so", "clmnet_picture_functions")();
  return all;
}

}  // namespace

std::vector<unsigned char> encode_picture(const std::string& ending, const cv::Mat& picture, const std::vector<int>& options) {
  std::vector<unsigned char> bytes;
  if (!functions().encode(ending, picture, options, bytes)) throw InputError("a picture cannot be coded as " + ending);
  return bytes;
}

cv::Mat read_picture(const std::filesystem::path& path, int flags) { return functions().read(path.string(), flags); }

cv::Mat decode_picture(std::string_view bytes, int flags) {
  if (bytes.empty()) return {};
  return functions().decode(cv::Mat(1, static_cast<int>(bytes.size()), CV_8U, const_cast<char*>(bytes.data())), flags);
}

cv::Mat text_coverage(const std::string& text, double size_px, bool bold) { return functions().text(text, size_px, bold); }

void load_picture_files() noexcept {
  try {
    functions();
  } catch (const std::exception&) {
  }
}

std::string libvips_version() { return functions().vips_version(); }

}  // namespace clmnet::wsi
