#include "tools/slide_args.h"

namespace clmnet::tools {

void SlideArgs::add_to(CLI::App& command) {
  command.add_option(flag, um_per_px, "µm per pixel of the scan, where the slide does not say it or says it wrong")
      ->check(CLI::Range(0.01, 50.0));
  command.add_option("--reader", reader, "What decodes pixels: direct (TIFF with JPEG tiles), openslide, or auto")
      ->check(CLI::IsMember({"auto", "direct", "openslide"}))
      ->capture_default_str();
  command.add_flag("--icc", icc, "Bring the colours to sRGB through the slide's ICC profile");
}

wsi::SlideOptions SlideArgs::options() const {
  wsi::SlideOptions options;
  options.um_per_px_flag = flag;
  options.icc = icc;
  if (um_per_px) options.um_per_px = wsi::UmPerPx{*um_per_px, *um_per_px};
  if (reader == "direct") options.reader = wsi::ReaderKind::direct;
  if (reader == "openslide") options.reader = wsi::ReaderKind::openslide;
  return options;
}

}  // namespace clmnet::tools
