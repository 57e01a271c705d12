#include "wsi/synth.h"

#include <algorithm>
#include <array>
#include <cmath>
#include <numbers>
#include <stdexcept>
#include <vector>

#include <opencv2/imgproc.hpp>

namespace clmnet::wsi {
namespace {

/// A well mixed 64-bit function of a place (Steele et al. 2014, SplitMix64's finaliser).
std::uint64_t mix(std::uint64_t x) {
  x += 0x9e3779b97f4a7c15ULL;
  x = (x ^ (x >> 30)) * 0xbf58476d1ce4e5b9ULL;
  x = (x ^ (x >> 27)) * 0x94d049bb133111ebULL;
  return x ^ (x >> 31);
}

/// Numbers in [0,1) that belong to one cell of one layer of the drawing.
class Dice {
 public:
  Dice(std::uint64_t seed, int layer, std::int64_t x, std::int64_t y)
      : state_(mix(seed ^ mix(static_cast<std::uint64_t>(layer) ^ mix(static_cast<std::uint64_t>(x) ^ mix(static_cast<std::uint64_t>(y)))))) {}
  double next() {
    state_ = mix(state_);
    return static_cast<double>(state_ >> 11) * 0x1.0p-53;
  }
  double between(double low, double high) { return low + (high - low) * next(); }

 private:
  std::uint64_t state_;
};

/// Smooth noise in [0,1] with features of one unit.
double value_noise(std::uint64_t seed, int layer, double x, double y) {
  const double fx = std::floor(x), fy = std::floor(y);
  const auto ix = static_cast<std::int64_t>(fx), iy = static_cast<std::int64_t>(fy);
  const auto smooth = [](double t) { return t * t * (3 - 2 * t); };
  const auto at = [&](std::int64_t dx, std::int64_t dy) { return Dice(seed, layer, ix + dx, iy + dy).next(); };
  const double u = smooth(x - fx), v = smooth(y - fy);
  return (at(0, 0) * (1 - u) + at(1, 0) * u) * (1 - v) + (at(0, 1) * (1 - u) + at(1, 1) * u) * v;
}

struct Blob {
  double x, y, radius;              // um
  std::array<double, 5> wave;       // amplitudes of harmonics 2 to 6
  std::array<double, 5> phase;

  /// Below 1 inside.
  double distance(double px, double py) const {
    const double dx = px - x, dy = py - y, angle = std::atan2(dy, dx);
    double rim = 1;
    for (std::size_t k = 0; k < wave.size(); ++k) rim += wave[k] * std::cos(static_cast<double>(k + 2) * angle + phase[k]);
    return std::hypot(dx, dy) / (radius * rim);
  }
};

Blob make_blob(Dice& dice, double x, double y, double radius, double roughness) {
  Blob blob{x, y, radius, {}, {}};
  for (std::size_t k = 0; k < blob.wave.size(); ++k) {
    blob.wave[k] = roughness * dice.between(-1, 1) / static_cast<double>(k + 1);
    blob.phase[k] = dice.between(0, 2 * std::numbers::pi);
  }
  return blob;
}

constexpr int kMarginPx = 8;        // for the optical blur
constexpr double kCryptUm = 105;    // from crypt to crypt
constexpr double kNucleusUm = 9.5;  // from nucleus to nucleus in stroma
constexpr double kTumourNucleusUm = 8.2;

}  // namespace

class SynthSlide::Impl {
 public:
  explicit Impl(const SynthOptions& options) : options_(options) {
    if (options.extent.width < 1 || options.extent.height < 1) throw std::invalid_argument("SynthSlide: the slide is empty");
    if (!(options.um_per_px >= 0.1 && options.um_per_px <= 4)) throw std::invalid_argument("SynthSlide: um_per_px is not in 0.1 to 4");
    place_pieces();
    fill_colours();
  }

  void paint(Level0Px origin, cv::Mat& rgb) const;
  bool tissue(double x, double y) const {
    const double bump = 0.05 * (value_noise(options_.seed, 1, x / 60, y / 60) - 0.5);
    return std::any_of(pieces_.begin(), pieces_.end(), [&](const Blob& b) { return b.distance(x, y) + bump < 1; }) && !cleft(x, y);
  }
  bool tumour(double x, double y) const {
    const double bump = 0.18 * (value_noise(options_.seed, 2, x / 90, y / 90) - 0.5);
    return std::any_of(nests_.begin(), nests_.end(), [&](const Blob& b) { return b.distance(x, y) + bump < 1; }) && tissue(x, y);
  }
  const SynthOptions& options() const { return options_; }

 private:
  /// The drawing of one tile: how much of either stain each pixel holds, 0 to 255.
  struct Stains {
    cv::Mat haematoxylin, eosin;
    double left, top;                // um of the top-left corner
  };

  bool cleft(double x, double y) const {
    return std::any_of(clefts_.begin(), clefts_.end(), [&](const Blob& b) { return b.distance(x, y) < 1; });
  }

  void place_pieces() {
    const double w = static_cast<double>(options_.extent.width) * options_.um_per_px;
    const double h = static_cast<double>(options_.extent.height) * options_.um_per_px;
    const double side = std::min(w, h);
    Dice dice(options_.seed, 0, 0, 0);
    pieces_.push_back(make_blob(dice, w * 0.40, h * 0.42, side * 0.30, 0.13));
    pieces_.push_back(make_blob(dice, w * 0.72, h * 0.75, side * 0.17, 0.12));
    clefts_.push_back(make_blob(dice, w * 0.36, h * 0.30, side * 0.035, 0.3));
    const std::array<std::array<double, 3>, 4> nests{{{0.47, 0.47, 0.105}, {0.29, 0.50, 0.06}, {0.42, 0.25, 0.045}, {0.73, 0.77, 0.075}}};
    for (const auto& [x, y, r] : nests) {
      const double jitter = side * 0.02;
      const double px = w * x + dice.between(-jitter, jitter), py = h * y + dice.between(-jitter, jitter);
      nests_.push_back(make_blob(dice, px, py, side * r, 0.2));
    }
  }

  /// Beer and Lambert: transmitted light falls with exp of the sum of each stain's amount times its density per channel.
  void fill_colours() {
    constexpr std::array<double, 3> kHaematoxylin{0.650, 0.704, 0.286}, kEosin{0.072, 0.990, 0.105};
    for (std::size_t c = 0; c < 3; ++c) {
      for (std::size_t v = 0; v < 256; ++v) {
        haematoxylin_[c][v] = std::exp(-kHaematoxylin[c] * 2.3 * static_cast<double>(v) / 255);
        eosin_[c][v] = std::exp(-kEosin[c] * 1.5 * static_cast<double>(v) / 255);
      }
    }
  }

  void draw_stroma(Stains& tile) const;
  void draw_crypts(Stains& tile) const;
  void draw_nuclei(Stains& tile, bool of_tumour) const;
  void draw_cords(Stains& tile) const;

  /// An ellipse with centre and half axes in um.
  void ellipse(cv::Mat& plane, const Stains& tile, double x, double y, double a, double b, double angle_deg, int value) const {
    constexpr int kShift = 4;
    const double scale = (1 << kShift) / options_.um_per_px;
    const cv::Point centre(static_cast<int>(std::lround((x - tile.left) * scale)), static_cast<int>(std::lround((y - tile.top) * scale)));
    const cv::Size axes(std::max(8, static_cast<int>(std::lround(a * scale))), std::max(8, static_cast<int>(std::lround(b * scale))));
    // ellipse() has no kShift for axes that round to nothing; at half a px it is a dot.
    cv::ellipse(plane, centre, axes, angle_deg, 0, 360, value, cv::FILLED, cv::LINE_AA, kShift);
  }

  /// Calls visit(dice, x, y) for each cell of a jittered grid whose content may reach the tile.
  template <typename Visit>
  void for_cells(const Stains& tile, int layer, double pitch, double reach, const Visit& visit) const {
    const double right = tile.left + tile.eosin.cols * options_.um_per_px, bottom = tile.top + tile.eosin.rows * options_.um_per_px;
    const auto cell = [&](double um) { return static_cast<std::int64_t>(std::floor(um / pitch)); };
    for (std::int64_t j = cell(tile.top - reach) - 1; j <= cell(bottom + reach) + 1; ++j) {
      for (std::int64_t i = cell(tile.left - reach) - 1; i <= cell(right + reach) + 1; ++i) {
        Dice dice(options_.seed, layer, i, j);
        const double shift = (j & 1) != 0 ? 0.5 : 0.0;  // rows are offset, as close packing has it
        const double x = (static_cast<double>(i) + shift + dice.between(0.15, 0.85)) * pitch;
        const double y = (static_cast<double>(j) + dice.between(0.15, 0.85)) * pitch;
        visit(dice, x, y);
      }
    }
  }

  SynthOptions options_;
  std::vector<Blob> pieces_, nests_, clefts_;
  std::array<std::array<double, 256>, 3> haematoxylin_{}, eosin_{};
};

void SynthSlide::Impl::draw_stroma(Stains& tile) const {
  // Noise is worked out on a coarse lattice: fibres are some 4 um wide, tissue's edge some 10 um soft.
  const double step = 2.0;
  const double width = tile.eosin.cols * options_.um_per_px, height = tile.eosin.rows * options_.um_per_px;
  // The lattice stands at multiples of its step, whatever the tile, so that neighbours agree.
  const double left = std::floor(tile.left / step) * step, top = std::floor(tile.top / step) * step;
  const int cols = static_cast<int>((tile.left + width - left) / step) + 3, rows = static_cast<int>((tile.top + height - top) / step) + 3;
  cv::Mat eosin(rows, cols, CV_32F), haze(rows, cols, CV_32F);
  for (int y = 0; y < rows; ++y) {
    for (int x = 0; x < cols; ++x) {
      const double px = left + x * step, py = top + y * step;
      const bool inside = tissue(px, py);
      const double bend = 25 * value_noise(options_.seed, 3, px / 70, py / 70);
      const double fibre = value_noise(options_.seed, 4, (px + bend) / 26, (py + 2 * bend) / 4.5);
      const double patch = value_noise(options_.seed, 5, px / 150, py / 150);
      eosin.at<float>(y, x) = inside ? static_cast<float>(48 + 75 * fibre + 35 * patch) : 0.0F;
      haze.at<float>(y, x) = inside ? static_cast<float>(6 + 14 * patch) : 0.0F;
    }
  }
  const float origin_x = static_cast<float>((tile.left - left) / step), origin_y = static_cast<float>((tile.top - top) / step);
  const float scale = static_cast<float>(options_.um_per_px / step);
  const cv::Matx23f place(scale, 0, origin_x + 0.5F * scale, 0, scale, origin_y + 0.5F * scale);
  const int flags = cv::INTER_LINEAR | cv::WARP_INVERSE_MAP;
  cv::Mat scaled;
  cv::warpAffine(eosin, scaled, place, tile.eosin.size(), flags, cv::BORDER_REPLICATE);
  scaled.convertTo(tile.eosin, CV_8U);
  cv::warpAffine(haze, scaled, place, tile.eosin.size(), flags, cv::BORDER_REPLICATE);
  scaled.convertTo(tile.haematoxylin, CV_8U);
}

void SynthSlide::Impl::draw_crypts(Stains& tile) const {
  for_cells(tile, 10, kCryptUm, 60, [&](Dice dice, double x, double y) {
    const double radius = dice.between(34, 44), flat = dice.between(0.78, 1.0), angle = dice.between(0, 180);
    if (!tissue(x, y) || tumour(x, y)) return;
    for (int k = 0; k < 8; ++k) {
      const double a = k * std::numbers::pi / 4, ex = x + (radius + 6) * std::cos(a), ey = y + (radius + 6) * std::sin(a);
      if (!tissue(ex, ey) || tumour(ex, ey)) return;
    }
    const double turn = angle * std::numbers::pi / 180;
    ellipse(tile.eosin, tile, x, y, radius, radius * flat, angle, 78);
    ellipse(tile.haematoxylin, tile, x, y, radius, radius * flat, angle, 38);
    // Goblet cells: pale mucin between the nuclei at the base and the lumen.
    const double inner = radius * 0.72;
    ellipse(tile.eosin, tile, x, y, inner, inner * flat, angle, 34);
    ellipse(tile.haematoxylin, tile, x, y, inner, inner * flat, angle, 22);
    const double lumen = radius * dice.between(0.2, 0.36);
    ellipse(tile.eosin, tile, x, y, lumen, lumen * flat, angle, 8);
    ellipse(tile.haematoxylin, tile, x, y, lumen, lumen * flat, angle, 3);
    const int nuclei = static_cast<int>(2 * std::numbers::pi * radius / 6.3);
    for (int k = 0; k < nuclei; ++k) {
      const double a = 2 * std::numbers::pi * (k + dice.between(-0.2, 0.2)) / nuclei;
      const double u = radius * dice.between(0.82, 0.92) * std::cos(a), v = radius * flat * dice.between(0.82, 0.92) * std::sin(a);
      const double nx = x + u * std::cos(turn) - v * std::sin(turn), ny = y + u * std::sin(turn) + v * std::cos(turn);
      ellipse(tile.haematoxylin, tile, nx, ny, dice.between(3.4, 4.6), dice.between(2.0, 2.7), angle + a * 180 / std::numbers::pi,
              static_cast<int>(dice.between(135, 180)));
    }
  });
}

void SynthSlide::Impl::draw_nuclei(Stains& tile, bool of_tumour) const {
  const double pitch = of_tumour ? kTumourNucleusUm : kNucleusUm;
  for_cells(tile, of_tumour ? 20 : 21, pitch, 10, [&](Dice dice, double x, double y) {
    const double kind = dice.next();
    if (kind > (of_tumour ? 0.93 : 0.34) || !tissue(x, y) || tumour(x, y) != of_tumour) return;
    if (of_tumour) {
      ellipse(tile.haematoxylin, tile, x, y, dice.between(4.2, 6.6), dice.between(3.0, 4.6), dice.between(0, 180),
              static_cast<int>(dice.between(150, 240)));
    } else {
      // Spindle cells along the fibres and a few round lymphocytes.
      const bool round = kind < 0.09;
      const double angle = 180 * value_noise(options_.seed, 6, x / 120, y / 120) + dice.between(-25, 25);
      ellipse(tile.haematoxylin, tile, x, y, round ? 2.7 : dice.between(3.6, 5.6), round ? 2.6 : dice.between(1.1, 1.9), angle,
              static_cast<int>(dice.between(130, 190)));
    }
  });
}

/// Tumour grows in cords: a body of dark cytoplasm under its nuclei, with narrow lumens, some of them with pink debris.
void SynthSlide::Impl::draw_cords(Stains& tile) const {
  const double step = 3.0;
  for_cells(tile, 30, step, step, [&](Dice dice, double x, double y) {
    if (!tumour(x, y)) return;
    ellipse(tile.haematoxylin, tile, x, y, step, step, 0, static_cast<int>(dice.between(48, 76)));
    ellipse(tile.eosin, tile, x, y, step, step, 0, static_cast<int>(dice.between(80, 120)));
  });
}

void SynthSlide::Impl::paint(Level0Px origin, cv::Mat& rgb) const {
  Stains tile;
  const cv::Size size(rgb.cols + 2 * kMarginPx, rgb.rows + 2 * kMarginPx);
  tile.left = static_cast<double>(origin.x - kMarginPx) * options_.um_per_px;
  tile.top = static_cast<double>(origin.y - kMarginPx) * options_.um_per_px;
  tile.haematoxylin = cv::Mat::zeros(size, CV_8U);
  tile.eosin = cv::Mat::zeros(size, CV_8U);
  draw_stroma(tile);
  if (cv::countNonZero(tile.eosin) > 0) {
    draw_crypts(tile);
    draw_nuclei(tile, false);
    draw_cords(tile);
    draw_nuclei(tile, true);
    for_cells(tile, 31, 52, 30, [&](Dice dice, double x, double y) {
      if (dice.next() > 0.7 || !tumour(x, y)) return;
      const double a = dice.between(7, 22), b = dice.between(3, 9), angle = dice.between(0, 180);
      ellipse(tile.haematoxylin, tile, x, y, a, b, angle, 5);
      ellipse(tile.eosin, tile, x, y, a, b, angle, dice.next() < 0.4 ? 70 : 14);
    });
    const double sigma = std::max(0.3, 0.35 / options_.um_per_px);
    cv::GaussianBlur(tile.haematoxylin, tile.haematoxylin, {0, 0}, sigma);
    cv::GaussianBlur(tile.eosin, tile.eosin, {0, 0}, sigma);
  }
  for (int y = 0; y < rgb.rows; ++y) {
    // The sensor's noise belongs to the pixel, not to the tile.
    for (int x = 0; x < rgb.cols; ++x) {
      const std::uint64_t noise = mix(options_.seed ^ mix(static_cast<std::uint64_t>(origin.x + x) * 0x1fffffULL + static_cast<std::uint64_t>(origin.y + y)));
      const auto h = tile.haematoxylin.at<uchar>(y + kMarginPx, x + kMarginPx), e = tile.eosin.at<uchar>(y + kMarginPx, x + kMarginPx);
      auto& pixel = rgb.at<cv::Vec3b>(y, x);
      for (std::size_t c = 0; c < 3; ++c) {
        const double grain = static_cast<double>((noise >> (8 * c)) & 7) - 3.5;
        pixel[static_cast<int>(c)] = cv::saturate_cast<uchar>(243 * haematoxylin_[c][h] * eosin_[c][e] + 0.6 * grain);
      }
    }
  }
}

SynthSlide::SynthSlide(const SynthOptions& options) : impl_(std::make_unique<Impl>(options)) {}
SynthSlide::~SynthSlide() = default;

void SynthSlide::paint(Level0Px origin, cv::Mat& rgb) const { impl_->paint(origin, rgb); }

bool SynthSlide::is_tissue(double x, double y) const {
  const double um = impl_->options().um_per_px;
  return impl_->tissue(x * um, y * um);
}

bool SynthSlide::is_tumour(double x, double y) const {
  const double um = impl_->options().um_per_px;
  return impl_->tumour(x * um, y * um);
}

cv::Mat SynthSlide::tumour_mask(const MapGeometry& geometry) const {
  if (geometry.extent != impl_->options().extent) throw std::invalid_argument("tumour_mask: the map is of another slide");
  cv::Mat mask(static_cast<int>(geometry.size.height), static_cast<int>(geometry.size.width), CV_8U);
  for (int y = 0; y < mask.rows; ++y) {
    for (int x = 0; x < mask.cols; ++x) {
      mask.at<uchar>(y, x) = is_tumour((x + 0.5) * geometry.downsample_x, (y + 0.5) * geometry.downsample_y) ? 255 : 0;
    }
  }
  return mask;
}

}  // namespace clmnet::wsi
