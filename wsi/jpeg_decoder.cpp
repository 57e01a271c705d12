#include "wsi/jpeg_decoder.h"

#include <csetjmp>
#include <cstdio>
#include <new>
#include <stdexcept>
#include <vector>

#include <jpeglib.h>
#include <jerror.h>

namespace clmnet::wsi {
namespace {

constexpr int kMostScans = 64;  // a progressive tile has ten; thousands of empty scans would take minutes
constexpr long kMostBytes = 128L << 20;

}  // namespace

struct JpegDecoder::State {
  jpeg_decompress_struct jpeg{};
  jpeg_error_mgr errors{};
  jpeg_progress_mgr progress{};
  std::jmp_buf give_up{};
  bool all_rows_read = false;
  std::vector<JSAMPROW> rows;
};

namespace {

template <typename AnyState>
AnyState& state_of(j_common_ptr jpeg) {
  return *static_cast<AnyState*>(jpeg->client_data);
}

/// Warnings that say nothing against the pixels; all others do.
bool harmless(int code, bool all_rows_read) {
  if (code == JWRN_JFIF_MAJOR || code == JWRN_ADOBE_XFORM) return true;
  return code == JWRN_JPEG_EOF && all_rows_read;  // some scanners leave out the end marker
}

}  // namespace

JpegDecoder::JpegDecoder() : state_(std::make_unique<State>()) {
  auto& jpeg = state_->jpeg;
  jpeg.err = jpeg_std_error(&state_->errors);
  state_->errors.error_exit = [](j_common_ptr common) { std::longjmp(state_of<State>(common).give_up, 1); };
  state_->errors.output_message = [](j_common_ptr) {};
  state_->errors.emit_message = [](j_common_ptr common, int level) {
    auto& state = state_of<State>(common);
    if (level < 0 && !harmless(common->err->msg_code, state.all_rows_read)) std::longjmp(state.give_up, 1);
  };
  jpeg.client_data = state_.get();
  if (setjmp(state_->give_up) != 0) throw std::bad_alloc();
  jpeg_create_decompress(&jpeg);
  jpeg.mem->max_memory_to_use = kMostBytes;
  state_->progress.progress_monitor = [](j_common_ptr common) {
    const auto* decompress = reinterpret_cast<j_decompress_ptr>(common);
    if (decompress->input_scan_number > kMostScans) std::longjmp(state_of<State>(common).give_up, 1);
  };
  jpeg.progress = &state_->progress;
}

JpegDecoder::~JpegDecoder() { jpeg_destroy_decompress(&state_->jpeg); }

// Between setjmp and the end nothing may live that has a destructor: libjpeg leaves by longjmp.
bool JpegDecoder::decode(std::span<const std::uint8_t> tables, std::span<const std::uint8_t> tile, const JpegTarget& target) {
  auto& jpeg = state_->jpeg;
  const int out_width = target.width / target.shrink;
  const int out_height = target.height / target.shrink;
  if (out_width * target.shrink != target.width || out_height * target.shrink != target.height) {
    throw std::invalid_argument("JpegDecoder: the tile's sides must be multiples of shrink");
  }
  state_->rows.resize(static_cast<std::size_t>(out_height));
  for (int row = 0; row < out_height; ++row) state_->rows[static_cast<std::size_t>(row)] = target.rgb + row * target.row_bytes;
  state_->all_rows_read = false;
  if (setjmp(state_->give_up) != 0) {
    jpeg_abort_decompress(&jpeg);
    return false;
  }
  if (!tables.empty()) {
    jpeg_mem_src(&jpeg, tables.data(), tables.size());
    if (jpeg_read_header(&jpeg, FALSE) != JPEG_HEADER_TABLES_ONLY) std::longjmp(state_->give_up, 1);
  }
  jpeg_mem_src(&jpeg, tile.data(), tile.size());
  jpeg_read_header(&jpeg, TRUE);
  if (static_cast<int>(jpeg.image_width) != target.width || static_cast<int>(jpeg.image_height) != target.height ||
      jpeg.num_components != 3) {
    std::longjmp(state_->give_up, 1);
  }
  jpeg.jpeg_color_space = target.ycbcr ? JCS_YCbCr : JCS_RGB;
  jpeg.out_color_space = JCS_RGB;
  jpeg.scale_num = 1;
  jpeg.scale_denom = static_cast<unsigned>(target.shrink);
  jpeg_start_decompress(&jpeg);
  if (static_cast<int>(jpeg.output_width) != out_width || static_cast<int>(jpeg.output_height) != out_height) {
    std::longjmp(state_->give_up, 1);
  }
  while (jpeg.output_scanline < jpeg.output_height) {
    jpeg_read_scanlines(&jpeg, state_->rows.data() + jpeg.output_scanline, jpeg.output_height - jpeg.output_scanline);
  }
  state_->all_rows_read = true;
  jpeg_finish_decompress(&jpeg);
  return true;
}

}  // namespace clmnet::wsi
