#include "wsi/trace.h"

#include <array>
#include <map>
#include <utility>

#include <opencv2/imgproc.hpp>

namespace clmnet::wsi {
namespace {

enum Direction { kEast, kSouth, kWest, kNorth };
const std::array<cv::Point, 4> kStep{cv::Point(1, 0), cv::Point(0, 1), cv::Point(-1, 0), cv::Point(0, -1)};
// The pixels ahead on the right and on the left of a corner that is reached in a direction.
const std::array<cv::Point, 4> kAheadRight{cv::Point(0, 0), cv::Point(-1, 0), cv::Point(-1, -1), cv::Point(0, -1)};
const std::array<cv::Point, 4> kAheadLeft{cv::Point(0, -1), cv::Point(0, 0), cv::Point(-1, 0), cv::Point(-1, -1)};

class Tracer {
 public:
  Tracer(const cv::Mat& labels, int label, const cv::Rect& box)
      : labels_(labels), label_(label), box_(box), seen_(cv::Mat::zeros(box.height + 1, box.width + 1, CV_8U)) {}

  bool inside(cv::Point p) const {
    return p.x >= box_.x && p.y >= box_.y && p.x < box_.br().x && p.y < box_.br().y && labels_.at<int>(p) == label_;
  }
  bool seen(cv::Point corner) const { return seen_.at<uchar>(corner - box_.tl()) != 0; }

  /// Follows the edge that leaves `start` in `direction` with the region on its right hand until it comes back. Each step is a
  /// corner; every ring has edges to the east, so only those are remembered.
  PixelRing follow(cv::Point start, Direction direction) {
    PixelRing corners;
    cv::Point at = start;
    int heading = direction;
    do {
      corners.push_back(at);
      if (heading == kEast) seen_.at<uchar>(at - box_.tl()) |= 1;
      at += kStep[static_cast<std::size_t>(heading)];
      if (!inside(at + kAheadRight[static_cast<std::size_t>(heading)])) {
        heading = (heading + 1) % 4;
      } else if (inside(at + kAheadLeft[static_cast<std::size_t>(heading)])) {
        heading = (heading + 3) % 4;
      }
    } while (at != start || heading != direction);
    return corners;
  }

 private:
  const cv::Mat& labels_;
  int label_;
  cv::Rect box_;
  cv::Mat seen_;
};

/// Cuts a ring at corners that it visits twice.
void cut_into_simple(const PixelRing& ring, std::vector<PixelRing>& rings) {
  std::map<std::pair<int, int>, std::size_t> position;
  PixelRing path;
  for (const auto& corner : ring) {
    const auto found = position.find({corner.x, corner.y});
    if (found != position.end()) {
      const std::size_t from = found->second;
      rings.emplace_back(path.begin() + static_cast<std::ptrdiff_t>(from), path.end());
      for (std::size_t i = from + 1; i < path.size(); ++i) position.erase({path[i].x, path[i].y});
      path.resize(from + 1);
    } else {
      position[{corner.x, corner.y}] = path.size();
      path.push_back(corner);
    }
  }
  rings.push_back(std::move(path));
}

PixelRing corners_only(const PixelRing& ring) {
  PixelRing corners;
  for (std::size_t i = 0; i < ring.size(); ++i) {
    const cv::Point before = ring[i] - ring[(i + ring.size() - 1) % ring.size()];
    const cv::Point after = ring[(i + 1) % ring.size()] - ring[i];
    if (before != after) corners.push_back(ring[i]);
  }
  return corners;
}

}  // namespace

std::vector<PixelRing> trace_rings(const cv::Mat& labels, int label, const cv::Rect& box) {
  Tracer tracer(labels, label, box);
  std::vector<PixelRing> rings;
  for (int y = box.y; y < box.br().y; ++y) {
    for (int x = box.x; x < box.br().x; ++x) {
      // Every ring, outer or hole, runs east along the top of some pixel.
      if (!tracer.inside({x, y}) || tracer.inside({x, y - 1}) || tracer.seen({x, y})) continue;
      cut_into_simple(tracer.follow({x, y}, kEast), rings);
    }
  }
  for (auto& ring : rings) ring = corners_only(ring);
  return rings;
}

long long doubled_area(const PixelRing& ring) {
  long long sum = 0;
  for (std::size_t i = 0; i < ring.size(); ++i) {
    const cv::Point a = ring[i], b = ring[(i + 1) % ring.size()];
    sum += static_cast<long long>(a.x) * b.y - static_cast<long long>(b.x) * a.y;
  }
  return sum;
}

void fill_small_holes(cv::Mat& mask, double max_area) {
  const cv::Rect box = cv::boundingRect(mask);  // no hole lies beyond it
  if (!(max_area > 0) || box.empty()) return;
  cv::Mat part = mask(box), framed;
  cv::copyMakeBorder(part == 0, framed, 1, 1, 1, 1, cv::BORDER_CONSTANT, 255);
  cv::Mat labels, stats, centroids;
  cv::connectedComponentsWithStats(framed, labels, stats, centroids, 8, CV_32S);
  const int outside = labels.at<int>(0, 0);
  for (int y = 0; y < part.rows; ++y) {
    const int* label = labels.ptr<int>(y + 1) + 1;
    uchar* out = part.ptr(y);
    for (int x = 0; x < part.cols; ++x) {
      if (label[x] != 0 && label[x] != outside && stats.at<int>(label[x], cv::CC_STAT_AREA) < max_area) out[x] = 255;
    }
  }
}

}  // namespace clmnet::wsi
