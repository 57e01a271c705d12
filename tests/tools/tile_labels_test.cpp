#include "tools/tile_labels.h"

#include <fstream>

#include <gtest/gtest.h>

#include "tests/base/temporary_folder.h"
#include "tools/base/atomic_file.h"
#include "tools/base/error.h"
#include "tools/file_fingerprint.h"
#include "tools/tile_folder.h"

namespace clmnet::tools {
namespace {

namespace fs = std::filesystem;

template <typename Call>
std::string complaint(const Call& call) {
  try {
    call();
  } catch (const InputError& error) {
    return error.what();
  }
  return "no error";
}

TEST(ClassMap, UsualNamesWhateverTheirCase) {
  const auto map = ClassMap::usual();
  EXPECT_EQ(map.find("Tumor"), 1);
  EXPECT_EQ(map.find("TUMOUR"), 1);
  EXPECT_EQ(map.find("stroma"), 0);
  EXPECT_EQ(map.find("Ignore*"), wsi::kUnknownLabel);
  EXPECT_EQ(map.find("Region*"), ClassMap::kSkip);
  EXPECT_EQ(map.find("Necrosis"), std::nullopt);
  EXPECT_EQ(map.name_of(1), "Tumor");
  EXPECT_EQ(map.name_of(9), "");
}

TEST(ClassMap, WhatIsGivenLastCounts) {
  auto map = ClassMap::usual();
  map.add({"tumor=3", "a=b=2", "Unclassified=skip", "Necrosis=ignore"});
  EXPECT_EQ(map.find("Tumor"), 3);
  EXPECT_EQ(map.find("a=b"), 2);
  EXPECT_EQ(map.find(""), ClassMap::kSkip);
  EXPECT_EQ(map.find("necrosis"), wsi::kUnknownLabel);
  EXPECT_NE(map.text().find("tumor=3, a=b=2, Unclassified=skip, Necrosis=ignore"), std::string::npos) << map.text();
}

TEST(ClassMap, RefusesWhatIsNoLabel) {
  for (const std::string text : {"Tumor", "=1", "", "Tumor=", "Tumor=-1", "Tumor=255", "Tumor=1.5", "Tumor=yes", "Tumor=1e400"}) {
    auto map = ClassMap::usual();
    EXPECT_THROW(map.add({text}), InputError) << text;
  }
}

/// A folder with annotations, and a slide that has bounds.
class Annotations : public testing::Test {
 protected:
  void write(const std::string& name, const std::string& text) const { std::ofstream(folder_.path() / name) << text; }

  SlideAnnotation read(const std::string& name, AnnotationFrame frame) const {
    return read_slide_annotation(folder_.path() / name, slide_, ClassMap::usual(), frame);
  }

  Annotations() {
    slide_.bounds = wsi::Level0Rect{{1000, 2000}, {500, 500}};
    write("a.geojson", R"({"type":"Feature","geometry":{"type":"Polygon","coordinates":[[[0,0],[9,0],[9,9],[0,0]],[[1,1],[2,1],[2,2]]]},
                           "properties":{"classification":{"name":"Tumor"}}})");
    write("a.xml", R"(<Annotations><Annotation Id="1" Name="Tumor"><Regions><Region Type="0"><Vertices><Vertex X="0" Y="0"/>
                      <Vertex X="9" Y="0"/><Vertex X="9" Y="9"/></Vertices></Region></Regions></Annotation></Annotations>)");
  }

  test::TemporaryFolder folder_;
  wsi::SlideInfo slide_;
};

TEST_F(Annotations, GeoJsonOfASlideWithBoundsMustSayItsFrame) {
  const auto words = complaint([&] { read("a.geojson", AnnotationFrame::automatic); });
  EXPECT_NE(words.find("bounds at 1000, 2000"), std::string::npos) << words;
  EXPECT_NE(words.find("--annotation-frame bounds"), std::string::npos) << words;
}

TEST_F(Annotations, TheBoundsFrameIsMovedAndTheScansIsNot) {
  const auto moved = read("a.geojson", AnnotationFrame::bounds).regions.at(0);
  EXPECT_EQ(moved.label, 1);
  EXPECT_EQ(moved.region.outer.at(1), (wsi::PointPx{1009, 2000}));
  EXPECT_EQ(moved.region.holes.at(0).at(2), (wsi::PointPx{1002, 2002}));
  EXPECT_EQ(read("a.geojson", AnnotationFrame::scan).regions.at(0).region.outer.at(1), (wsi::PointPx{9, 0}));
}

TEST_F(Annotations, WithoutBoundsOrOfOtherProgramsThereIsNothingToSay) {
  EXPECT_EQ(read("a.xml", AnnotationFrame::automatic).regions.at(0).region.outer.at(1), (wsi::PointPx{9, 0}));
  slide_.bounds->origin = {0, 0};
  EXPECT_EQ(read("a.geojson", AnnotationFrame::automatic).regions.at(0).region.outer.at(1), (wsi::PointPx{9, 0}));
  slide_.bounds.reset();
  EXPECT_EQ(read("a.geojson", AnnotationFrame::bounds).regions.at(0).region.outer.at(1), (wsi::PointPx{9, 0}));
}

TEST_F(Annotations, AllUnknownClassesAreNamedAtOnce) {
  write("b.json", R"([{"type":"Feature","geometry":{"type":"Polygon","coordinates":[[[0,0],[9,0],[9,9]]]},"properties":{"classification":"Necrosis"}},
                      {"type":"Feature","geometry":{"type":"Polygon","coordinates":[[[0,0],[9,0],[9,9]]]},"properties":{}}])");
  const auto words = complaint([&] { read("b.json", AnnotationFrame::scan); });
  EXPECT_NE(words.find("'Necrosis', 'Unclassified'"), std::string::npos) << words;
  EXPECT_NE(words.find("Tumor=1"), std::string::npos) << words;
}

TEST_F(Annotations, AreFoundByTheSlidesName) {
  EXPECT_EQ(find_annotation(folder_.path(), "a").filename(), "a.geojson") << "before a.xml";
  EXPECT_EQ(find_annotation("/some/file.xml", "a"), "/some/file.xml");
  EXPECT_NE(complaint([&] { find_annotation(folder_.path(), "other"); }).find("no annotation of other"), std::string::npos);
}

TEST_F(Annotations, PatientsByTableBarcodeOrName) {
  write("p.csv", "slide,patient_id,diagnosis\ncase_1.svs,P1,adenoma\ncase_2,P2,\n");
  const PatientTable table(folder_.path() / "p.csv");
  EXPECT_EQ(table.find("case_1").patient, "P1");
  EXPECT_EQ(table.find("case_1").diagnosis, "adenoma");
  EXPECT_EQ(table.find("case_2").patient, "P2");
  EXPECT_NE(complaint([&] { table.find("case_3"); }).find("no line for the slide 'case_3'"), std::string::npos);
  EXPECT_EQ(PatientTable().find("TCGA-CR-7395-01A-01-TS1").patient, "TCGA-CR-7395");
  EXPECT_TRUE(PatientTable().find("tcga-cr-7395-01a").known);
  EXPECT_EQ(PatientTable().find("slide_9").patient, "slide_9");
  EXPECT_FALSE(PatientTable().find("slide_9").known);
}

TEST_F(Annotations, PatientTablesThatCannotBeUsed) {
  write("twice.csv", "slide,patient_id\na,P1\na,P2\n");
  write("empty.csv", "slide,patient_id\na,\n");
  write("columns.csv", "file,patient\na,P1\n");
  for (const char* name : {"twice.csv", "empty.csv", "columns.csv", "missing.csv"}) {
    EXPECT_THROW(PatientTable(folder_.path() / name), InputError) << name;
  }
}

TEST_F(Annotations, FingerprintsSeeEveryByteOfASmallFileAndTheEndsOfALargeOne) {
  const fs::path file = folder_.path() / "file";
  const auto change = [&](std::size_t size, std::size_t at) {
    std::string bytes(size, 'x');
    write_atomically(file, bytes);
    const auto before = fingerprint(file);
    EXPECT_TRUE(matches(file, before));
    bytes[at] = 'y';
    write_atomically(file, bytes);
    return !matches(file, before);
  };
  for (const std::size_t at : {0, 500, 999}) EXPECT_TRUE(change(1000, at)) << at;
  for (const std::size_t at : {std::size_t{0}, (std::size_t{5} << 20) - 1}) EXPECT_TRUE(change(5 << 20, at)) << at;
  write_atomically(file, "abc");
  const auto three = fingerprint(file);
  write_atomically(file, "abcd");
  EXPECT_FALSE(matches(file, three));
  fs::remove(file);
  EXPECT_FALSE(matches(file, three));
  EXPECT_FALSE(matches(file, nullptr));
  EXPECT_THROW(fingerprint(file), InputError);
  write_atomically(file, "");
  EXPECT_TRUE(matches(file, fingerprint(file)));
}

TEST_F(Annotations, AFolderIsWholeOrAbsent) {
  const fs::path target = folder_.path() / "images";
  {
    AtomicFolder images(target);
    images.write("1.png", {1, 2, 3});
    EXPECT_FALSE(fs::exists(target));
  }
  EXPECT_FALSE(fs::exists(target));
  EXPECT_FALSE(fs::exists(target.string() + ".part"));
  {
    AtomicFolder images(target);
    images.write("2.png", {4});
    images.commit();
  }
  EXPECT_EQ(read_whole_file(target / "2.png"), "\x04");
  AtomicFolder again(target);
  EXPECT_FALSE(fs::exists(target)) << "what an earlier run left is replaced";
  EXPECT_THROW(again.write("no/such/folder.png", {1}), InputError);
}

TEST_F(Annotations, TileTablesAreReadBack) {
  const std::vector<TileRow> rows{{{0, 256}, 1, 0.5}, {{-3, 7}, -1, 0}};
  write("tiles.csv", tiles_csv(rows, 256, 255, true));
  const auto read_back = read_tiles_csv(folder_.path() / "tiles.csv");
  ASSERT_EQ(read_back.size(), 2U);
  EXPECT_EQ(read_back[0].origin, (wsi::Level0Px{0, 256}));
  EXPECT_EQ(read_back[0].label, 1);
  EXPECT_EQ(read_back[0].share, 0.5);
  EXPECT_EQ(read_back[1].label, -1);
  EXPECT_EQ(tiles_csv({}, 1, 1, false), "minx,miny,width,height\n");
  write("other.csv", "x,y\n1,2\n");
  EXPECT_THROW(read_tiles_csv(folder_.path() / "other.csv"), InputError);
}

}  // namespace
}  // namespace clmnet::tools
