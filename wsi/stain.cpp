#include "wsi/stain.h"

#include <algorithm>
#include <cmath>
#include <stdexcept>

#include <opencv2/imgproc.hpp>

#include "tools/base/error.h"

namespace clmnet::wsi {
namespace {

constexpr std::size_t kLeastPixels = 100;

void require_rgb(const cv::Mat& rgb) {
  if (rgb.type() != CV_8UC3) throw std::invalid_argument("stain: wants CV_8UC3, R G B");
}

std::array<double, 256> density_table(double glass) {
  std::array<double, 256> table{};
  for (std::size_t value = 0; value < table.size(); ++value) table[value] = -std::log((static_cast<double>(value) + 1) / glass);
  return table;
}

/// Optical density of the pixels that are stained in every channel.
std::vector<cv::Vec3d> stained_densities(const cv::Mat& rgb, const MacenkoOptions& options) {
  const auto table = density_table(options.glass);
  std::vector<cv::Vec3d> densities;
  for (int y = 0; y < rgb.rows; ++y) {
    for (int x = 0; x < rgb.cols; ++x) {
      const auto& p = rgb.at<cv::Vec3b>(y, x);
      const cv::Vec3d density(table[p[0]], table[p[1]], table[p[2]]);
      if (std::min({density[0], density[1], density[2]}) >= options.least_density) densities.push_back(density);
    }
  }
  if (densities.size() < kLeastPixels) {
    throw InputError("stain: " + std::to_string(densities.size()) + " pixels are stained, expected at least " +
                     std::to_string(kLeastPixels) + "; give a reference with tissue, or leave the slide's colours as they are");
  }
  return densities;
}

/// Value at a percentile, linear between the two nearest.
double percentile(std::vector<double> values, double percent) {
  const double at = percent / 100 * static_cast<double>(values.size() - 1);
  const auto low = static_cast<std::size_t>(at);
  const auto begin = values.begin();
  std::nth_element(begin, begin + static_cast<std::ptrdiff_t>(low), values.end());
  const double first = values[low];
  if (low + 1 == values.size()) return first;
  const double second = *std::min_element(begin + static_cast<std::ptrdiff_t>(low) + 1, values.end());
  return first + (at - static_cast<double>(low)) * (second - first);
}

/// The two largest principal axes, turned so that most of the tissue lies on their positive side.
std::array<cv::Vec3d, 2> principal_plane(const std::vector<cv::Vec3d>& densities) {
  const double n = static_cast<double>(densities.size());
  cv::Vec3d mean(0, 0, 0);
  for (const auto& density : densities) mean += density;
  mean *= 1 / n;
  cv::Matx33d covariance = cv::Matx33d::zeros();
  for (const auto& density : densities) {
    const cv::Vec3d off = density - mean;
    covariance += off * off.t();
  }
  covariance *= 1 / (n - 1);
  cv::Vec3d values;
  cv::Matx33d vectors;
  cv::eigen(covariance, values, vectors);
  if (!(values[1] > 1e-9)) {
    throw InputError("stain: all stained pixels have one colour, expected two stains; give a reference with both");
  }
  std::array<cv::Vec3d, 2> plane;
  for (int i = 0; i < 2; ++i) {
    cv::Vec3d axis(vectors(i, 0), vectors(i, 1), vectors(i, 2));
    plane[static_cast<std::size_t>(i)] = axis.dot(mean) < 0 ? cv::Vec3d(-axis) : axis;
  }
  return plane;
}

/// Pseudo-inverse of [haematoxylin eosin], 2 x 3.
cv::Matx<double, 2, 3> unmixing(const MacenkoFit& fit) {
  cv::Matx<double, 3, 2> stains;
  for (int c = 0; c < 3; ++c) {
    stains(c, 0) = fit.haematoxylin[static_cast<std::size_t>(c)];
    stains(c, 1) = fit.eosin[static_cast<std::size_t>(c)];
  }
  const cv::Matx22d gram = stains.t() * stains;
  if (std::abs(cv::determinant(gram)) < 1e-6) {
    throw InputError("stain: the two stains have one colour; expected haematoxylin and eosin; give another reference");
  }
  return gram.inv() * stains.t();
}

Rgb3 unit(const cv::Vec3d& v) {
  const double length = cv::norm(v);
  return {v[0] / length, v[1] / length, v[2] / length};
}

}  // namespace

MacenkoFit fit_macenko(const cv::Mat& rgb, const MacenkoOptions& options) {
  require_rgb(rgb);
  const auto densities = stained_densities(rgb, options);
  const auto plane = principal_plane(densities);
  std::vector<double> angles;
  angles.reserve(densities.size());
  for (const auto& density : densities) angles.push_back(std::atan2(density.dot(plane[1]), density.dot(plane[0])));
  const double low = percentile(angles, options.percentile), high = percentile(angles, 100 - options.percentile);
  const auto at = [&](double angle) { return cv::Vec3d(plane[0] * std::cos(angle) + plane[1] * std::sin(angle)); };
  Rgb3 first = unit(at(low)), second = unit(at(high));
  if (first[0] < second[0]) std::swap(first, second);
  MacenkoFit fit{first, second, {}};
  const auto unmix = unmixing(fit);
  std::array<std::vector<double>, 2> amounts;
  for (const auto& density : densities) {
    const cv::Vec2d amount = unmix * density;
    amounts[0].push_back(amount[0]);
    amounts[1].push_back(amount[1]);
  }
  for (std::size_t i = 0; i < 2; ++i) fit.strongest[i] = percentile(std::move(amounts[i]), 99);
  if (!(fit.strongest[0] > 0) || !(fit.strongest[1] > 0)) {
    throw InputError("stain: one of the two stains is not there; expected haematoxylin and eosin; give another reference");
  }
  return fit;
}

MacenkoFit published_macenko_reference() {
  return {{0.5626, 0.7201, 0.4062}, {0.2159, 0.8012, 0.5581}, {1.9705, 1.0308}};
}

ReinhardFit usual_reinhard_reference() { return {{50, 30, -25}, {16, 7.5, 7}}; }

class StainNormaliser::Method {
 public:
  Method() = default;
  virtual ~Method() = default;
  Method(const Method&) = delete;
  Method& operator=(const Method&) = delete;
  virtual void apply(cv::Mat& rgb) const = 0;
};

/// Unmixing, scaling and mixing are one 3 x 3 matrix on optical densities.
class StainNormaliser::Macenko : public Method {
 public:
  Macenko(const MacenkoFit& slide, const MacenkoFit& reference, double strength, const MacenkoOptions& options)
      : glass_(options.glass) {
    const auto unmix = unmixing(slide);
    cv::Matx<double, 3, 2> mix;
    for (int c = 0; c < 3; ++c) {
      mix(c, 0) = reference.haematoxylin[static_cast<std::size_t>(c)] * reference.strongest[0] / slide.strongest[0];
      mix(c, 1) = reference.eosin[static_cast<std::size_t>(c)] * reference.strongest[1] / slide.strongest[1];
    }
    matrix_ = (1 - strength) * cv::Matx33d::eye() + strength * (mix * unmix);
    const auto table = density_table(glass_);
    for (std::size_t value = 0; value < 256; ++value) density_[value] = static_cast<float>(table[value]);
    for (std::size_t i = 0; i < kSteps; ++i) {
      const double density = kLowest + static_cast<double>(i) / kStepsPerUnit;
      value_[i] = static_cast<std::uint8_t>(std::clamp(std::lround(glass_ * std::exp(-density) - 1), 0L, 255L));
    }
  }

  void apply(cv::Mat& rgb) const override {
    for (int y = 0; y < rgb.rows; ++y) {
      auto* p = rgb.ptr<std::uint8_t>(y);
      for (int x = 0; x < rgb.cols; ++x, p += 3) {
        const float r = density_[p[0]], g = density_[p[1]], b = density_[p[2]];
        for (int c = 0; c < 3; ++c) p[c] = value_of(matrix_(c, 0) * r + matrix_(c, 1) * g + matrix_(c, 2) * b);
      }
    }
  }

 private:
  // Steps of 1/1024 are a quarter of a grey level at most; beyond the ends everything is 255 or 0.
  static constexpr double kLowest = -0.25;
  static constexpr double kStepsPerUnit = 1024;
  static constexpr std::size_t kSteps = 6400;

  std::uint8_t value_of(double density) const {
    const auto step = std::lround((density - kLowest) * kStepsPerUnit);
    return value_[static_cast<std::size_t>(std::clamp(step, 0L, static_cast<long>(kSteps) - 1))];
  }

  double glass_;
  cv::Matx33d matrix_;
  std::array<float, 256> density_{};
  std::array<std::uint8_t, kSteps> value_{};
};

namespace {

/// L* 0 to 100, a* and b* as they are.
cv::Mat to_lab(const cv::Mat& rgb) {
  cv::Mat lab;
  rgb.convertTo(lab, CV_32FC3, 1.0 / 255);
  cv::cvtColor(lab, lab, cv::COLOR_RGB2Lab);
  return lab;
}

}  // namespace

ReinhardFit fit_reinhard(const cv::Mat& rgb) {
  require_rgb(rgb);
  cv::Mat grey;
  cv::cvtColor(rgb, grey, cv::COLOR_RGB2GRAY);
  const cv::Mat tissue = grey < 0.85 * 255;
  const auto count = static_cast<std::size_t>(cv::countNonZero(tissue));
  if (count < kLeastPixels) {
    throw InputError("stain: " + std::to_string(count) + " pixels are tissue, expected at least " + std::to_string(kLeastPixels) +
                     "; give a reference with tissue, or leave the slide's colours as they are");
  }
  cv::Scalar mean, deviation;
  cv::meanStdDev(to_lab(rgb), mean, deviation, tissue);
  return {{mean[0], mean[1], mean[2]}, {deviation[0], deviation[1], deviation[2]}};
}

class StainNormaliser::Reinhard : public Method {
 public:
  Reinhard(const ReinhardFit& slide, const ReinhardFit& reference, double strength) {
    cv::Vec3d gain, shift;
    for (int c = 0; c < 3; ++c) {
      const auto i = static_cast<std::size_t>(c);
      // A slide of one colour has nothing to scale.
      const double whole = slide.deviation[i] > 1e-6 ? reference.deviation[i] / slide.deviation[i] : 1;
      gain[c] = 1 + strength * (whole - 1);
      shift[c] = strength * (reference.mean[i] - whole * slide.mean[i]);
    }
    static const cv::Mat colours = colours_of_the_table();
    cv::Mat lab = colours.clone();
    for (int at = 0; at < kSide * kSide * kSide; ++at) {
      auto& p = lab.ptr<cv::Vec3f>()[at];
      for (int c = 0; c < 3; ++c) p[c] = static_cast<float>(gain[c] * p[c] + shift[c]);
      p[0] = std::clamp(p[0], 0.0F, 100.0F);
    }
    cv::cvtColor(lab, lab, cv::COLOR_Lab2RGB);
    for (std::size_t at = 0; at < table_.size(); ++at) {
      const auto& p = lab.ptr<cv::Vec3f>()[at];
      for (int c = 0; c < 3; ++c) table_[at][static_cast<std::size_t>(c)] = std::clamp(255 * p[c], 0.0F, 255.0F);
    }
  }

  void apply(cv::Mat& rgb) const override {
    constexpr std::size_t kRed = kSide * kSide, kGreen = kSide;
    for (int y = 0; y < rgb.rows; ++y) {
      auto* p = rgb.ptr<std::uint8_t>(y);
      for (int x = 0; x < rgb.cols; ++x, p += 3) {
        const Cell& r = kCells[p[0]];
        const Cell& g = kCells[p[1]];
        const Cell& b = kCells[p[2]];
        const Colour* corner = &table_[r.below * kRed + g.below * kGreen + b.below];
        Colour mixed;
        for (std::size_t c = 0; c < 4; ++c) {
          const auto between = [&](std::size_t offset) {
            return corner[offset][c] + b.share * (corner[offset + 1][c] - corner[offset][c]);
          };
          const float low = between(0) + g.share * (between(kGreen) - between(0));
          const float high = between(kRed) + g.share * (between(kRed + kGreen) - between(kRed));
          mixed[c] = low + r.share * (high - low) + 0.5F;
        }
        for (std::size_t c = 0; c < 3; ++c) p[c] = static_cast<std::uint8_t>(mixed[c]);
      }
    }
  }

 private:
  static constexpr int kSide = 33;

  /// L* a* b* of the table's entries, the same for all slides.
  static cv::Mat colours_of_the_table() {
    cv::Mat lab(kSide * kSide, kSide, CV_32FC3);
    for (int at = 0; at < kSide * kSide * kSide; ++at) {
      lab.ptr<cv::Vec3f>()[at] = cv::Vec3f(at / (kSide * kSide), at / kSide % kSide, at % kSide) / (kSide - 1.0F);
    }
    cv::cvtColor(lab, lab, cv::COLOR_RGB2Lab);
    return lab;
  }

  using Colour = std::array<float, 4>;  ///< R G B, the fourth is not used
  /// Where a channel's value lies between two entries of the table.
  struct Cell {
    std::size_t below;
    float share;
  };
  static constexpr std::array<Cell, 256> kCells = [] {
    std::array<Cell, 256> cells{};
    for (std::size_t value = 0; value < cells.size(); ++value) {
      const std::size_t below = std::min<std::size_t>(value * (kSide - 1) / 255, kSide - 2);
      cells[value] = {below, static_cast<float>(value) * (kSide - 1) / 255 - static_cast<float>(below)};
    }
    return cells;
  }();

  std::vector<Colour> table_ = std::vector<Colour>(kSide * kSide * kSide);
};

StainNormaliser::StainNormaliser(std::unique_ptr<const Method> method) : method_(std::move(method)) {}
StainNormaliser::StainNormaliser(StainNormaliser&&) noexcept = default;
StainNormaliser& StainNormaliser::operator=(StainNormaliser&&) noexcept = default;
StainNormaliser::~StainNormaliser() = default;

StainNormaliser StainNormaliser::macenko(const MacenkoFit& slide, const MacenkoFit& reference, double strength,
                                         const MacenkoOptions& options) {
  return StainNormaliser(std::make_unique<Macenko>(slide, reference, strength, options));
}

StainNormaliser StainNormaliser::reinhard(const ReinhardFit& slide, const ReinhardFit& reference, double strength) {
  return StainNormaliser(std::make_unique<Reinhard>(slide, reference, strength));
}

void StainNormaliser::apply(cv::Mat& rgb) const {
  require_rgb(rgb);
  method_->apply(rgb);
}

}  // namespace clmnet::wsi
