#include "wsi/stain_reference.h"

#include <gtest/gtest.h>
#include <nlohmann/json.hpp>
#include <opencv2/core.hpp>

#include "tests/base/temporary_folder.h"
#include "tools/base/error.h"
#include "wsi/picture_file.h"

namespace clmnet::wsi {
namespace {

std::string png(const cv::Mat& bgr) {
  const auto bytes = encode_picture(".png", bgr);
  return {bytes.begin(), bytes.end()};
}

/// Two colours of tissue in equal shares, R G B.
cv::Mat checks(const cv::Scalar& a, const cv::Scalar& b) {
  cv::Mat rgb(64, 64, CV_8UC3, a);
  rgb(cv::Rect(0, 0, 64, 32)).setTo(b);
  return rgb;
}

TEST(StainReference, MacenkosPublishedValuesStandWhereNoPictureIsGiven) {
  const StainReference reference = read_stain_reference("macenko", "");
  ASSERT_TRUE(reference.macenko);
  EXPECT_FALSE(reference.reinhard);
  EXPECT_EQ(reference.macenko->haematoxylin, published_macenko_reference().haematoxylin);
  EXPECT_EQ(read_stain_reference("reinhard", "").reinhard.value().mean, usual_reinhard_reference().mean);
}

TEST(StainReference, APictureGivesItsColoursAndASampleIsBroughtToThem) {
  const test::TemporaryFolder folder;
  const cv::Mat wanted = checks({190, 100, 155}, {130, 70, 120});
  cv::Mat bgr(wanted.size(), CV_8UC3);
  for (int y = 0; y < wanted.rows; ++y) {
    for (int x = 0; x < wanted.cols; ++x) {
      const auto& p = wanted.at<cv::Vec3b>(y, x);
      bgr.at<cv::Vec3b>(y, x) = {p[2], p[1], p[0]};
    }
  }
  const StainReference reference = read_stain_reference("reinhard", folder.write("wanted.png", png(bgr)).string());
  ASSERT_TRUE(reference.reinhard);
  cv::Mat other = checks({200, 120, 160}, {150, 80, 120});
  const ReinhardFit own = fit_reinhard(other);
  const FittedNormaliser fitted = normaliser_for(other, reference);
  ASSERT_TRUE(fitted.slide.reinhard);
  EXPECT_EQ(fitted.slide.reinhard->mean, own.mean);  // the sample's own colours, not the reference's
  EXPECT_EQ(fitted.slide.reinhard->deviation, own.deviation);
  fitted.normaliser.apply(other);
  // Two colours are mapped onto two colours exactly, but for rounding.
  EXPECT_LE(cv::norm(other, wanted, cv::NORM_INF), 3);
}

TEST(StainReference, AStrengthBringsASamplePartOfTheWay) {
  const cv::Mat sample = checks({200, 120, 160}, {150, 80, 120});
  const ReinhardFit own = fit_reinhard(sample), wanted = usual_reinhard_reference();
  cv::Mat changed = sample.clone();
  normaliser_for(sample, {{}, wanted, 0.25}).normaliser.apply(changed);
  const ReinhardFit got = fit_reinhard(changed);
  for (std::size_t c = 0; c < 3; ++c) {
    EXPECT_NEAR(got.mean[c], own.mean[c] + 0.25 * (wanted.mean[c] - own.mean[c]), 0.4);
    EXPECT_NEAR(got.deviation[c], own.deviation[c] + 0.25 * (wanted.deviation[c] - own.deviation[c]), 0.4);
  }
}

TEST(StainReference, IsRecordedUnderNames) {
  const MacenkoFit macenko{{0.5, 0.75, 0.25}, {0.125, 0.875, 0.5}, {2, 1}};
  EXPECT_EQ(to_json({macenko, {}}), nlohmann::json::parse(R"({"method": "macenko", "strength": 1.0, "reference":
    {"haematoxylin": [0.5, 0.75, 0.25], "eosin": [0.125, 0.875, 0.5], "strongest": [2.0, 1.0]}})"));
  EXPECT_EQ(to_json({{}, ReinhardFit{{70, 20, -10}, {15, 8, 6.5}}, 0.5}), nlohmann::json::parse(R"({"method": "reinhard", "strength": 0.5,
    "reference": {"mean": [70.0, 20.0, -10.0], "deviation": [15.0, 8.0, 6.5]}})"));
}

TEST(StainReference, WhatCannotBeAReference) {
  const test::TemporaryFolder folder;
  const auto message = [&](const std::string& method, const std::string& picture) {
    return test::message_of<InputError>([&] { read_stain_reference(method, picture); });
  };
  EXPECT_NE(message("vahadane", "").find("no method 'vahadane'; there are: macenko, reinhard"), std::string::npos);
  EXPECT_NE(message("macenko", (folder / "none.png").string()).find("none.png"), std::string::npos);
  const auto text = folder.write("text.png", "not a picture");
  EXPECT_NE(message("macenko", text.string()).find("text.png: no picture"), std::string::npos);
  const auto glass = folder.write("glass.png", png(cv::Mat(64, 64, CV_8UC3, cv::Scalar(240, 240, 240))));
  EXPECT_NE(message("macenko", glass.string()).find("glass.png: "), std::string::npos);
}

}  // namespace
}  // namespace clmnet::wsi
