#include "wsi/tiff_file.h"

#include <array>
#include <cerrno>
#include <fstream>
#include <limits>
#include <memory>

#include <fcntl.h>
#include <sys/stat.h>
#include <tiffio.h>
#include <unistd.h>

#include "tools/base/error.h"
#include "wsi/colour_profile.h"

namespace clmnet::wsi {
namespace {

using TiffHandle = std::unique_ptr<TIFF, void (*)(TIFF*)>;

// Neither warnings nor errors of libtiff go to stderr: what matters comes back as a return value.
int swallow(TIFF*, void*, const char*, const char*, va_list) { return 1; }

TiffHandle open_tiff(const std::filesystem::path& path) {
  const std::unique_ptr<TIFFOpenOptions, void (*)(TIFFOpenOptions*)> options(TIFFOpenOptionsAlloc(), TIFFOpenOptionsFree);
  TIFFOpenOptionsSetErrorHandlerExtR(options.get(), swallow, nullptr);
  TIFFOpenOptionsSetWarningHandlerExtR(options.get(), swallow, nullptr);
  TIFFOpenOptionsSetMaxSingleMemAlloc(options.get(), TiffLimits::kLibtiffBytes);
  return {TIFFOpenExt(path.c_str(), "rm", options.get()), TIFFClose};
}

template <typename T>
T field(TIFF* tiff, std::uint32_t tag, T otherwise) {
  T value = otherwise;
  return TIFFGetFieldDefaulted(tiff, tag, &value) == 1 ? value : otherwise;
}

/// Empty where the tag is missing.
std::vector<std::uint8_t> bytes_field(TIFF* tiff, std::uint32_t tag, std::uint32_t most) {
  std::uint32_t count = 0;
  const void* bytes = nullptr;
  if (TIFFGetField(tiff, tag, &count, &bytes) != 1 || !bytes || count > most) return {};
  const auto* begin = static_cast<const std::uint8_t*>(bytes);
  return {begin, begin + count};
}

/// Why the tiles of the current directory cannot be decoded as JPEG of three 8-bit channels; empty when they can.
std::string why_not_jpeg(TIFF* tiff) {
  const auto compression = field<std::uint16_t>(tiff, TIFFTAG_COMPRESSION, 1);
  if (compression != COMPRESSION_JPEG) return "compression is " + std::to_string(compression) + ", not JPEG (7)";
  const auto bits = field<std::uint16_t>(tiff, TIFFTAG_BITSPERSAMPLE, 1);
  const auto samples = field<std::uint16_t>(tiff, TIFFTAG_SAMPLESPERPIXEL, 1);
  if (bits != 8 || samples != 3) return std::to_string(samples) + " samples of " + std::to_string(bits) + " bits, not 3 of 8";
  if (field<std::uint16_t>(tiff, TIFFTAG_PLANARCONFIG, 1) != PLANARCONFIG_CONTIG) return "channels are stored apart";
  if (field<std::uint16_t>(tiff, TIFFTAG_ORIENTATION, 1) != ORIENTATION_TOPLEFT) return "orientation is not top-left";
  const auto photometric = field<std::uint16_t>(tiff, TIFFTAG_PHOTOMETRIC, 0);
  if (photometric != PHOTOMETRIC_RGB && photometric != PHOTOMETRIC_YCBCR) {
    return "photometric interpretation is " + std::to_string(photometric) + ", not RGB (2) or YCbCr (6)";
  }
  return {};
}

/// Fills offsets and byte counts; says why not where the directory's numbers do not hold together.
std::string read_tile_index(TIFF* tiff, TiffLevel& level) {
  const std::uint32_t count = TIFFNumberOfTiles(tiff);
  if (count != level.tiles_across * level.tiles_down) return "the number of tiles does not follow from the size";
  const std::uint64_t* offsets = nullptr;
  const std::uint64_t* byte_counts = nullptr;
  if (TIFFGetField(tiff, TIFFTAG_TILEOFFSETS, &offsets) != 1 || !offsets) return "no tile offsets";
  if (TIFFGetField(tiff, TIFFTAG_TILEBYTECOUNTS, &byte_counts) != 1 || !byte_counts) return "no tile byte counts";
  level.offsets.assign(offsets, offsets + count);
  level.byte_counts.assign(byte_counts, byte_counts + count);
  return {};
}

TiffLevel read_level(TIFF* tiff) {
  TiffLevel level;
  level.size = {field<std::uint32_t>(tiff, TIFFTAG_IMAGEWIDTH, 0), field<std::uint32_t>(tiff, TIFFTAG_IMAGELENGTH, 0)};
  level.tile = {field<std::uint32_t>(tiff, TIFFTAG_TILEWIDTH, 0), field<std::uint32_t>(tiff, TIFFTAG_TILELENGTH, 0)};
  level.not_jpeg = why_not_jpeg(tiff);
  constexpr std::int64_t kLargestSide = std::numeric_limits<std::int32_t>::max();
  const auto sane = [](const SizePx& size, std::int64_t most) {
    return size.width > 0 && size.height > 0 && size.width <= most && size.height <= most;
  };
  if (!sane(level.size, kLargestSide) || !sane(level.tile, TiffLimits::kTileSidePx) ||
      level.tile.width * level.tile.height > TiffLimits::kTilePixels) {
    level.not_jpeg = "its size or its tiles are beyond what is read";
    return level;
  }
  level.tiles_across = (level.size.width + level.tile.width - 1) / level.tile.width;
  level.tiles_down = (level.size.height + level.tile.height - 1) / level.tile.height;
  if (level.tiles_across * level.tiles_down > TiffLimits::kTilesPerLevel) {
    level.not_jpeg = "it has more than " + std::to_string(TiffLimits::kTilesPerLevel) + " tiles";
    return level;
  }
  const auto problem = read_tile_index(tiff, level);
  if (!problem.empty()) level.not_jpeg = problem;
  if (level.not_jpeg.empty()) level.jpeg_tables = bytes_field(tiff, TIFFTAG_JPEGTABLES, TiffLimits::kJpegTableBytes);
  level.ycbcr = field<std::uint16_t>(tiff, TIFFTAG_PHOTOMETRIC, 0) == PHOTOMETRIC_YCBCR;
  return level;
}

}  // namespace

TiffFile::TiffFile(const std::filesystem::path& path) : path_(path) {
  const std::string where = path.filename().string();
  const TiffHandle tiff = open_tiff(path);
  if (!tiff) throw InputError(where + ": its TIFF header or first directory cannot be read; the file is damaged, copy it again");
  for (int directory = 0;; ++directory) {
    if (directory == TiffLimits::kDirectories) {
      throw InputError(where + ": more than " + std::to_string(TiffLimits::kDirectories) + " TIFF directories; expected a slide");
    }
    if (TIFFIsTiled(tiff.get())) levels_.push_back(read_level(tiff.get()));
    if (TIFFLastDirectory(tiff.get())) break;
    if (!TIFFReadDirectory(tiff.get())) {
      throw InputError(where + ": truncated or damaged: the chain of TIFF directories breaks off after " +
                       std::to_string(directory + 1) + "; copy the slide again, whole");
    }
  }
  file_ = ::open(path.c_str(), O_RDONLY | O_CLOEXEC);
  struct stat status {};
  if (file_ < 0 || ::fstat(file_, &status) != 0) throw InputError(where + ": cannot be read; check its permissions");
  bytes_ = static_cast<std::uint64_t>(status.st_size);
}

TiffFile::~TiffFile() {
  if (file_ >= 0) ::close(file_);
}

std::int64_t TiffFile::tiles_beyond_end() const {
  std::int64_t beyond = 0;
  for (const auto& level : levels_) {
    for (std::size_t i = 0; i < level.offsets.size(); ++i) {
      if (level.offsets[i] > bytes_ || level.byte_counts[i] > bytes_ - level.offsets[i]) ++beyond;
    }
  }
  return beyond;
}

std::vector<std::uint8_t> TiffFile::icc_profile(SizePx size) const {
  const TiffHandle tiff = open_tiff(path_);
  if (!tiff) return {};
  for (int directory = 0; directory < TiffLimits::kDirectories; ++directory) {
    const SizePx here{field<std::uint32_t>(tiff.get(), TIFFTAG_IMAGEWIDTH, 0), field<std::uint32_t>(tiff.get(), TIFFTAG_IMAGELENGTH, 0)};
    if (TIFFIsTiled(tiff.get()) && here == size) return bytes_field(tiff.get(), TIFFTAG_ICCPROFILE, kMostIccBytes);
    if (TIFFLastDirectory(tiff.get()) || !TIFFReadDirectory(tiff.get())) break;
  }
  return {};
}

bool TiffFile::read_tile_bytes(const TiffLevel& level, std::int64_t index, std::vector<std::uint8_t>& bytes) const {
  const auto i = static_cast<std::size_t>(index);
  const std::uint64_t offset = level.offsets[i];
  const std::uint64_t count = level.byte_counts[i];
  const auto most = static_cast<std::uint64_t>(level.tile.width * level.tile.height) * 6 + 65536;
  if (offset == 0 || count == 0 || count > most || offset > bytes_ || count > bytes_ - offset) return false;
  bytes.resize(count);
  std::size_t done = 0;
  while (done < count) {
    const auto got = ::pread(file_, bytes.data() + done, count - done, static_cast<off_t>(offset + done));
    if (got < 0 && errno == EINTR) continue;
    if (got <= 0) return false;
    done += static_cast<std::size_t>(got);
  }
  return true;
}

bool looks_like_tiff(const std::filesystem::path& path) {
  std::array<char, 4> head{};
  std::ifstream file(path, std::ios::binary);
  if (!file.read(head.data(), head.size())) return false;
  const std::string text(head.begin(), head.end());
  using namespace std::string_literals;
  return text == "II*\0"s || text == "MM\0*"s || text == "II+\0"s || text == "MM\0+"s;
}

}  // namespace clmnet::wsi
