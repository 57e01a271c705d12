#include "tools/annotated_slides.h"

#include <algorithm>
#include <fstream>
#include <random>
#include <thread>

#include <gtest/gtest.h>
#include <opencv2/core.hpp>

#include "nets/inference/stain_target.h"
#include "nets/stain_layer.h"
#include "nets/training/augment.h"
#include "tests/base/temporary_folder.h"
#include "tools/base/error.h"
#include "tools/image_loader.h"
#include "tools/robustness.h"
#include "tools/tile_manifest.h"
#include "tools/tile_slide.h"
#include "wsi/geojson.h"
#include "wsi/slide_writer.h"
#include "wsi/synth.h"
#include "wsi/tiff_file.h"

namespace clmnet::tools {
namespace {

namespace fs = std::filesystem;

using test::TemporaryFolder;

constexpr wsi::SizePx kExtent{1152, 1024};

/// Tumour as drawn, and a square of which nobody says what it is.
std::vector<wsi::Annotation> outlines(const wsi::SynthSlide& drawn) {
  const auto geometry = wsi::fit_map(kExtent, {1, 1}, 8);
  std::vector<wsi::Annotation> annotations;
  for (auto& region : wsi::trace_regions(drawn.tumour_mask(geometry), geometry).regions) {
    annotations.emplace_back();
    annotations.back().class_name = "Tumor";
    annotations.back().polygon = std::move(region);
  }
  cv::Mat square = cv::Mat::zeros(static_cast<int>(geometry.size.height), static_cast<int>(geometry.size.width), CV_8U);
  square(cv::Rect(40, 40, 30, 30)) = 255;
  for (auto& region : wsi::trace_regions(square, geometry).regions) {
    annotations.emplace_back();
    annotations.back().class_name = "Ignore*";
    annotations.back().polygon = std::move(region);
  }
  return annotations;
}

class AnnotatedSlides : public testing::Test {
 protected:
  static void SetUpTestSuite() {
    made_ = std::make_unique<TemporaryFolder>();
    const wsi::SynthSlide drawn({7, kExtent, 1});
    wsi::TiffSlideOptions how;
    how.um_per_px = {1, 1};
    how.tile_px = 128;
    wsi::write_tiff_slide(made_->path() / "case_1.svs", kExtent, [&](wsi::Level0Px origin, cv::Mat& rgb) { drawn.paint(origin, rgb); }, how);
    wsi::write_geojson(made_->path() / "case_1.geojson", outlines(drawn));
  }
  static void TearDownTestSuite() { made_.reset(); }

  void SetUp() override {
    for (const char* name : {"case_1.svs", "case_1.geojson"}) fs::copy_file(made_->path() / name, folder_.path() / name);
    options_.grid.um_per_px = {2, 2};
    options_.grid.tile_px = 64;
    options_.grid.stride_px = 64;
  }

  fs::path write(const std::string& name, const std::string& text) const {
    std::ofstream(folder_.path() / name) << text;
    return folder_.path() / name;
  }
  fs::path slide_manifest() const { return write("slides.csv", "slide,annotation,patient_id\ncase_1.svs,case_1.geojson,P7\n"); }

  std::vector<nets::ManifestRow> read(const fs::path& manifest, std::int64_t classes = 2) {
    return ManifestReader(options_).read({manifest}, classes, [&](const std::string& line) { notes_.push_back(line); });
  }
  std::string error_of(const std::string& manifest, std::int64_t classes = 2) {
    try {
      read(write("wrong.csv", manifest), classes);
    } catch (const InputError& error) {
      return error.what();
    }
    return "no error";
  }

  /// The rows of the manifest that `clmnet tile --images png --annotations` writes.
  std::vector<nets::ManifestRow> tiles_on_disk() const {
    TileArgs args;
    const fs::path out = folder_.path() / "tiles";
    args.slides = {(folder_.path() / "case_1.svs").string()};
    args.out = out.string();
    args.images = "png";
    args.annotations = (folder_.path() / "case_1.geojson").string();
    args.patients = write("patients.csv", "slide,patient_id\ncase_1,P7\n").string();
    args.um_per_px = 2;
    args.tile_px = 64;
    const TileSetup setup = read_tile_setup(args);
    const wsi::Slide slide(args.slides[0]);
    fs::create_directories(out / "case_1");
    tile_slide(slide, tile_inputs(args.slides[0], setup), setup, out / "case_1", [](std::size_t, std::size_t) {});
    write_tile_manifest(out, setup);
    return nets::read_manifests({out / "manifest.csv"});
  }

  void expect_same(const std::vector<nets::ManifestRow>& files, const std::vector<nets::ManifestRow>& slides) const {
    ASSERT_EQ(files.size(), slides.size());
    const auto load = ManifestReader(options_).loader();
    for (std::size_t i = 0; i < files.size(); ++i) {
      const nets::ManifestRow &file = files[i], &tile = slides[i];
      EXPECT_EQ(file.image.stem().string(), std::to_string(tile.slide->x) + "_" + std::to_string(tile.slide->y));
      EXPECT_EQ(tile.image.filename().string(), "case_1.svs@" + file.image.stem().string());
      EXPECT_EQ(file.label, tile.label);
      EXPECT_EQ(file.patient, tile.patient);
      EXPECT_EQ(file.diagnosis, tile.diagnosis);
      const auto of_file = load_labelled_image(file), of_slide = load(tile);
      EXPECT_TRUE(torch::equal(of_file.rgb, of_slide.rgb)) << tile.image;
      EXPECT_TRUE(torch::equal(of_file.mask, of_slide.mask)) << tile.image;
      EXPECT_EQ(of_file.label, of_slide.label);
    }
  }

  static inline std::unique_ptr<TemporaryFolder> made_;
  TemporaryFolder folder_;
  AnnotatedSlideOptions options_;
  std::vector<std::string> notes_;
};

TEST_F(AnnotatedSlides, GiveTheSameAsTheirTilesOnDisk) {
  const auto rows = read(slide_manifest());
  const auto count = [&](int label) { return std::count_if(rows.begin(), rows.end(), [&](const auto& row) { return row.label == label; }); };
  EXPECT_GT(count(0), 5);
  EXPECT_GT(count(1), 5);
  EXPECT_EQ(count(-1), 0);
  expect_same(tiles_on_disk(), rows);
  ASSERT_EQ(notes_.size(), 1U);
  EXPECT_EQ(notes_[0].find("case_1.svs: " + std::to_string(rows.size()) + " tiles"), 0U) << notes_[0];
}

TEST_F(AnnotatedSlides, ABrokenStoredTileIsLeftOutAndSaid) {
  const std::size_t whole = read(slide_manifest()).size();
  // The first row's stored tile becomes zeros.
  const auto first = read(slide_manifest()).front();
  const wsi::TiffFile file(folder_.path() / "case_1.svs");
  const auto& level = file.levels().front();
  const auto index = static_cast<std::size_t>(first.slide->y / 128 * level.tiles_across + first.slide->x / 128);
  std::fstream bytes(folder_.path() / "case_1.svs", std::ios::in | std::ios::out | std::ios::binary);
  bytes.seekp(static_cast<std::streamoff>(level.offsets[index]));
  bytes << std::string(200, '\0');
  bytes.close();
  EXPECT_THROW(ManifestReader(options_).loader()(first), InputError);
  notes_.clear();
  const auto rows = read(slide_manifest());
  EXPECT_EQ(rows.size(), whole - 1);
  EXPECT_NE(notes_.at(0).find("1 on stored tiles that are corrupt or missing left out"), std::string::npos) << notes_[0];
  expect_same(tiles_on_disk(), rows);
}

TEST_F(AnnotatedSlides, StandBesideImages) {
  const auto tiles = tiles_on_disk();
  write("mixed.csv", "image,mask,slide,annotation,patient_id,diagnosis,tumour\n" + fs::relative(tiles[0].image, folder_.path()).string() +
                         ",,,,P1,polyp,0\n,,case_1.svs,case_1.geojson,,adenoma,\n");
  const auto rows = read(folder_.path() / "mixed.csv");
  ASSERT_EQ(rows.size(), tiles.size() + 1);
  EXPECT_FALSE(rows[0].slide);
  EXPECT_EQ(rows[0].patient, "P1");
  EXPECT_EQ(rows[1].patient, "case_1") << "the slide's name stands in";
  EXPECT_EQ(rows[1].diagnosis, "adenoma");
  const auto load = ManifestReader(options_).loader();
  EXPECT_TRUE(torch::equal(load(rows[0]).rgb, load_labelled_image(tiles[0]).rgb));
  EXPECT_TRUE(torch::equal(load(rows[1]).rgb, load_labelled_image(tiles[0]).rgb));
}

TEST_F(AnnotatedSlides, TheirTilesAreBroughtToTheReferenceAfterTheyWereChanged) {
  const auto rows = read(slide_manifest());
  const wsi::StainReference reference{{}, wsi::usual_reinhard_reference(), 0.5};
  const nets::LabelledImage plain = ManifestReader(options_).loader()(rows[0]);
  const nets::LabelledImage image = ManifestReader(options_, reference).loader()(rows[0]);
  EXPECT_TRUE(torch::equal(image.rgb, plain.rgb));
  torch::Tensor wanted = nets::fit_to_patch(plain, 64).rgb;
  normalise_stain(wanted, reference);
  EXPECT_TRUE(torch::equal(nets::fit_to_patch(image, 64).rgb, wanted));
  const Variation& stained = *std::find_if(variations().begin(), variations().end(), [](const auto& v) { return v.name == "stain"; });
  wanted = varied(plain, stained, 64, 3).rgb;
  normalise_stain(wanted, reference);
  EXPECT_TRUE(torch::equal(varied(image, stained, 64, 3).rgb, wanted));
}

TEST_F(AnnotatedSlides, FollowTheConfiguration) {
  const auto config = write("train.toml", "[tiles]\num_per_px = 1.0\ntile_px = 96\nstride_px = 48\nmin_tissue = 0.9\n"
                                          "[annotations]\nclasses = [\"Tumor=0\", \"Ignore*=1\"]\nlabel_share = 0.5\n");
  ConfigFile file(config);
  take_annotated_slides(file, options_);
  file.finish();
  EXPECT_EQ(to_json(options_)["tiles"]["stride_px"], 48);
  const auto rows = read(slide_manifest());
  bool second_class = false;
  for (const auto& row : rows) {
    EXPECT_EQ(row.slide->x % 48 + row.slide->y % 48, 0);
    const auto image = ManifestReader(options_).loader()(row);
    EXPECT_EQ(image.rgb.size(0), 96);
    const double share = image.mask.to(torch::kFloat64).mean().item<double>();
    EXPECT_TRUE(row.label == 1 ? share >= 0.5 : share == 0) << share;
    second_class = second_class || row.label == 1;
  }
  EXPECT_TRUE(second_class);
}

TEST_F(AnnotatedSlides, ManyThreadsReadThemAlikeAndFewAreOpen) {
  std::string manifest = "slide,annotation\n";
  for (int i = 0; i < 40; ++i) {
    const std::string name = "copy_" + std::to_string(i);
    fs::create_hard_link(folder_.path() / "case_1.svs", folder_.path() / (name + ".svs"));
    manifest += name + ".svs,case_1.geojson\n";
  }
  options_.grid.um_per_px = {4, 4};  // a handful of tiles from each slide
  const auto rows = read(write("many.csv", manifest));
  ASSERT_GE(rows.size(), 40U);
  const auto load = ManifestReader(options_).loader();
  std::vector<torch::Tensor> seen(rows.size());
  std::vector<std::jthread> threads;
  for (std::size_t t = 0; t < 4; ++t) {
    threads.emplace_back([&, t] {
      for (std::size_t i = t; i < rows.size(); i += 4) seen[i] = load(rows[i]).rgb;
    });
  }
  threads.clear();
  const std::size_t each = rows.size() / 40;
  for (std::size_t i = 0; i < rows.size(); ++i) EXPECT_TRUE(torch::equal(seen[i], seen[i % each])) << i;
  std::size_t open = 0;
  for (const auto& entry : fs::directory_iterator("/proc/self/fd")) {
    std::error_code gone;
    open += fs::read_symlink(entry.path(), gone).extension() == ".svs" ? 1 : 0;
  }
  EXPECT_GE(open, 16U);
  EXPECT_LE(open, 2 * 16U) << "the reader's and OpenSlide's";
}

TEST_F(AnnotatedSlides, SayWhatIsWrong) {
  EXPECT_NE(error_of("slide,annotation\ncase_1.svs,case_1.geojson\n./case_1.svs,case_1.geojson\n").find("stands twice"), std::string::npos);
  EXPECT_NE(error_of("slide,annotation\ncase_1.svs,slides.txt\n").find("slides.txt: no such file"), std::string::npos);
  EXPECT_NE(error_of("slide,annotation\ncase_1.geojson,case_1.geojson\n").find("not a slide"), std::string::npos);
  write("front.geojson", R"({"type":"Feature","geometry":{"type":"Polygon","coordinates":[[[0,0],[900,0],[900,900],[0,0]]]},)"
                         R"("properties":{"classification":{"name":"Front"}}})");
  EXPECT_NE(error_of("slide,annotation\ncase_1.svs,front.geojson\n").find("no label is given for the class 'Front'"), std::string::npos);
  options_.classes.add({"Front=2"});
  EXPECT_NE(error_of("slide,annotation\ncase_1.svs,front.geojson\n").find("label 2 of 'Front', expected a class from 0 to 1"), std::string::npos);
  EXPECT_EQ(error_of("slide,annotation\ncase_1.svs,front.geojson\n", 3), "no error");
  options_.labels.outside = wsi::kUnknownLabel;
  write("empty.geojson", R"({"type":"FeatureCollection","features":[]})");
  EXPECT_NE(error_of("slide,annotation\ncase_1.svs,empty.geojson\n").find("tiles on tissue has a known class"), std::string::npos);
}

TEST_F(AnnotatedSlides, ThePixelSizeOfTheManifestCounts) {
  const wsi::SynthSlide drawn({7, kExtent, 1});
  wsi::TiffSlideOptions how;
  how.aperio = false;
  wsi::write_tiff_slide(folder_.path() / "plain.tif", kExtent, [&](wsi::Level0Px origin, cv::Mat& rgb) { drawn.paint(origin, rgb); }, how);
  options_.grid.tile_px = options_.grid.stride_px = 32;
  // Its resolution tags say 0.5; the manifest knows better, and the tiles then cover twice the level-0 px of before.
  const auto as_it_says = read(write("a.csv", "slide,annotation\nplain.tif,case_1.geojson\n"));
  const auto as_given = read(write("b.csv", "slide,annotation,um_per_px\nplain.tif,case_1.geojson,1\n"));
  EXPECT_GT(as_given.size(), as_it_says.size());
  EXPECT_NE(error_of("slide,annotation,um_per_px\nplain.tif,case_1.geojson,500\n").find("expected 0.01 to 50"), std::string::npos);
}

TEST(NormaliseStain, AnImageIsBroughtToTheReferenceAndGlassIsLeftAlone) {
  const auto reference = wsi::read_stain_reference("macenko", "");
  std::mt19937 random(1);
  cv::Mat rgb(64, 64, CV_8UC3);
  for (int y = 0; y < 64; ++y) {
    for (int x = 0; x < 64; ++x) {
      const int shade = static_cast<int>(random() % 60);
      rgb.at<cv::Vec3b>(y, x) = random() % 2 == 0 ? cv::Vec3b(static_cast<uchar>(60 + shade), static_cast<uchar>(40 + shade), 120)
                                                  : cv::Vec3b(200, static_cast<uchar>(90 + shade), static_cast<uchar>(130 + shade / 2));
    }
  }
  torch::Tensor image = to_tensor(rgb);
  normalise_stain(image, reference);
  const cv::Mat after(64, 64, CV_8UC3, image.data_ptr<std::uint8_t>());
  EXPECT_GT(cv::norm(after, rgb, cv::NORM_INF), 5);
  const auto fit = wsi::fit_macenko(after);
  for (std::size_t stain = 0; stain < 2; ++stain) EXPECT_NEAR(fit.strongest[stain], reference.macenko->strongest[stain], 0.35);

  torch::Tensor glass = to_tensor(cv::Mat(64, 64, CV_8UC3, cv::Scalar(244, 244, 244)));
  normalise_stain(glass, reference);
  EXPECT_TRUE(glass.eq(244).all().item<bool>());
}

TEST(NormaliseStain, AProgramsTilesAreChangedAsPixelsAre) {
  torch::manual_seed(4);
  const wsi::StainReference reference{{}, wsi::usual_reinhard_reference(), 0.5};
  // Tissue in all but the last; in the second also glass, which counts for nothing but is changed.
  torch::Tensor rgb = torch::randint(60, 200, {3, 64, 64, 3}, torch::kUInt8);
  rgb.select(3, 1).div_(2, "floor");
  rgb[1].narrow(0, 0, 30).fill_(240);
  rgb[2].fill_(240);
  const torch::Tensor got =
      nets::normalise_tiles(rgb.permute({0, 3, 1, 2}) / 255.0, nets::stain_target_of(reference)).permute({0, 2, 3, 1}) * 255;
  for (std::int64_t i = 0; i < 3; ++i) {
    torch::Tensor wanted = rgb[i].clone();
    normalise_stain(wanted, reference);
    const torch::Tensor difference = (got[i] - wanted.to(torch::kFloat32)).abs();
    EXPECT_LT(difference.mean().item<double>(), 0.6) << i;
    EXPECT_LT(difference.max().item<double>(), 8) << i;
  }
  EXPECT_THROW(nets::normalise_tiles(got, nets::StainTarget{"macenko", {}}), std::invalid_argument);
}

}  // namespace
}  // namespace clmnet::tools
