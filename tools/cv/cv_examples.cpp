#include "tools/cv/cv_examples.h"

#include <algorithm>
#include <map>

#include <opencv2/imgcodecs.hpp>
#include <opencv2/imgproc.hpp>

#include "nets/ensemble.h"
#include "nets/training/augment.h"
#include "tools/base/atomic_file.h"
#include "tools/base/error.h"
#include "tools/command.h"
#include "tools/cv/example_choice.h"
#include "wsi/colour_map.h"
#include "wsi/picture_file.h"

namespace clmnet::tools {
namespace fs = std::filesystem;
using nlohmann::json;

namespace {

constexpr int kSidePx = 224, kGapPx = 6, kQuality = 85;

/// The colours of the map over the picture, more of them where the probability is higher. rgb and p are of one size.
cv::Mat under_map(const cv::Mat& rgb, const cv::Mat& p) {
  cv::Mat out = rgb.clone();
  for (int y = 0; y < rgb.rows; ++y) {
    for (int x = 0; x < rgb.cols; ++x) {
      const double value = p.at<float>(y, x), share = 0.2 + 0.4 * value;
      const auto colour = wsi::viridis(value);
      auto& pixel = out.at<cv::Vec3b>(y, x);
      for (int c = 0; c < 3; ++c)
        pixel[c] = cv::saturate_cast<std::uint8_t>((1 - share) * pixel[c] + share * colour[static_cast<std::size_t>(c)]);
    }
  }
  return out;
}

void outline(cv::Mat& picture, const cv::Mat& mask) {
  std::vector<std::vector<cv::Point>> contours;
  cv::findContours(mask, contours, cv::RETR_LIST, cv::CHAIN_APPROX_NONE);
  cv::drawContours(picture, contours, -1, cv::Scalar(0, 0, 0), 3, cv::LINE_AA);
  cv::drawContours(picture, contours, -1, cv::Scalar(255, 255, 255), 1, cv::LINE_AA);
}

std::vector<std::uint8_t> picture_of(nets::Ensemble& ensemble, const nets::LabelledImage& original) {
  const nets::LabelledImage image = nets::fit_to_patch(original, ensemble.config().patch_size_px);
  const torch::Tensor rgb = image.rgb.contiguous();
  const torch::Tensor map = ensemble.predict(rgb.unsqueeze(0), 1).map[0].contiguous();
  const auto height = static_cast<int>(rgb.size(0)), width = static_cast<int>(rgb.size(1));
  const cv::Size size(kSidePx * width / std::max(width, height), kSidePx * height / std::max(width, height));
  const auto fitted = [&](const cv::Mat& from, int how) {
    cv::Mat to;
    cv::resize(from, to, size, 0, 0, how);
    return to;
  };
  const cv::Mat plain =
      fitted(cv::Mat(height, width, CV_8UC3, rgb.data_ptr()), width > kSidePx ? cv::INTER_AREA : cv::INTER_CUBIC);
  cv::Mat coloured = under_map(plain, fitted(cv::Mat(height, width, CV_32F, map.data_ptr()), cv::INTER_LINEAR));
  if (image.mask.defined()) {
    const torch::Tensor mask = image.mask.gt(0).to(torch::kUInt8).contiguous();
    outline(coloured, fitted(cv::Mat(height, width, CV_8U, mask.data_ptr()), cv::INTER_NEAREST));
  }
  cv::Mat both(size.height, 2 * size.width + kGapPx, CV_8UC3, cv::Scalar(255, 255, 255));
  plain.copyTo(both(cv::Rect(0, 0, size.width, size.height)));
  coloured.copyTo(both(cv::Rect(size.width + kGapPx, 0, size.width, size.height)));
  cv::cvtColor(both, both, cv::COLOR_RGB2BGR);
  return wsi::encode_picture(".jpg", both, {cv::IMWRITE_JPEG_QUALITY, kQuality});
}

json drawn_before(const fs::path& file, const std::string& fingerprint) {
  std::error_code ignored;
  if (!fs::exists(file, ignored)) return nullptr;
  try {
    const json found = json::parse(read_whole_file(file));
    if (found.at("predictions_sha256") != fingerprint) return nullptr;
    for (const auto& one : found.at("pictures")) {
      if (!fs::exists(file.parent_path() / one.at("file").get<std::string>(), ignored)) return nullptr;
    }
    return found.at("pictures");
  } catch (const json::exception&) {
    return nullptr;
  }
}

}  // namespace

json draw_examples(const fs::path& run, const CvTable& table, const CvData& data, torch::Device device, ProgressBar& bar) {
  const fs::path folder = run / "examples";
  const std::string fingerprint = sha256_of_file(run / "predictions.csv");
  if (json before = drawn_before(folder / "examples.json", fingerprint); !before.is_null()) return before;
  std::error_code error;
  fs::create_directories(folder, error);
  if (error) throw InputError(folder.string() + ": the folder cannot be made (" + error.message() + ")");
  std::map<std::string, const nets::ManifestRow*> row_of;
  for (const auto& row : data.rows) row_of[row.image.string()] = &row;
  std::map<int, std::vector<std::pair<std::size_t, ExampleChoice>>> by_fold;  // a fold's networks are loaded once
  const auto choices = choose_examples(table);
  for (std::size_t k = 0; k < choices.size(); ++k) by_fold[table.rows[choices[k].row].fold].emplace_back(k, choices[k]);
  json pictures = json::array();
  for (std::size_t k = 0; k < choices.size(); ++k) pictures.push_back(nullptr);
  std::size_t done = 0;
  for (const auto& [fold, its] : by_fold) {
    nets::Ensemble ensemble(run / "repeat-1" / ("fold-" + std::to_string(fold)), device);
    for (const auto& [place, choice] : its) {
      stop_if_interrupted("the folds are kept; the same command goes on");
      const std::vector<std::uint8_t> jpeg = picture_of(ensemble, data.load(*row_of.at(table.rows[choice.row].image)));
      const std::string name = std::string(choice.kind) + "-" + std::to_string(place + 1) + ".jpg";
      write_atomically(folder / name, {reinterpret_cast<const char*>(jpeg.data()), jpeg.size()});
      pictures[place] = {{"file", name},
                         {"kind", choice.kind},
                         {"image", table.rows[choice.row].image},
                         {"caption", example_caption(table, choice.row)}};
      bar.update("examples", ++done, choices.size(), "images");
    }
  }
  write_atomically(folder / "examples.json", json{{"predictions_sha256", fingerprint}, {"pictures", pictures}}.dump(
                                                 2, ' ', false, json::error_handler_t::replace) +
                                                 "\n");
  return pictures;
}

}  // namespace clmnet::tools
