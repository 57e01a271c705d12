#pragma once

#include <array>
#include <memory>
#include <string>
#include <vector>

#include <opencv2/core/mat.hpp>

namespace clmnet::wsi {

using Rgb3 = std::array<double, 3>;  ///< one number per channel, R G B

/// What Macenko's method knows of a slide: the colours of its two stains and how much of each there is at most.
struct MacenkoFit {
  Rgb3 haematoxylin{};               ///< optical density per channel, unit length; takes more red than eosin
  Rgb3 eosin{};
  std::array<double, 2> strongest{}; ///< 99th percentile of the concentration of haematoxylin and eosin
};

struct MacenkoOptions {
  double glass = 240;                ///< value of clear glass, all channels
  double least_density = 0.15;       ///< natural optical density; pixels below it in any channel are glass
  double percentile = 1;             ///< of the angles, at both ends
};

/// What Reinhard's method knows of a slide: mean and standard deviation of its tissue in CIE L*a*b* (L 0 to 100).
struct ReinhardFit {
  Rgb3 mean{};
  Rgb3 deviation{};
};

/// Stains of tissue pixels by the extreme angles in the plane of the two largest principal axes of optical density.
/// rgb     CV_8UC3, any size: tiles of one slide beside each other, at least some hundred pixels of tissue.
/// Throws  InputError where fewer than 100 pixels are stained or all of them have one colour.
/// Macenko et al. 2009, doi 10.1109/ISBI.2009.5193250.
MacenkoFit fit_macenko(const cv::Mat& rgb, const MacenkoOptions& options = {});

/// The vectors and maxima that the method's authors published with their code; a reference where none is given.
MacenkoFit published_macenko_reference();

/// About halfway between the tissue of two public sources of colorectal H&E that differ widely (EBHI-Seg: blue and dark); a
/// reference where none is given.
ReinhardFit usual_reinhard_reference();

/// Mean and deviation of the pixels that are not glass (below 0.85 of white in grey).
/// Throws InputError where fewer than 100 are.  Reinhard et al. 2001, doi 10.1109/38.946629, in L*a*b* in place of lαβ.
ReinhardFit fit_reinhard(const cv::Mat& rgb);

/// Brings the colours of one slide to those of a reference, or, with a strength below 1, that part of the way. Any thread may call
/// apply.
class StainNormaliser {
 public:
  /// Each stain's concentration is scaled by the ratio of the maxima; what is neither stain is dropped.
  /// The part of the way is one in optical density.
  /// Throws InputError where the slide's two vectors do not span a plane.
  static StainNormaliser macenko(const MacenkoFit& slide, const MacenkoFit& reference, double strength = 1,
                                 const MacenkoOptions& options = {});
  /// Each of L*, a*, b* is shifted and scaled to the reference's mean and deviation. Colours between those of a table of 33 x 33 x 33
  /// are interpolated, within half a grey level in the mean; several are lost where a reference's deviation is many times the slide's.
  static StainNormaliser reinhard(const ReinhardFit& slide, const ReinhardFit& reference, double strength = 1);

  StainNormaliser(StainNormaliser&&) noexcept;
  StainNormaliser& operator=(StainNormaliser&&) noexcept;
  ~StainNormaliser();

  /// rgb  CV_8UC3 of any size, changed in place. Throws std::invalid_argument for another type.
  void apply(cv::Mat& rgb) const;

 private:
  class Method;
  class Macenko;
  class Reinhard;
  explicit StainNormaliser(std::unique_ptr<const Method> method);
  std::unique_ptr<const Method> method_;
};

}  // namespace clmnet::wsi
