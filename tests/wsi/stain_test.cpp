#include "wsi/stain.h"

#include <cmath>
#include <random>

#include <gtest/gtest.h>
#include <opencv2/core.hpp>
#include <opencv2/imgproc.hpp>

#include "tools/base/error.h"

namespace clmnet::wsi {
namespace {

Rgb3 unit(Rgb3 v) {
  const double length = std::sqrt(v[0] * v[0] + v[1] * v[1] + v[2] * v[2]);
  return {v[0] / length, v[1] / length, v[2] / length};
}

// Ruifrok and Johnston 2001, table 2: haematoxylin and eosin; and another laboratory's.
const Rgb3 kHaematoxylin = unit({0.650, 0.704, 0.286});
const Rgb3 kEosin = unit({0.268, 0.850, 0.455});
const Rgb3 kOtherHaematoxylin = unit({0.74, 0.61, 0.27});
const Rgb3 kOtherEosin = unit({0.10, 0.93, 0.36});

double degrees_between(const Rgb3& a, const Rgb3& b) {
  double dot = 0;
  for (std::size_t c = 0; c < 3; ++c) dot += a[c] * b[c];
  return std::acos(std::min(1.0, dot)) * 180 / 3.14159265358979;
}

struct Mix {
  cv::Mat rgb, haematoxylin, eosin;  // 8-bit picture, and the amounts it was made of
};

/// Pixels whose two stains are known: a third nearly pure haematoxylin, a third nearly pure eosin, a third mixed, glass between.
Mix mix_of(const Rgb3& haematoxylin, const Rgb3& eosin, double strength, unsigned seed) {
  constexpr int kSide = 160;
  Mix mix{cv::Mat(kSide, kSide, CV_8UC3), cv::Mat(kSide, kSide, CV_64F), cv::Mat(kSide, kSide, CV_64F)};
  std::mt19937 random(seed);
  const auto uniform = [&](double low, double high) { return low + (high - low) * static_cast<double>(random()) / 4294967296.0; };
  for (int y = 0; y < kSide; ++y) {
    for (int x = 0; x < kSide; ++x) {
      const int kind = static_cast<int>(random() % 4);
      double h = 0, e = 0;
      if (kind == 0) h = uniform(0.7, 1.6), e = uniform(0, 0.01);
      if (kind == 1) h = uniform(0, 0.01), e = uniform(0.7, 1.2);
      if (kind == 2) h = uniform(0.2, 1.2), e = uniform(0.2, 0.9);
      mix.haematoxylin.at<double>(y, x) = h *= strength;
      mix.eosin.at<double>(y, x) = e *= strength;
      for (std::size_t c = 0; c < 3; ++c) {
        const double value = 240 * std::exp(-h * haematoxylin[c] - e * eosin[c]) - 1;
        mix.rgb.at<cv::Vec3b>(y, x)[static_cast<int>(c)] = cv::saturate_cast<std::uint8_t>(value);
      }
    }
  }
  return mix;
}

TEST(Macenko, FindsTheVectorsThatThePictureWasMixedWith) {
  const auto ruifrok = fit_macenko(mix_of(kHaematoxylin, kEosin, 1, 1).rgb, {240, 0.15, 1});
  EXPECT_LT(degrees_between(ruifrok.haematoxylin, kHaematoxylin), 2);
  EXPECT_LT(degrees_between(ruifrok.eosin, kEosin), 2);
  const auto other = fit_macenko(mix_of(kOtherHaematoxylin, kOtherEosin, 1, 2).rgb, {240, 0.05, 1});
  EXPECT_LT(degrees_between(other.haematoxylin, kOtherHaematoxylin), 2);
  EXPECT_LT(degrees_between(other.eosin, kOtherEosin), 2);
}

TEST(Macenko, VectorsAreOfUnitLengthAndHaematoxylinComesFirst) {
  for (const bool swapped : {false, true}) {
    const auto fit = fit_macenko(mix_of(swapped ? kEosin : kHaematoxylin, swapped ? kHaematoxylin : kEosin, 1, 3).rgb);
    EXPECT_GT(fit.haematoxylin[0], fit.eosin[0]);
    EXPECT_NEAR(degrees_between(fit.haematoxylin, unit(fit.haematoxylin)), 0, 1e-5);
    EXPECT_LT(degrees_between(fit.haematoxylin, kHaematoxylin), 2);
  }
}

TEST(Macenko, MaximaAreThoseOfTheMixture) {
  const auto mix = mix_of(kHaematoxylin, kEosin, 1, 4);
  const auto fit = fit_macenko(mix.rgb);
  // 99th percentile of what was drawn: haematoxylin up to 1.6, eosin up to 1.2, a third of the stained pixels each.
  EXPECT_NEAR(fit.strongest[0], 1.57, 0.08);
  EXPECT_NEAR(fit.strongest[1], 1.18, 0.08);
}

TEST(Macenko, AWeakerSlideOfOtherDyesComesOutAsTheReference) {
  const auto reference = mix_of(kHaematoxylin, kEosin, 1, 5);
  const auto slide = mix_of(kOtherHaematoxylin, kOtherEosin, 0.8, 5);  // the same amounts, four fifths of the strength
  const auto target = fit_macenko(reference.rgb, {240, 0.05, 1});
  const auto normaliser = StainNormaliser::macenko(fit_macenko(slide.rgb, {240, 0.05, 1}), target);
  cv::Mat result = slide.rgb.clone();
  EXPECT_GT(cv::norm(result, reference.rgb, cv::NORM_L1) / static_cast<double>(result.total() * 3), 8);
  normaliser.apply(result);
  EXPECT_LT(cv::norm(result, reference.rgb, cv::NORM_L1) / static_cast<double>(result.total() * 3), 4);
}

TEST(Macenko, ASlideThatIsTheReferenceStaysAsItIs) {
  const auto mix = mix_of(kHaematoxylin, kEosin, 1, 6);
  const auto fit = fit_macenko(mix.rgb);
  cv::Mat result = mix.rgb.clone();
  StainNormaliser::macenko(fit, fit).apply(result);
  // Each pixel is projected on the plane of the two stains, which rounding to 8 bits has left by less than this.
  EXPECT_LT(cv::norm(result, mix.rgb, cv::NORM_L1) / static_cast<double>(result.total() * 3), 1);
  EXPECT_LE(cv::norm(result, mix.rgb, cv::NORM_INF), 8);
}

TEST(Macenko, GlassStaysGlass) {
  const auto fit = fit_macenko(mix_of(kHaematoxylin, kEosin, 1, 7).rgb);
  cv::Mat glass(4, 4, CV_8UC3, cv::Scalar(239, 239, 239));
  StainNormaliser::macenko(fit, published_macenko_reference()).apply(glass);
  EXPECT_LE(cv::norm(glass, cv::Mat(4, 4, CV_8UC3, cv::Scalar(239, 239, 239)), cv::NORM_INF), 1);
}

TEST(Macenko, BlackAndWhiteDoNotOverflow) {
  const auto fit = fit_macenko(mix_of(kHaematoxylin, kEosin, 1, 8).rgb);
  cv::Mat extremes(1, 2, CV_8UC3, cv::Scalar(0, 0, 0));
  extremes.at<cv::Vec3b>(0, 1) = {255, 255, 255};
  StainNormaliser::macenko(fit, published_macenko_reference()).apply(extremes);
  EXPECT_LT(extremes.at<cv::Vec3b>(0, 0)[1], 20);
  EXPECT_GT(extremes.at<cv::Vec3b>(0, 1)[1], 235);
}

TEST(Macenko, RefusesGlassOneColourAndOtherTypes) {
  EXPECT_THROW(fit_macenko(cv::Mat(64, 64, CV_8UC3, cv::Scalar(240, 241, 240))), InputError);
  EXPECT_THROW(fit_macenko(cv::Mat(64, 64, CV_8UC3, cv::Scalar(150, 80, 140))), InputError);
  EXPECT_THROW(fit_macenko(cv::Mat(9, 9, CV_8UC3, cv::Scalar(150, 80, 140))), InputError);
  EXPECT_THROW(fit_macenko(cv::Mat()), std::invalid_argument);
  EXPECT_THROW(fit_macenko(cv::Mat(64, 64, CV_8U, cv::Scalar(9))), std::invalid_argument);
  const MacenkoFit one_dye{kEosin, kEosin, {1, 1}};
  EXPECT_THROW(StainNormaliser::macenko(one_dye, published_macenko_reference()), InputError);
}

TEST(Reinhard, MeanAndDeviationBecomeTheReferences) {
  // Mid-grey colours, so that nothing is clipped on the way.
  cv::Mat slide(80, 80, CV_8UC3), reference(80, 80, CV_8UC3);
  cv::randn(slide, cv::Scalar(150, 110, 140), cv::Scalar(10, 10, 10));
  cv::randn(reference, cv::Scalar(120, 90, 150), cv::Scalar(15, 15, 15));
  const auto target = fit_reinhard(reference);
  cv::Mat result = slide.clone();
  StainNormaliser::reinhard(fit_reinhard(slide), target).apply(result);
  const auto found = fit_reinhard(result);
  for (std::size_t c = 0; c < 3; ++c) {
    EXPECT_NEAR(found.mean[c], target.mean[c], 0.3) << c;
    EXPECT_NEAR(found.deviation[c], target.deviation[c], 0.4) << c;
  }
}

TEST(Reinhard, ColoursBetweenThoseOfTheTableAreCloseToTheirOwn) {
  cv::Mat slide(200, 200, CV_8UC3);
  cv::randu(slide, cv::Scalar(20, 20, 20), cv::Scalar(236, 236, 236));
  const ReinhardFit own{{55, 25, -15}, {14, 9, 8}}, wanted{{50, 30, -25}, {16, 7.5, 7}};
  cv::Mat lab, want, result = slide.clone();
  slide.convertTo(lab, CV_32FC3, 1.0 / 255);
  cv::cvtColor(lab, lab, cv::COLOR_RGB2Lab);
  for (auto p = lab.begin<cv::Vec3f>(); p != lab.end<cv::Vec3f>(); ++p) {
    for (int c = 0; c < 3; ++c) {
      const auto i = static_cast<std::size_t>(c);
      (*p)[c] = static_cast<float>(wanted.mean[i] + ((*p)[c] - own.mean[i]) * wanted.deviation[i] / own.deviation[i]);
    }
    (*p)[0] = std::clamp((*p)[0], 0.0F, 100.0F);
  }
  cv::cvtColor(lab, lab, cv::COLOR_Lab2RGB);
  lab.convertTo(want, CV_8UC3, 255);
  StainNormaliser::reinhard(own, wanted).apply(result);
  cv::Mat difference;
  cv::absdiff(result, want, difference);
  EXPECT_LE(cv::mean(difference.reshape(1))[0], 0.5);
  EXPECT_LE(cv::norm(difference, cv::NORM_INF), 8);  // where a channel is clipped between two colours of the table
}

TEST(Reinhard, GreyHasTheLightnessOfCie) {
  // sRGB 119 is L* 50.03 (CIE 1976 with D65); OpenCV's tables are good to a fifth.
  const auto fit = fit_reinhard(cv::Mat(20, 20, CV_8UC3, cv::Scalar(119, 119, 119)));
  EXPECT_NEAR(fit.mean[0], 50.03, 0.25);
  EXPECT_NEAR(fit.mean[1], 0, 0.1);
  EXPECT_NEAR(fit.deviation[0], 0, 1e-3);
}

TEST(Reinhard, GlassDoesNotCount) {
  cv::Mat half(40, 40, CV_8UC3, cv::Scalar(150, 90, 140));
  const auto alone = fit_reinhard(half);
  half.rowRange(0, 20).setTo(cv::Scalar(243, 243, 243));
  EXPECT_NEAR(fit_reinhard(half).mean[0], alone.mean[0], 1e-3);
}

TEST(Reinhard, RefusesGlassAndOtherTypes) {
  EXPECT_THROW(fit_reinhard(cv::Mat(64, 64, CV_8UC3, cv::Scalar(243, 243, 243))), InputError);
  EXPECT_THROW(fit_reinhard(cv::Mat(64, 64, CV_32FC3)), std::invalid_argument);
  cv::Mat grey(3, 3, CV_8U);
  EXPECT_THROW(StainNormaliser::reinhard({}, {}).apply(grey), std::invalid_argument);
}

}  // namespace
}  // namespace clmnet::wsi
