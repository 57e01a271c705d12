#include "tools/image_loader.h"

#include <cstring>
#include <stdexcept>

#include <opencv2/imgcodecs.hpp>
#include <opencv2/imgproc.hpp>

#include "tools/base/error.h"
#include "wsi/picture_file.h"

namespace clmnet::tools {

torch::Tensor to_tensor(const cv::Mat& image) {
  const cv::Mat whole = image.isContinuous() ? image : image.clone();
  std::vector<std::int64_t> shape = {whole.rows, whole.cols};
  if (whole.channels() > 1) shape.push_back(whole.channels());
  torch::Tensor tensor = torch::empty(shape, torch::kUInt8);
  std::memcpy(tensor.data_ptr(), whole.data, whole.total() * whole.elemSize());
  return tensor;
}

void normalise_stain(torch::Tensor& rgb, const wsi::StainReference& reference) {
  cv::Mat pixels(static_cast<int>(rgb.size(0)), static_cast<int>(rgb.size(1)), CV_8UC3, rgb.data_ptr<std::uint8_t>());
  try {
    wsi::normaliser_for(pixels, reference).normaliser.apply(pixels);
  } catch (const InputError&) {  // glass, or all of one colour: nothing to go by
  }
}

nets::LabelledImage load_labelled_image(const nets::ManifestRow& row) {
  if (row.slide) throw std::invalid_argument("load_labelled_image: a tile of a slide, which ManifestReader's loader reads");
  const cv::Mat bgr = wsi::read_picture(row.image, cv::IMREAD_COLOR | cv::IMREAD_IGNORE_ORIENTATION);
  if (bgr.empty()) throw InputError(row.image.string() + ": cannot be read as an image");
  cv::Mat rgb;
  cv::cvtColor(bgr, rgb, cv::COLOR_BGR2RGB);
  nets::LabelledImage out;
  out.label = row.label;
  out.rgb = to_tensor(rgb);
  if (row.mask.empty()) return out;
  const cv::Mat mask = wsi::read_picture(row.mask, cv::IMREAD_GRAYSCALE);
  if (mask.empty()) throw InputError(row.mask.string() + ": cannot be read as a mask image");
  if (mask.size() != rgb.size()) {
    throw InputError(row.mask.string() + ": the mask is " + std::to_string(mask.cols) + " x " + std::to_string(mask.rows) +
                     ", its image " + std::to_string(rgb.cols) + " x " + std::to_string(rgb.rows) + "; both must be equal");
  }
  out.mask = nets::tumour_mask(row, to_tensor(mask));
  return out;
}

}  // namespace clmnet::tools
