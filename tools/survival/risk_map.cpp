#include "tools/survival/risk_map.h"

#include <cmath>

#include "tools/base/error.h"

#ifdef CLMNET_HAS_FEATURES
#include <tiffio.h>

#include "tools/base/atomic_file.h"
#endif

namespace clmnet::tools {

Eigen::VectorXd tile_contributions(const SavedModel& model, const SlideTiles& slide) {
  if (!model.slides) {
    throw InputError("survival predict: the model uses no slide features, so there is nothing to map; fit it with --features");
  }
  const SlideColumns& columns = *model.slides;
  if (columns.pooling != Pooling::mean && columns.pooling != Pooling::attention) {
    throw InputError(std::string("survival predict: the model pools tiles by ") + name_of(columns.pooling) +
                     ", which is no sum over tiles; fit it with --pooling mean or attention");
  }
  if (slide.features.cols() != columns.width) {
    throw InputError(slide.file.string() + ": " + std::to_string(slide.features.cols()) +
                     " features a tile, the model was fitted to " + std::to_string(columns.width));
  }
  const auto clinical = static_cast<Eigen::Index>(model.source.size());
  Eigen::VectorXd of_tile = Eigen::VectorXd::Constant(slide.features.rows(), model.offset);
  for (std::size_t k = 0; k < columns.column.size(); ++k) {
    of_tile += model.slope[clinical + static_cast<Eigen::Index>(k)] * slide.features.col(columns.column[k]).cast<double>();
  }
  return of_tile.cwiseProduct(tile_weights(slide, columns.pooling));
}

RiskMap risk_map(const SlideTiles& slide, const Eigen::VectorXd& contribution) {
  if (!(slide.stride_x > 0) || !(slide.stride_y > 0)) {
    throw InputError(slide.file.string() +
                     ": does not say how its tiles lie (patch_size, overlap, um_per_px, level0_um_per_px); expected features.h5 "
                     "of 'clmnet analyze'");
  }
  const auto cell = [](std::int64_t at, double stride) {
    return static_cast<int>(std::lround(static_cast<double>(at) / stride));
  };
  RiskMap map;
  map.columns = static_cast<int>(std::ceil(static_cast<double>(slide.width) / slide.stride_x));
  map.rows = static_cast<int>(std::ceil(static_cast<double>(slide.height) / slide.stride_y));
  for (Eigen::Index i = 0; i < slide.origin.rows(); ++i) {
    if (slide.origin(i, 0) < 0 || slide.origin(i, 1) < 0) {
      throw InputError(slide.file.string() + ": tile " + std::to_string(i) + " lies outside the scan");
    }
    map.columns = std::max(map.columns, cell(slide.origin(i, 0), slide.stride_x) + 1);
    map.rows = std::max(map.rows, cell(slide.origin(i, 1), slide.stride_y) + 1);
  }
  std::vector<double> sums(static_cast<std::size_t>(map.columns) * static_cast<std::size_t>(map.rows), 0.0);
  for (Eigen::Index i = 0; i < slide.origin.rows(); ++i) {
    sums[static_cast<std::size_t>(cell(slide.origin(i, 1), slide.stride_y)) * static_cast<std::size_t>(map.columns) +
         static_cast<std::size_t>(cell(slide.origin(i, 0), slide.stride_x))] += contribution[i];
  }
  map.value.assign(sums.begin(), sums.end());
  map.um_per_px_x = slide.stride_x * slide.level0_um_per_px_x;
  map.um_per_px_y = slide.stride_y * slide.level0_um_per_px_y;
  return map;
}

#ifdef CLMNET_HAS_FEATURES
void write_risk_map(const std::filesystem::path& path, const RiskMap& map, const std::string& description) {
  AtomicFile file(path);
  TIFF* tiff = TIFFOpen(file.temporary().c_str(), "w");
  bool good = tiff != nullptr;
  if (good) {
    TIFFSetField(tiff, TIFFTAG_IMAGEWIDTH, static_cast<std::uint32_t>(map.columns));
    TIFFSetField(tiff, TIFFTAG_IMAGELENGTH, static_cast<std::uint32_t>(map.rows));
    TIFFSetField(tiff, TIFFTAG_BITSPERSAMPLE, 32);
    TIFFSetField(tiff, TIFFTAG_SAMPLEFORMAT, SAMPLEFORMAT_IEEEFP);
    TIFFSetField(tiff, TIFFTAG_SAMPLESPERPIXEL, 1);
    TIFFSetField(tiff, TIFFTAG_PHOTOMETRIC, PHOTOMETRIC_MINISBLACK);
    TIFFSetField(tiff, TIFFTAG_PLANARCONFIG, PLANARCONFIG_CONTIG);
    TIFFSetField(tiff, TIFFTAG_COMPRESSION, COMPRESSION_ADOBE_DEFLATE);
    TIFFSetField(tiff, TIFFTAG_ROWSPERSTRIP, static_cast<std::uint32_t>(map.rows));
    constexpr double um_per_cm = 1e4;
    TIFFSetField(tiff, TIFFTAG_RESOLUTIONUNIT, RESUNIT_CENTIMETER);
    TIFFSetField(tiff, TIFFTAG_XRESOLUTION, um_per_cm / map.um_per_px_x);
    TIFFSetField(tiff, TIFFTAG_YRESOLUTION, um_per_cm / map.um_per_px_y);
    TIFFSetField(tiff, TIFFTAG_IMAGEDESCRIPTION, description.c_str());
    for (int row = 0; row < map.rows && good; ++row) {
      std::vector<float> line(map.value.begin() + static_cast<std::ptrdiff_t>(row) * map.columns,
                              map.value.begin() + static_cast<std::ptrdiff_t>(row + 1) * map.columns);
      good = TIFFWriteScanline(tiff, line.data(), static_cast<std::uint32_t>(row), 0) == 1;
    }
    good = TIFFFlush(tiff) == 1 && good;
    TIFFClose(tiff);
  }
  if (!good) throw InputError(path.string() + ": cannot be written, nothing was changed; is the disk full?");
  file.commit();
}
#else
void write_risk_map(const std::filesystem::path& path, const RiskMap&, const std::string&) {
  throw InputError(path.string() +
                   ": this build of clmnet writes no TIFF (built without slide support); build with CLMNET_WITH_WSI=ON");
}
#endif

}  // namespace clmnet::tools
