#include "nets/training/augment.h"

#include <gtest/gtest.h>

namespace clmnet::nets {
namespace {

AugmentOptions nothing(int output_px) {
  AugmentOptions options;
  options.output_px = output_px;
  options.flip_rotate = false;
  options.scale_min = options.scale_max = 1;
  options.stain_sigma = options.stain_shift = options.colour_gain = options.blur_px = options.noise = 0;
  return options;
}

LabelledImage random_image(int height, int width) {
  torch::manual_seed(3);
  LabelledImage image;
  image.rgb = torch::randint(0, 256, {height, width, 3}, torch::kUInt8);
  image.mask = torch::randint(0, 2, {height, width}, torch::kUInt8);
  image.label = 1;
  return image;
}

TEST(Augment, WithNothingAskedForItIsTheCentreCrop) {
  const LabelledImage image = random_image(24, 32);
  const LabelledImage out = augment(image, nothing(16), 5);
  EXPECT_TRUE(torch::equal(out.rgb, image.rgb.narrow(0, 4, 16).narrow(1, 8, 16)));
  EXPECT_TRUE(torch::equal(out.mask, image.mask.narrow(0, 4, 16).narrow(1, 8, 16)));
  EXPECT_EQ(out.label, 1);
}

TEST(Augment, HalfScaleIsTheMeanOfFourPixels) {
  const LabelledImage image = random_image(32, 32);
  AugmentOptions options = nothing(16);
  options.scale_min = options.scale_max = 0.5;
  const torch::Tensor want =
      torch::avg_pool2d(image.rgb.permute({2, 0, 1}).unsqueeze(0).to(torch::kFloat32), 2)[0].permute({1, 2, 0});
  const torch::Tensor got = augment(image, options, 5).rgb.to(torch::kFloat32);
  EXPECT_LE((got - want).abs().max().item<float>(), 0.51F);
}

TEST(Augment, BeyondTheImageItIsMirrored) {
  const LabelledImage image = random_image(8, 8);
  const torch::Tensor out = augment(image, nothing(12), 5).rgb;  // two pixels more on each side
  EXPECT_TRUE(torch::equal(out.narrow(0, 2, 8).narrow(1, 2, 8), image.rgb));
  EXPECT_TRUE(torch::equal(out.select(0, 1).narrow(0, 2, 8), image.rgb.select(0, 1)));  // row -1 is row 1
}

TEST(Augment, IsTheSameForASeedAndAnotherForAnother) {
  const LabelledImage image = random_image(64, 64);
  const AugmentOptions options;
  EXPECT_TRUE(torch::equal(augment(image, options, 9).rgb, augment(image, options, 9).rgb));
  EXPECT_FALSE(torch::equal(augment(image, options, 9).rgb, augment(image, options, 10).rgb));
}

TEST(Augment, MaskAndImageMoveTogether) {
  LabelledImage image = random_image(64, 64);
  image.mask = torch::zeros({64, 64}, torch::kUInt8);
  image.mask.narrow(0, 10, 20).narrow(1, 30, 25).fill_(1);
  image.rgb = (image.mask * 200).unsqueeze(2).expand({64, 64, 3}).contiguous();
  AugmentOptions options = nothing(64);
  options.flip_rotate = true;
  options.scale_min = 0.6;
  options.scale_max = 1.4;
  for (std::uint64_t seed = 0; seed < 20; ++seed) {
    const LabelledImage out = augment(image, options, seed);
    const torch::Tensor bright = out.rgb.select(2, 0).ge(100);
    const double differ = bright.ne(out.mask.gt(0)).sum().item<double>();
    EXPECT_LT(differ, 160) << "seed " << seed;  // at most the outline
  }
}

TEST(Augment, GlassStaysBrightAndStainStaysStain) {
  LabelledImage image;
  image.rgb = torch::full({32, 32, 3}, 250, torch::kUInt8);
  AugmentOptions options = nothing(32);
  options.stain_sigma = 0.3;
  for (std::uint64_t seed = 0; seed < 20; ++seed) {
    EXPECT_GT(augment(image, options, seed).rgb.to(torch::kFloat32).mean().item<float>(), 235) << "seed " << seed;
  }
}

TEST(Augment, GlassIsBrightAndHoldsNoTumour) {
  LabelledImage image;
  image.rgb = torch::full({64, 64, 3}, 90, torch::kUInt8);
  image.mask = torch::ones({64, 64}, torch::kUInt8);
  image.label = 1;
  AugmentOptions options = nothing(64);
  options.glass = 1;
  for (std::uint64_t seed = 0; seed < 20; ++seed) {
    const LabelledImage out = augment(image, options, seed);
    const torch::Tensor bright = out.rgb.amin(2).ge(200), tissue = out.rgb.amax(2).le(90);
    EXPECT_GT(bright.sum().item<int>(), 0) << "seed " << seed;
    EXPECT_EQ(bright.logical_and(out.mask.gt(0)).sum().item<int>(), 0) << "seed " << seed;
    EXPECT_EQ(tissue.logical_and(out.mask.eq(0)).sum().item<int>(), 0) << "seed " << seed;
    EXPECT_EQ(out.label, 1);  // most of it is tumour still
  }
}

TEST(Augment, TheClassFollowsTheView) {
  LabelledImage image = random_image(64, 64);
  const auto label_with = [&](int tumour_pixels_of_256) {  // in the centre crop of 16 x 16
    image.mask = torch::zeros({64, 64}, torch::kUInt8);
    image.mask.narrow(0, 0, 8).fill_(1);  // outside the crop
    for (int i = 0; i < tumour_pixels_of_256; ++i) image.mask[24 + i / 16][24 + i % 16] = 1;
    return augment(image, nothing(16), 1).label;
  };
  EXPECT_EQ(label_with(0), 0);
  EXPECT_EQ(label_with(12), -1);
  EXPECT_EQ(label_with(13), 1);  // a twentieth
  image.label = 0;
  EXPECT_EQ(label_with(0), 0);
  image.label = -1;
  EXPECT_EQ(label_with(0), -1);
  image.label = 1;
  image.mask = torch::Tensor();
  EXPECT_EQ(augment(image, nothing(16), 1).label, 1);  // nothing is known
}

TEST(Augment, TheColoursThatNetworksSeeAreBroughtAboutLast) {
  LabelledImage image = random_image(16, 16);
  AugmentOptions options = nothing(16);
  options.colour_gain = 0.5;
  const torch::Tensor changed = augment(image, options, 5).rgb;
  image.colours = [](torch::Tensor& rgb) { rgb.bitwise_not_(); };
  const LabelledImage out = augment(image, options, 5);
  EXPECT_TRUE(torch::equal(out.rgb, changed.bitwise_not()));
  EXPECT_FALSE(out.colours);  // they are not brought about twice
}

TEST(Stronger, ChangesColoursFocusAndNoiseMoreAndGeometryNot) {
  AugmentOptions options;
  options.glass = 0.2;
  const AugmentOptions twice = stronger(options, 2);
  EXPECT_EQ(twice.stain_sigma, 2 * options.stain_sigma);
  EXPECT_EQ(twice.stain_shift, 2 * options.stain_shift);
  EXPECT_EQ(twice.colour_gain, 2 * options.colour_gain);
  EXPECT_EQ(twice.blur_px, 2 * options.blur_px);
  EXPECT_EQ(twice.noise, 2 * options.noise);
  EXPECT_EQ(twice.scale_min, options.scale_min);
  EXPECT_EQ(twice.scale_max, options.scale_max);
  EXPECT_EQ(twice.glass, options.glass);
}

TEST(FitToPatch, TakesTheCentreSquareByArea) {
  const LabelledImage image = random_image(40, 32);
  const LabelledImage out = fit_to_patch(image, 16);
  EXPECT_EQ(out.rgb.sizes(), (std::vector<std::int64_t>{16, 16, 3}));
  const double want = image.rgb.narrow(0, 4, 2).narrow(1, 0, 2).select(2, 1).to(torch::kFloat64).mean().item<double>();
  EXPECT_NEAR(out.rgb[0][0][1].item<double>(), want, 0.51);
  EXPECT_EQ(out.mask.sizes(), (std::vector<std::int64_t>{16, 16}));
}

TEST(FitToPatch, BringsAboutTheColoursThatNetworksSee) {
  LabelledImage image = random_image(16, 16);
  image.colours = [](torch::Tensor& rgb) { rgb.bitwise_not_(); };
  const LabelledImage out = fit_to_patch(image, 16);
  EXPECT_TRUE(torch::equal(out.rgb, image.rgb.bitwise_not()));
  EXPECT_FALSE(out.colours);
}

TEST(FitToPatch, LeavesAnImageOfTheRightSizeAlone) {
  const LabelledImage image = random_image(16, 16);
  EXPECT_TRUE(torch::equal(fit_to_patch(image, 16).rgb, image.rgb));
}

}  // namespace
}  // namespace clmnet::nets
