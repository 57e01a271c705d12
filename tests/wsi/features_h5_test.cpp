#include "wsi/features_h5.h"

#include <gtest/gtest.h>

#include <cstdio>
#include <cstdlib>
#include <fstream>

#include <opencv2/core.hpp>

#include "tests/base/file_size_limit.h"
#include "tests/wsi/tiff_fixture.h"
#include "tools/base/atomic_file.h"
#include "tools/base/error.h"
#include "wsi/h5.h"
#include "wsi/tiles_h5.h"

namespace clmnet::wsi {
namespace {

namespace fs = std::filesystem;

TilesInfo info() {
  TilesInfo info;
  info.slide_name = "case_017";
  info.source = "/data/run";
  info.extent = {40000, 30000};
  info.level0_um_per_px = {0.25, 0.25};
  info.levels = {{{40000, 30000}, 1, 1}, {{10000, 7500}, 4, 4}, {{2500, 1875}, 16, 16}};
  info.level0_magnification = 40;
  info.grid = {256, 192, {1, 1}, 0.1};
  info.encoder = "clmnet-s";
  return info;
}

const std::vector<TileSpec> kTiles{{{0, 0}, 0, 0}, {{768, 0}, 1, 0}, {{0, 4294967296}, 0, 9}};

template <typename T>
T attribute(const TileFeatures& file, const std::string& name) {
  return std::get<T>(file.attributes.at(name));
}

// In a process of its own: what HDF5 could not close used to end the program at its end.
TEST(FeaturesH5, AFullDiskIsNamedAndTheProgramEndsAsItWants) {
  const TemporaryFolder folder;
  const cv::Mat features(3, 1024, CV_32F, cv::Scalar(1));
  EXPECT_EXIT(
      {
        const test::FileSizeLimit limit(8000);
        try {
          write_features_h5(folder / "features.h5", kTiles, features, info());
        } catch (const InputError& error) {
          std::fputs(error.what(), stderr);
          std::exit(3);
        }
      },
      testing::ExitedWithCode(3), "features.h5: cannot be .*File too large.*free some disk space");
  EXPECT_TRUE(fs::is_empty(folder.path()));
}

TEST(FeaturesH5, ComesBackWithTheAttributesOfClamAndTrident) {
  const TemporaryFolder folder;
  cv::Mat features(3, 1024, CV_32F);
  cv::randu(features, -1, 1);
  write_features_h5(folder / "features.h5", kTiles, features, info());
  const auto file = read_features(folder / "features.h5");
  ASSERT_EQ(file.coords.size(), 3U);
  EXPECT_EQ(file.coords[2], (Level0Px{0, 4294967296}));
  ASSERT_EQ(file.features.size(), features.size());
  EXPECT_EQ(cv::norm(file.features, features, cv::NORM_INF), 0);
  EXPECT_EQ(attribute<std::int64_t>(file, "patch_size"), 256);
  EXPECT_EQ(attribute<std::int64_t>(file, "patch_level"), 1);
  EXPECT_EQ(attribute<std::vector<double>>(file, "downsample"), (std::vector<double>{4, 4}));
  EXPECT_EQ(attribute<std::vector<std::int64_t>>(file, "level_dim"), (std::vector<std::int64_t>{10000, 7500}));
  EXPECT_EQ(attribute<std::vector<std::int64_t>>(file, "downsampled_level_dim"), (std::vector<std::int64_t>{10000, 7500}));
  EXPECT_EQ(attribute<std::string>(file, "name"), "case_017");
  EXPECT_EQ(attribute<std::string>(file, "save_path"), "/data/run");
  EXPECT_EQ(attribute<std::int64_t>(file, "patch_size_level0"), 1024);
  EXPECT_EQ(attribute<double>(file, "level0_magnification"), 40);
  EXPECT_EQ(attribute<double>(file, "target_magnification"), 10);
  EXPECT_EQ(attribute<std::int64_t>(file, "overlap"), 64);
  EXPECT_EQ(attribute<std::int64_t>(file, "level0_width"), 40000);
  EXPECT_EQ(attribute<std::int64_t>(file, "level0_height"), 30000);
  EXPECT_EQ(attribute<std::string>(file, "savetodir"), "/data/run");
  EXPECT_EQ(attribute<std::string>(file, "encoder"), "clmnet-s");
}

TEST(FeaturesH5, TilesAloneAndNoTilesAtAll) {
  const TemporaryFolder folder;
  write_tiles_h5(folder / "tiles.h5", kTiles, info());
  EXPECT_EQ(read_features(folder / "tiles.h5").coords.size(), 3U);
  EXPECT_TRUE(read_features(folder / "tiles.h5").features.empty());
  write_features_h5(folder / "none.h5", {}, {}, info());
  EXPECT_TRUE(read_features(folder / "none.h5").coords.empty());
}

TEST(FeaturesH5, TheSameContentIsTheSameBytes) {
  const TemporaryFolder folder;
  write_tiles_h5(folder / "a.h5", kTiles, info());
  write_tiles_h5(folder / "b.h5", kTiles, info());
  EXPECT_EQ(sha256_of_file(folder / "a.h5"), sha256_of_file(folder / "b.h5"));
}

/// A Python that has h5py, or nothing.
std::string python_with_h5py() {
  for (const std::string python : {"python3", "/usr/bin/python3"}) {
    if (std::system((python + " -c 'import h5py' 2>/dev/null").c_str()) == 0) return python;
  }
  return {};
}

TEST(FeaturesH5, PythonsH5pyReadsIt) {
  const std::string python = python_with_h5py();
  if (python.empty()) GTEST_SKIP() << "no Python with h5py (Debian: python3-h5py)";
  const TemporaryFolder folder;
  write_features_h5(folder / "features.h5", kTiles, cv::Mat(3, 8, CV_32F, cv::Scalar(0.5)), info());
  const std::string script =
      " -c \"import h5py,sys; f=h5py.File(sys.argv[1]); a=f['coords'].attrs; "
      "assert f['coords'].dtype=='int64' and f['coords'].shape==(3,2) and f['features'].dtype=='float32'; "
      "assert a['name']=='case_017' and a['patch_size']==256 and tuple(a['level_dim'])==(10000,7500)\" ";
  EXPECT_EQ(std::system((python + script + (folder / "features.h5").string()).c_str()), 0);
}

/// Images whose every value is the tile's number.
void write_images(const fs::path& file, const std::vector<TileSpec>& tiles, const std::vector<std::int64_t>& labels, int tile_px) {
  TilesInfo small = info();
  small.grid.tile_px = tile_px;
  small.grid.stride_px = tile_px;
  TileImagesH5 images(file, small);
  for (std::size_t i = 0; i < tiles.size(); ++i) {
    images.add(std::vector<std::uint8_t>(static_cast<std::size_t>(tile_px) * static_cast<std::size_t>(tile_px) * 3, static_cast<std::uint8_t>(i + 1)).data());
  }
  images.commit(tiles, labels);
}

// The keys that CLAM's Whole_Slide_Bag_FP and TRIDENT's WSIPatcher and loaders look for.
TEST(TilesH5, PythonsH5pyFindsImagesLabelsAndBothToolsKeys) {
  const std::string python = python_with_h5py();
  if (python.empty()) GTEST_SKIP() << "no Python with h5py (Debian: python3-h5py)";
  const TemporaryFolder folder;
  write_images(folder / "tiles.h5", kTiles, {1, 0, -1}, 16);
  const std::string script =
      " -c \"import h5py,sys; f=h5py.File(sys.argv[1]); a=f['coords'].attrs; i=f['imgs']; "
      "assert i.dtype=='uint8' and i.shape==(3,16,16,3) and [int(x.min()) for x in i]==[1,2,3]==[int(x.max()) for x in i]; "
      "assert list(f['labels'])==[1,0,-1]; "
      "clam={'patch_size','patch_level','downsample','downsampled_level_dim','level_dim','name','save_path'}; "
      "trident={'patch_size','patch_size_level0','level0_magnification','target_magnification','overlap','level0_width','level0_height','name','savetodir'}; "
      "assert not (clam|trident)-set(a), (clam|trident)-set(a)\" ";
  EXPECT_EQ(std::system((python + script + (folder / "tiles.h5").string()).c_str()), 0);
}

TEST(TilesH5, ImagesThatAreNotCommittedLeaveNothing) {
  const TemporaryFolder folder;
  {
    TileImagesH5 images(folder / "tiles.h5", info());
    images.add(std::vector<std::uint8_t>(256 * 256 * 3).data());
  }
  EXPECT_TRUE(fs::is_empty(folder.path()));
}

TEST(TilesH5, CoordsAreReadBackBesideTheImages) {
  const TemporaryFolder folder;
  write_images(folder / "tiles.h5", kTiles, {}, 8);
  EXPECT_EQ(read_features(folder / "tiles.h5").coords.size(), kTiles.size());
  write_images(folder / "none.h5", {}, {}, 8);
  EXPECT_TRUE(read_features(folder / "none.h5").coords.empty());
}

TEST(TilesH5, RefusesAnotherNumberOfTilesOrLabels) {
  const TemporaryFolder folder;
  TileImagesH5 images(folder / "tiles.h5", info());
  EXPECT_THROW(images.commit(kTiles), std::invalid_argument);
  EXPECT_THROW(write_tiles_h5(folder / "tiles.h5", kTiles, info(), {1}), std::invalid_argument);
  EXPECT_THROW(TileImagesH5(folder / "no" / "tiles.h5", info()), InputError);
}

TEST(TilesH5, TheSameImagesAreTheSameBytes) {
  const TemporaryFolder folder;
  write_images(folder / "a.h5", kTiles, {1, 1, 0}, 8);
  write_images(folder / "b.h5", kTiles, {1, 1, 0}, 8);
  EXPECT_EQ(sha256_of_file(folder / "a.h5"), sha256_of_file(folder / "b.h5"));
}

void expect_error(const fs::path& path, const std::string& part) {
  try {
    read_features(path);
    FAIL() << path << " was read";
  } catch (const InputError& error) {
    EXPECT_NE(std::string(error.what()).find(part), std::string::npos) << error.what();
    EXPECT_NE(std::string(error.what()).find(path.filename().string()), std::string::npos) << error.what();
  }
}

/// A file with one array of the given name, type and shape.
void write_array(const fs::path& path, const char* name, hid_t type, const std::vector<hsize_t>& shape, bool with_data = true) {
  const H5Id file(H5Fcreate(path.c_str(), H5F_ACC_TRUNC, H5P_DEFAULT, H5P_DEFAULT), H5Fclose);
  const H5Id space(H5Screate_simple(static_cast<int>(shape.size()), shape.data(), nullptr), H5Sclose);
  const H5Id set(H5Dcreate2(file.get(), name, type, space.get(), H5P_DEFAULT, H5P_DEFAULT, H5P_DEFAULT), H5Dclose);
  const std::vector<std::int64_t> zeros(1000);
  if (with_data) H5Dwrite(set.get(), type, H5S_ALL, H5S_ALL, H5P_DEFAULT, zeros.data());
}

TEST(FeaturesH5, BadFilesAreNamedWithWhatWasFound) {
  const TemporaryFolder folder;
  expect_error(folder / "missing.h5", "no such file");
  std::ofstream(folder / "empty.h5").close();
  expect_error(folder / "empty.h5", "empty");
  std::ofstream(folder / "text.h5") << "not at all";
  expect_error(folder / "text.h5", "not HDF5");
  expect_error(folder.path(), "folder");
  write_array(folder / "other.h5", "points", H5T_NATIVE_INT64, {3, 2});
  expect_error(folder / "other.h5", "no 'coords'");
  write_array(folder / "wide.h5", "coords", H5T_NATIVE_INT64, {3, 4});
  expect_error(folder / "wide.h5", "[3,4]");
  write_array(folder / "flat.h5", "coords", H5T_NATIVE_INT64, {6});
  expect_error(folder / "flat.h5", "[6]");
  write_array(folder / "text_coords.h5", "coords", H5T_C_S1, {3, 2});
  expect_error(folder / "text_coords.h5", "numbers");
  write_array(folder / "unwritten.h5", "coords", H5T_NATIVE_INT64, {3, 2}, false);
  expect_error(folder / "unwritten.h5", "never written");
  write_array(folder / "huge.h5", "coords", H5T_NATIVE_INT64, {hsize_t{1} << 40, 2}, false);
  expect_error(folder / "huge.h5", "more than any slide");
}

TEST(FeaturesH5, FeaturesThatDoNotFitTheCoords) {
  const TemporaryFolder folder;
  write_tiles_h5(folder / "a.h5", kTiles, info());
  const H5Id file(H5Fopen((folder / "a.h5").c_str(), H5F_ACC_RDWR, H5P_DEFAULT), H5Fclose);
  const hsize_t shape[2] = {2, 5};
  const H5Id space(H5Screate_simple(2, shape, nullptr), H5Sclose);
  {
    const H5Id set(H5Dcreate2(file.get(), "features", H5T_NATIVE_FLOAT, space.get(), H5P_DEFAULT, H5P_DEFAULT, H5P_DEFAULT), H5Dclose);
  }
  H5Fflush(file.get(), H5F_SCOPE_LOCAL);
  expect_error(folder / "a.h5", "[2,5]");
}

TEST(FeaturesH5, AFileCutAtAnyPlaceIsAnErrorOrWhole) {
  const TemporaryFolder folder;
  write_features_h5(folder / "whole.h5", kTiles, cv::Mat(3, 64, CV_32F, cv::Scalar(0.5)), info());
  const std::string bytes = read_whole_file(folder / "whole.h5");
  for (std::size_t cut = 1; cut < bytes.size(); cut += bytes.size() / 60 + 1) {
    write_atomically(folder / "cut.h5", std::string_view(bytes).substr(0, cut));
    EXPECT_THROW(read_features(folder / "cut.h5"), InputError) << cut;
  }
}

TEST(FeaturesH5, WhatCannotBeWrittenIsAnErrorAndLeavesNothing) {
  const TemporaryFolder folder;
  EXPECT_THROW(write_tiles_h5(folder / "none" / "a.h5", kTiles, info()), InputError);
  EXPECT_THROW(write_features_h5(folder / "a.h5", kTiles, cv::Mat(2, 8, CV_32F), info()), std::invalid_argument);
  EXPECT_THROW(write_features_h5(folder / "a.h5", kTiles, cv::Mat(3, 8, CV_64F), info()), std::invalid_argument);
  EXPECT_TRUE(fs::is_empty(folder.path()));
}

}  // namespace
}  // namespace clmnet::wsi
