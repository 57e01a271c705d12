// The body of kernels_avx2.cpp and kernels_avx512.cpp, each of which is compiled for its own processor and says before it
// includes this: CLMNET_LANES, floats of its registers (8 or 16), and CLMNET_ROWS, tiles that one product holds in registers.
// Nothing here may come from a header with code in it: the linker would take one copy, of either processor, for the whole
// program.
#include "nets/winograd/stripe.h"

namespace clmnet::nets::winograd {
namespace {

using Index = std::int64_t;

template <int kLanes>
struct VectorOf;
template <>
struct VectorOf<8> {
  using Register = float __attribute__((vector_size(32)));
  using Memory = float __attribute__((vector_size(32), aligned(4), may_alias));
};
template <>
struct VectorOf<16> {
  using Register = float __attribute__((vector_size(64)));
  using Memory = float __attribute__((vector_size(64), aligned(4), may_alias));
};

template <int kLanes>
using Vector = typename VectorOf<kLanes>::Register;

template <int kLanes>
inline Vector<kLanes> load(const float* from) {
  return *reinterpret_cast<const typename VectorOf<kLanes>::Memory*>(from);
}

template <int kLanes>
inline void store(float* to, Vector<kLanes> value) {
  *reinterpret_cast<typename VectorOf<kLanes>::Memory*>(to) = value;
}

/// Where a tile lies: pixels of its first input and output, of which it takes every `dilation`-th.
struct TilePlace {
  Index image, in_y, in_x, out_y, out_x;
};

TilePlace place_of(const Convolution& conv, Index tile) {
  const Index column = tile % conv.tile_columns;
  tile /= conv.tile_columns;
  const Index row = tile % conv.tile_rows;
  tile /= conv.tile_rows;
  const Index phase = tile % (conv.dilation * conv.dilation);
  TilePlace place{};
  place.image = tile / (conv.dilation * conv.dilation);
  place.out_y = phase / conv.dilation + 4 * row * conv.dilation;
  place.out_x = phase % conv.dilation + 4 * column * conv.dilation;
  place.in_y = place.out_y - conv.padding_y;
  place.in_x = place.out_x - conv.padding_x;
  return place;
}

/// B^T d of one column or row of six.
template <class V>
inline void transform_in(const V* d, Index step, V* to) {
  const V d0 = d[0], d1 = d[step], d2 = d[2 * step], d3 = d[3 * step], d4 = d[4 * step], d5 = d[5 * step];
  const V even = d4 - 4.0F * d2, odd = d3 - 4.0F * d1;
  const V even2 = d4 - d2, odd2 = 2.0F * (d3 - d1);
  to[0] = 4.0F * d0 - 5.0F * d2 + d4;
  to[1] = even + odd;
  to[2] = even - odd;
  to[3] = even2 + odd2;
  to[4] = even2 - odd2;
  to[5] = 4.0F * d1 - 5.0F * d3 + d5;
}

/// B^T d B of kLanes channels of a tile: from 6 x 6 pixels to one vector in each of the 36 planes.
template <int kLanes>
inline void transform_tile_in(const float* from, Index row, Index pixel, float* to, Index plane) {
  using V = Vector<kLanes>;
  V d[6], half[36];
  for (int x = 0; x < 6; ++x) {
    for (int y = 0; y < 6; ++y) d[y] = load<kLanes>(from + y * row + x * pixel);
    V column[6];
    transform_in(d, 1, column);
    for (int y = 0; y < 6; ++y) half[6 * y + x] = column[y];
  }
  for (int y = 0; y < 6; ++y) {
    V whole[6];
    transform_in(half + 6 * y, 1, whole);
    for (int x = 0; x < 6; ++x) store<kLanes>(to + (6 * y + x) * plane, whole[x]);
  }
}

/// A copy of 6 x 6 pixels with zeros for what lies outside the image or behind the last channel.
template <int kLanes>
void copy_tile(const Convolution& conv, const TilePlace& place, Index channel, float* copy) {
  const Index channels = conv.in_channels - channel < kLanes ? conv.in_channels - channel : kLanes;
  for (int i = 0; i < 36 * kLanes; ++i) copy[i] = 0;
  for (int y = 0; y < 6; ++y) {
    const Index at_y = place.in_y + y * conv.dilation;
    if (at_y < 0 || at_y >= conv.in_height) continue;
    for (int x = 0; x < 6; ++x) {
      const Index at_x = place.in_x + x * conv.dilation;
      if (at_x < 0 || at_x >= conv.in_width) continue;
      const float* from = conv.in + ((place.image * conv.in_height + at_y) * conv.in_width + at_x) * conv.in_channels + channel;
      float* to = copy + (6 * y + x) * kLanes;
      for (Index c = 0; c < channels; ++c) to[c] = from[c];
    }
  }
}

/// kLanes channels of a tile, or as many as there are.
template <int kLanes>
inline void take_in(const Convolution& conv, const TilePlace& place, bool inside, Index channel, float* to, Index plane) {
  if (inside && channel + kLanes <= conv.in_channels) {
    const Index pixel = conv.in_channels * conv.dilation, row = pixel * conv.in_width;
    const float* from =
        conv.in + ((place.image * conv.in_height + place.in_y) * conv.in_width + place.in_x) * conv.in_channels + channel;
    transform_tile_in<kLanes>(from, row, pixel, to + channel, plane);
  } else {
    alignas(64) float copy[36 * kLanes];
    copy_tile<kLanes>(conv, place, channel, copy);
    transform_tile_in<kLanes>(copy, 6 * kLanes, kLanes, to + channel, plane);
  }
}

void take_in_stripe(const Convolution& conv, Index first, Index tiles, float* in, const Planes& planes) {
  const Index reach = 5 * conv.dilation;
  for (Index t = 0; t < tiles; ++t) {
    const TilePlace place = place_of(conv, first + t);
    const bool inside = place.in_y >= 0 && place.in_x >= 0 && place.in_y + reach < conv.in_height && place.in_x + reach < conv.in_width;
    float* to = in + t * planes.row;
    Index channel = 0;
    for (; conv.in_channels - channel > 8; channel += CLMNET_LANES) take_in<CLMNET_LANES>(conv, place, inside, channel, to, planes.plane);
    if (channel < conv.in_channels) take_in<8>(conv, place, inside, channel, to, planes.plane);
  }
}

/// to[r][...] = sum over c of from[r][c] * panel[c][...], kRows rows and kVectors registers of a row at once.
template <int kLanes, int kRows, int kVectors>
void multiply(const float* from, Index from_row, const float* panel, Index channels, float* to, Index to_row) {
  using V = Vector<kLanes>;
  V sum[kRows][kVectors] = {};
  for (Index c = 0; c < channels; ++c) {
    V b[kVectors];
    for (int v = 0; v < kVectors; ++v) b[v] = load<kLanes>(panel + (c * kVectors + v) * kLanes);
    for (int r = 0; r < kRows; ++r) {
      const float a = from[r * from_row + c];
      for (int v = 0; v < kVectors; ++v) sum[r][v] += a * b[v];
    }
  }
  for (int r = 0; r < kRows; ++r) {
    for (int v = 0; v < kVectors; ++v) store<kLanes>(to + r * to_row + v * kLanes, sum[r][v]);
  }
}

template <int kLanes, int kVectors, int kRows = CLMNET_ROWS>
void multiply_rows(Index rows, const float* from, Index from_row, const float* panel, Index channels, float* to, Index to_row) {
  if (rows == kRows) {
    multiply<kLanes, kRows, kVectors>(from, from_row, panel, channels, to, to_row);
  } else if constexpr (kRows > 1) {
    multiply_rows<kLanes, kVectors, kRows - 1>(rows, from, from_row, panel, channels, to, to_row);
  }
}

/// The product of one place: [tiles, in_channels] by [in_channels, out_channels].
void multiply_place(const Convolution& conv, Index tiles, const float* in, Index in_row, const float* weight, float* out, Index out_row) {
  // Blocks of nearly the same height: 16 rows as 8 + 8, where 14 + 2 would leave the second without enough to do.
  const Index blocks = (tiles + CLMNET_ROWS - 1) / CLMNET_ROWS;
  for (Index k = 0; k < conv.out_channels;) {
    const Index width = panel_width(conv.out_channels - k, 2 * CLMNET_LANES);
    for (Index block = 0; block < blocks; ++block) {
      const Index begin = tiles * block / blocks, rows = tiles * (block + 1) / blocks - begin;
      const float* from = in + begin * in_row;
      float* to = out + begin * out_row + k;
      if (width == 2 * CLMNET_LANES) {
        multiply_rows<CLMNET_LANES, 2>(rows, from, in_row, weight, conv.in_channels, to, out_row);
      } else if (width == CLMNET_LANES) {
        multiply_rows<CLMNET_LANES, 1>(rows, from, in_row, weight, conv.in_channels, to, out_row);
      } else {
        multiply_rows<8, 1>(rows, from, in_row, weight, conv.in_channels, to, out_row);
      }
    }
    weight += width * conv.in_channels;
    k += width;
  }
}

/// A^T m of one column or row of six.
template <class V>
inline void transform_out(const V* m, V* to) {
  const V sum1 = m[1] + m[2], difference1 = m[1] - m[2];
  const V sum2 = m[3] + m[4], difference2 = m[3] - m[4];
  to[0] = m[0] + sum1 + sum2;
  to[1] = difference1 + 2.0F * difference2;
  to[2] = sum1 + 4.0F * sum2;
  to[3] = difference1 + 8.0F * difference2 + m[5];
}

/// A^T m A of kLanes channels of a tile, with bias and ReLU: from 36 planes to 4 x 4 pixels.
template <int kLanes>
inline void transform_tile_out(const float* from, Index plane, Vector<kLanes> bias, bool relu, float* to, Index row, Index pixel) {
  using V = Vector<kLanes>;
  V half[24];
  for (int x = 0; x < 6; ++x) {
    V m[6], column[4];
    for (int y = 0; y < 6; ++y) m[y] = load<kLanes>(from + (6 * y + x) * plane);
    transform_out(m, column);
    for (int y = 0; y < 4; ++y) half[6 * y + x] = column[y];
  }
  const V zero = {};
  for (int y = 0; y < 4; ++y) {
    V whole[4];
    transform_out(half + 6 * y, whole);
    for (int x = 0; x < 4; ++x) {
      V value = whole[x] + bias;
      if (relu) value = value < zero ? zero : value;  // as torch: what is not a number stays so
      store<kLanes>(to + y * row + x * pixel, value);
    }
  }
}

/// kLanes channels of a tile, or as many as there are.
template <int kLanes>
inline void give_out(const Convolution& conv, const TilePlace& place, bool inside, Index channel, const float* from, Index plane) {
  const Index pixel = conv.out_channels * conv.dilation, row = pixel * conv.out_width;
  const Index channels = conv.out_channels - channel < kLanes ? conv.out_channels - channel : kLanes;
  float* to = conv.out + ((place.image * conv.out_height + place.out_y) * conv.out_width + place.out_x) * conv.out_channels + channel;
  if (inside && channels == kLanes) {
    const Vector<kLanes> bias = conv.bias != nullptr ? load<kLanes>(conv.bias + channel) : Vector<kLanes>{};
    transform_tile_out<kLanes>(from + channel, plane, bias, conv.relu, to, row, pixel);
    return;
  }
  alignas(64) float bias[kLanes] = {}, copy[16 * kLanes];
  for (Index c = 0; c < channels && conv.bias != nullptr; ++c) bias[c] = conv.bias[channel + c];
  transform_tile_out<kLanes>(from + channel, plane, load<kLanes>(bias), conv.relu, copy, 4 * kLanes, kLanes);
  for (int y = 0; y < 4 && place.out_y + y * conv.dilation < conv.out_height; ++y) {
    for (int x = 0; x < 4 && place.out_x + x * conv.dilation < conv.out_width; ++x) {
      for (Index c = 0; c < channels; ++c) to[y * row + x * pixel + c] = copy[(4 * y + x) * kLanes + c];
    }
  }
}

void give_out_stripe(const Convolution& conv, Index first, Index tiles, const float* out, const Planes& planes) {
  const Index reach = 3 * conv.dilation;
  for (Index t = 0; t < tiles; ++t) {
    const TilePlace place = place_of(conv, first + t);
    const bool inside = place.out_y + reach < conv.out_height && place.out_x + reach < conv.out_width;
    const float* from = out + t * planes.row;
    Index channel = 0;
    for (; conv.out_channels - channel > 8; channel += CLMNET_LANES) give_out<CLMNET_LANES>(conv, place, inside, channel, from, planes.plane);
    if (channel < conv.out_channels) give_out<8>(conv, place, inside, channel, from, planes.plane);
  }
}

void run_stripe(const Convolution& conv, Index first, Index tiles, float* in, float* out) {
  const Index padded = padded_channels(conv.out_channels, 2 * CLMNET_LANES);
  const Planes in_planes = Planes::of(tiles, conv.in_channels), out_planes = Planes::of(tiles, padded);
  take_in_stripe(conv, first, tiles, in, in_planes);
  for (Index place = 0; place < kPlaces; ++place) {
    multiply_place(conv, tiles, in + place * in_planes.plane, in_planes.row, conv.weight + place * conv.in_channels * padded,
                   out + place * out_planes.plane, out_planes.row);
  }
  give_out_stripe(conv, first, tiles, out, out_planes);
}

}  // namespace
}  // namespace clmnet::nets::winograd
