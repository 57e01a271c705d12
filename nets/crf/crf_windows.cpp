#include "nets/crf/crf_windows.h"

#include <algorithm>
#include <optional>

namespace clmnet::nets {
namespace {

class Planner {
 public:
  Planner(const std::uint8_t* has_data, int height, int width, int overlap_px, int window_px)
      : has_data_(has_data), height_(height), width_(width), overlap_(overlap_px), window_(window_px) {}

  std::vector<CrfPart> plan() {
    divide({0, 0, width_, height_});
    return std::move(parts_);
  }

 private:
  void divide(const CrfWindow& area) {
    const std::optional<CrfWindow> core = bounds(area);
    if (!core) return;
    const CrfWindow around = with_margin(*core);
    const std::int64_t most = std::int64_t{window_} * window_, all = std::int64_t{around.width} * around.height;
    if (std::max(around.width, around.height) <= 2 * window_ && all <= 2 * most && pixels_in(around) <= most) {
      parts_.push_back({*core, around});
      return;
    }
    CrfWindow first = *core, second = *core;
    if (core->width >= core->height) {
      first.width /= 2;
      second.x += first.width;
      second.width -= first.width;
    } else {
      first.height /= 2;
      second.y += first.height;
      second.height -= first.height;
    }
    divide(first);
    divide(second);
  }

  CrfWindow with_margin(const CrfWindow& core) const {
    const int left = std::max(0, core.x - overlap_), top = std::max(0, core.y - overlap_);
    const int right = std::min(width_, core.x + core.width + overlap_), bottom = std::min(height_, core.y + core.height + overlap_);
    return {left, top, right - left, bottom - top};
  }

  const std::uint8_t* row(const CrfWindow& area, int y) const {
    return has_data_ + static_cast<std::ptrdiff_t>(area.y + y) * width_ + area.x;
  }

  std::int64_t pixels_in(const CrfWindow& area) const {
    if (has_data_ == nullptr) return std::int64_t{area.width} * area.height;
    std::int64_t count = 0;
    for (int y = 0; y < area.height; ++y) {
      const std::uint8_t* begin = row(area, y);
      count += area.width - std::count(begin, begin + area.width, std::uint8_t{0});
    }
    return count;
  }

  /// Around the pixels of an area that take part; nothing where none does.
  std::optional<CrfWindow> bounds(const CrfWindow& area) const {
    if (has_data_ == nullptr) return area;
    const auto takes_part = [](std::uint8_t data) { return data != 0; };
    int left = area.width, right = 0, top = area.height, bottom = 0;
    for (int y = 0; y < area.height; ++y) {
      const std::uint8_t* begin = row(area, y);
      const std::uint8_t* end = begin + area.width;
      const std::uint8_t* first = std::find_if(begin, end, takes_part);
      if (first == end) continue;
      top = std::min(top, y);
      bottom = y + 1;
      left = std::min(left, static_cast<int>(first - begin));
      while (end > begin + right && !takes_part(end[-1])) --end;
      right = std::max(right, static_cast<int>(end - begin));
    }
    if (right == 0) return std::nullopt;
    return CrfWindow{area.x + left, area.y + top, right - left, bottom - top};
  }

  const std::uint8_t* has_data_;
  int height_, width_, overlap_, window_;
  std::vector<CrfPart> parts_;
};

}  // namespace

std::vector<CrfPart> plan_crf_windows(const std::uint8_t* has_data, int height, int width, int overlap_px, int window_px) {
  return Planner(has_data, height, width, overlap_px, window_px).plan();
}

}  // namespace clmnet::nets
