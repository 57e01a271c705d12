#include "tests/fuzz/direct_reader_target.h"

#include <memory>
#include <stdexcept>
#include <string>

#include <opencv2/core/mat.hpp>
#include <sys/mman.h>
#include <unistd.h>

#include "tools/base/error.h"
#include "wsi/direct_reader.h"

namespace clmnet::wsi {
namespace {

/// A file in memory under a path.
class MemoryFile {
 public:
  MemoryFile(const std::uint8_t* bytes, std::size_t count) : file_(memfd_create("fuzz", MFD_CLOEXEC)) {
    if (file_ < 0) throw std::runtime_error("no memory file");
    for (std::size_t done = 0; done < count;) {
      const auto written = ::write(file_, bytes + done, count - done);
      if (written <= 0) throw std::runtime_error("memory file is full");
      done += static_cast<std::size_t>(written);
    }
  }
  ~MemoryFile() { ::close(file_); }
  MemoryFile(const MemoryFile&) = delete;
  MemoryFile& operator=(const MemoryFile&) = delete;
  std::string path() const { return "/proc/self/fd/" + std::to_string(file_); }

 private:
  int file_;
};

int read_level(const std::shared_ptr<const TiffFile>& file, SizePx size) {
  std::string declined;
  const auto reader = DirectReader::open(file, {size}, declined);
  if (!reader) return 0;
  int whole = 0;
  TileCache cache(1 << 20);
  cv::Mat rgb(48, 40, CV_8UC3);
  for (const auto& source : reader->sources()) {
    const std::int64_t right = source.size.width;
    const std::int64_t bottom = source.size.height;
    for (const auto& [x, y] : {std::pair<std::int64_t, std::int64_t>{-7, -9}, {0, 0}, {right / 2, bottom / 2}, {right - 20, bottom - 20}, {right + 5, 0}}) {
      whole += reader->read(source, x, y, rgb, nullptr).complete ? 1 : 0;
      reader->announce(source, x, y, {rgb.cols, rgb.rows}, cache);
      reader->read(source, x, y, rgb, &cache);
    }
  }
  return whole;
}

}  // namespace

int read_everything_directly(const std::uint8_t* bytes, std::size_t count) {
  const MemoryFile memory(bytes, count);
  try {
    const auto file = std::make_shared<const TiffFile>(memory.path());
    file->tiles_beyond_end();
    int whole = 0;
    int levels = 0;
    for (const auto& level : file->levels()) {
      if (level.not_jpeg.empty() && ++levels <= 4) whole += read_level(file, level.size);
      if (levels <= 4) file->icc_profile(level.size);
    }
    return whole;
  } catch (const InputError&) {
    return 0;
  }
}

}  // namespace clmnet::wsi
