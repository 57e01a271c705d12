#include "wsi/annotation_files.h"

#include <gtest/gtest.h>

#include "tools/base/error.h"
#include "wsi/xml_elements.h"

namespace clmnet::wsi {
namespace {

AnnotationFile parse(const std::string& text) { return parse_annotations(text, "case"); }

std::string complaint(const std::string& text) {
  try {
    parse(text);
  } catch (const InputError& error) {
    return error.what();
  }
  return "no error";
}

std::string feature(const std::string& geometry, const std::string& properties) {
  return R"({"type":"Feature","geometry":)" + geometry + R"(,"properties":)" + properties + "}";
}
const std::string kSquare = R"({"type":"Polygon","coordinates":[[[0,0],[10,0],[10,10],[0,10],[0,0]]]})";
const std::string kTumour = R"({"objectType":"annotation","classification":{"name":"Tumor","color":[200,0,0]}})";

// As QuPath 0.5 exports it: File > Export objects as GeoJSON.
TEST(QuPath, AFeatureCollectionWithAHole) {
  const auto file = parse(R"({"type":"FeatureCollection","features":[{"type":"Feature","id":"ab","geometry":{"type":"Polygon",
    "coordinates":[[[0,0],[8.5,0],[8.5,6],[0,6],[0,0]],[[2,2],[4,2],[4,4],[2,4],[2,2]]]},
    "properties":{"objectType":"annotation","classification":{"name":"Tumor","color":[200,0,0]},"isLocked":true}}]})");
  EXPECT_EQ(file.format, AnnotationFormat::qupath);
  ASSERT_EQ(file.regions.size(), 1U);
  EXPECT_EQ(file.regions[0].class_name, "Tumor");
  EXPECT_EQ(file.regions[0].outer, (RingPx{{0, 0}, {8.5, 0}, {8.5, 6}, {0, 6}}));
  ASSERT_EQ(file.regions[0].holes.size(), 1U);
  EXPECT_DOUBLE_EQ(ring_area(file.regions[0].outer), 51);
  EXPECT_DOUBLE_EQ(ring_area(file.regions[0].holes[0]), 4);
}

TEST(QuPath, ListsSingleFeaturesAndByteOrderMarks) {
  EXPECT_EQ(parse("[" + feature(kSquare, kTumour) + "," + feature(kSquare, kTumour) + "]").regions.size(), 2U);
  EXPECT_EQ(parse("\xEF\xBB\xBF\n " + feature(kSquare, kTumour)).regions.size(), 1U);
  EXPECT_TRUE(parse(R"({"type":"FeatureCollection","features":[]})").regions.empty());
}

TEST(QuPath, MultiPolygonsAreSeveralRegions) {
  const auto file = parse(feature(R"({"type":"MultiPolygon","coordinates":[[[[0,0],[1,0],[1,1],[0,0]]],
                                     [[[5,5],[9,5],[9,9],[5,9],[5,5]],[[6,6],[7,6],[7,7],[6,6]]]]})", kTumour));
  ASSERT_EQ(file.regions.size(), 2U);
  EXPECT_TRUE(file.regions[0].holes.empty());
  EXPECT_EQ(file.regions[1].holes.size(), 1U);
  EXPECT_EQ(file.regions[1].class_name, "Tumor");
}

TEST(QuPath, ClassNamesInAllTheirForms) {
  const auto name = [](const std::string& classification) {
    return parse(feature(kSquare, R"({"classification":)" + classification + "}")).regions.at(0).class_name;
  };
  EXPECT_EQ(name(R"({"name":"Tumor: Positive"})"), "Tumor: Positive");
  EXPECT_EQ(name(R"({"names":["Tumor","Positive"]})"), "Tumor: Positive");
  EXPECT_EQ(name(R"("Stroma")"), "Stroma");
  EXPECT_EQ(name("null"), "");
  EXPECT_EQ(parse(feature(kSquare, "null")).regions.at(0).class_name, "");
}

TEST(QuPath, CellsPointsAndLinesAreCountedAndPassedOver) {
  const auto file = parse("[" + feature(kSquare, R"({"objectType":"cell"})") + "," + feature(kSquare, R"({"objectType":"detection"})") +
                          "," + feature(R"({"type":"Point","coordinates":[1,2]})", kTumour) + "," +
                          feature(R"({"type":"LineString","coordinates":[[1,2],[3,4]]})", kTumour) + "," +
                          feature(R"({"type":"Polygon","coordinates":[[[1,2],[3,4],[1,2]]]})", kTumour) + "]");
  EXPECT_TRUE(file.regions.empty());
  EXPECT_EQ(file.not_annotations, 2);
  EXPECT_EQ(file.without_area, 3);
}

TEST(QuPath, DamageIsAnErrorThatNamesTheFeature) {
  EXPECT_NE(complaint("[" + feature(kSquare, kTumour) + R"(,{"type":"Thing"}])").find("case: feature 2: type is 'Thing'"), std::string::npos);
  EXPECT_NE(complaint(feature(R"({"type":"Circle","coordinates":[]})", kTumour)).find("geometry 'Circle' is not known"), std::string::npos);
  EXPECT_NE(complaint(feature(R"({"type":"Polygon"})", kTumour)).find("without coordinates"), std::string::npos);
  EXPECT_NE(complaint(feature(R"({"type":"Polygon","coordinates":[[[0,"a"]]]})", kTumour)).find("a point is [0,\"a\"]"), std::string::npos);
  EXPECT_NE(complaint(feature(R"({"type":"Polygon","coordinates":[[[0]]]})", kTumour)).find("not [x, y]"), std::string::npos);
  EXPECT_NE(complaint(feature(R"({"type":"Polygon","coordinates":[[[0,1e300]]]})", kTumour)).find("beyond 1e9"), std::string::npos);
  EXPECT_NE(complaint(feature(R"({"type":"Polygon","coordinates":7})", kTumour)).find("without coordinates"), std::string::npos);
  EXPECT_NE(complaint(R"({"type":"Feature","properties":{}})").find("no geometry"), std::string::npos);
  EXPECT_NE(complaint(R"({"type":"FeatureCollection"})").find("no list of 'features'"), std::string::npos);
  EXPECT_NE(complaint(R"({"type":"FeatureCollection","features":[)").find("is not JSON"), std::string::npos);
}

TEST(AnyFormat, NeitherJsonNorXml) {
  EXPECT_NE(complaint("").find("is empty"), std::string::npos);
  EXPECT_NE(complaint(" \n\t").find("is empty"), std::string::npos);
  EXPECT_NE(complaint("x,y\n1,2\n").find("neither GeoJSON nor XML"), std::string::npos);
  EXPECT_NE(complaint("<svg/>").find("<svg>; expected <Annotations>"), std::string::npos);
  EXPECT_THROW(read_annotations("/no/such/file.xml"), InputError);
}

std::string image_scope(const std::string& regions, const std::string& name = "Tumor") {
  return R"(<Annotations MicronsPerPixel="0.499000"><Annotation Id="1" Name=")" + name +
         R"(" LineColor="65280"><Attributes><Attribute Name="Description" Id="0" Value="from description"/></Attributes>
         <Regions><RegionAttributeHeaders/>)" + regions + "</Regions><Plots/></Annotation></Annotations>";
}
std::string region(const std::string& attributes, const std::string& points) {
  return "<Region " + attributes + "><Attributes/><Vertices>" + points + "</Vertices></Region>";
}
const std::string kTriangle = R"(<Vertex X="0" Y="0" Z="0"/><Vertex X="10" Y="0"/><Vertex X="0" Y="10.5"/><Vertex X="0" Y="0"/>)";

TEST(ImageScope, Polygons) {
  const auto file = parse(image_scope(region(R"(Id="1" Type="0" Text="" NegativeROA="0")", kTriangle)));
  EXPECT_EQ(file.format, AnnotationFormat::image_scope);
  ASSERT_EQ(file.regions.size(), 1U);
  EXPECT_EQ(file.regions[0].class_name, "Tumor");
  EXPECT_EQ(file.regions[0].outer, (RingPx{{0, 0}, {10, 0}, {0, 10.5}}));
}

TEST(ImageScope, ClassIsTheLayersNameElseTheTextElseTheDescription) {
  EXPECT_EQ(parse(image_scope(region(R"(Type="0" Text="text")", kTriangle), "")).regions[0].class_name, "text");
  EXPECT_EQ(parse(image_scope(region(R"(Type="0")", kTriangle), "")).regions[0].class_name, "from description");
  EXPECT_EQ(parse(R"(<Annotations><Annotation Id="3"><Regions>)" + region(R"(Type="0")", kTriangle) +
                  "</Regions></Annotation></Annotations>").regions[0].class_name, "layer 3");
}

TEST(ImageScope, RectanglesAndEllipses) {
  const auto file = parse(image_scope(region(R"(Type="1")", R"(<Vertex X="2" Y="3"/><Vertex X="12" Y="8"/>)") +
                                      region(R"(Type="2")", R"(<Vertex X="0" Y="0"/><Vertex X="20" Y="10"/>)")));
  ASSERT_EQ(file.regions.size(), 2U);
  EXPECT_DOUBLE_EQ(ring_area(file.regions[0].outer), 50);
  EXPECT_NEAR(ring_area(file.regions[1].outer), 3.14159265 * 10 * 5, 0.01);
}

TEST(ImageScope, NegativeRegionsAreHolesInTheirLayerOnly) {
  const std::string hole = region(R"(Type="0" NegativeROA="1")", R"(<Vertex X="1" Y="1"/><Vertex X="2" Y="1"/><Vertex X="1" Y="2"/>)");
  const std::string far = region(R"(Type="0")", R"(<Vertex X="100" Y="100"/><Vertex X="200" Y="100"/><Vertex X="100" Y="200"/>)");
  const auto file = parse(R"(<Annotations><Annotation Id="1" Name="A"><Regions>)" + hole + region(R"(Type="0")", kTriangle) + far +
                          R"(</Regions></Annotation><Annotation Id="2" Name="B"><Regions>)" + region(R"(Type="0")", kTriangle) +
                          "</Regions></Annotation></Annotations>");
  ASSERT_EQ(file.regions.size(), 3U);
  EXPECT_EQ(file.regions[0].holes.size(), 1U);
  EXPECT_TRUE(file.regions[1].holes.empty()) << "the hole lies elsewhere";
  EXPECT_TRUE(file.regions[2].holes.empty()) << "the hole is another layer's";
}

TEST(ImageScope, ArrowsAndRulersHaveNoArea) {
  const auto file = parse(image_scope(region(R"(Type="3")", kTriangle) + region(R"(Type="4")", kTriangle) +
                                      region(R"(Type="0")", R"(<Vertex X="1" Y="1"/>)")));
  EXPECT_TRUE(file.regions.empty());
  EXPECT_EQ(file.without_area, 3);
}

TEST(ImageScope, BrokenNumbersNameTheRegion) {
  const auto broken = complaint(image_scope(region(R"(Id="7" Type="0")", R"(<Vertex X="nan" Y="1"/>)")));
  EXPECT_NE(broken.find("layer 1, region 7: X is 'nan'"), std::string::npos) << broken;
  EXPECT_NE(complaint(image_scope(region("", R"(<Vertex X="1"/>)"))).find("Y is ''"), std::string::npos);
  EXPECT_NE(complaint(image_scope(region("", R"(<Vertex X="1" Y="2e12"/>)"))).find("up to 1e9"), std::string::npos);
  EXPECT_EQ(parse(image_scope(region(R"(Type="0")", R"(<Vertex X="1,5" Y="1"/><Vertex X="3" Y="1"/><Vertex X="3" Y="9"/>)"))).regions[0].outer[0].x, 1.5);
}

// As CAMELYON's files: groups, coordinates with their order.
std::string asap(const std::string& annotations) {
  return R"(<?xml version="1.0"?><ASAP_Annotations><Annotations>)" + annotations +
         R"(</Annotations><AnnotationGroups><Group Name="Tumor" PartOfGroup="None" Color="#64FE2E"><Attributes/></Group></AnnotationGroups></ASAP_Annotations>)";
}
std::string drawn(const std::string& type, const std::string& group, const std::string& points) {
  return R"(<Annotation Name="Annotation 0" Type=")" + type + R"(" PartOfGroup=")" + group + R"(" Color="#F4FA58"><Coordinates>)" + points +
         "</Coordinates></Annotation>";
}

TEST(Asap, PointsComeInTheirOrder) {
  const auto file = parse(asap(drawn("Polygon", "Tumor", R"(<Coordinate Order="1" X="10" Y="0"/><Coordinate Order="2" X="10" Y="10"/><Coordinate Order="0" X="0" Y="0"/>)")));
  EXPECT_EQ(file.format, AnnotationFormat::asap);
  ASSERT_EQ(file.regions.size(), 1U);
  EXPECT_EQ(file.regions[0].class_name, "Tumor");
  EXPECT_EQ(file.regions[0].outer, (RingPx{{0, 0}, {10, 0}, {10, 10}}));
}

TEST(Asap, SplinesRectanglesDotsAndNoGroup) {
  const std::string three = R"(<Coordinate Order="0" X="0" Y="0"/><Coordinate Order="1" X="4" Y="0"/><Coordinate Order="2" X="4" Y="4"/>)";
  const auto file = parse(asap(drawn("Spline", "None", three) + drawn("Rectangle", "_2", three + R"(<Coordinate Order="3" X="0" Y="4"/>)") +
                               drawn("Dot", "Tumor", R"(<Coordinate Order="0" X="0" Y="0"/>)") + drawn("PointSet", "Tumor", three)));
  ASSERT_EQ(file.regions.size(), 2U);
  EXPECT_EQ(file.regions[0].class_name, "");
  EXPECT_EQ(file.regions[1].class_name, "_2");
  EXPECT_DOUBLE_EQ(ring_area(file.regions[1].outer), 16);
  EXPECT_EQ(file.without_area, 2);
}

TEST(Asap, BrokenNumbersNameTheAnnotation) {
  EXPECT_NE(complaint(asap(drawn("Polygon", "T", R"(<Coordinate Order="0" X="" Y="0"/>)"))).find("annotation 'Annotation 0': X is ''"), std::string::npos);
}

std::string visited(const std::string& text) {
  std::string seen;
  read_xml(text, "x", {[&](const std::string& name, const auto& attributes) {
                         seen += "<" + name;
                         for (const auto& [key, value] : attributes) seen += " " + key + "=" + value;
                         seen += ">";
                       },
                       [&](const std::string& name) { seen += "</" + name + ">"; }});
  return seen;
}

TEST(Xml, ElementsAttributesAndWhatIsPassedOver) {
  EXPECT_EQ(visited("<?xml version='1.0'?><!DOCTYPE a [<!ELEMENT a (b)>]><!-- <no/> --><a x = '1' y=\"2>3\">text<b/><![CDATA[<c>]]></a>\n"),
            "<a x=1 y=2>3><b></b></a>");
  EXPECT_EQ(visited("<a t='&lt;&amp;&gt;&quot;&apos;&#65;&#xe9;'/>"), "<a t=<&>\"'A\xC3\xA9></a>");
}

TEST(Xml, DamageIsAnErrorWithItsLine) {
  for (const std::string text : {"<a>", "<a><b></a></b>", "</a>", "<a", "<a x>", "<a x=1/>", "<a x='1/>", "<a x='<'/>", "<a x='1' x='2'/>",
                                 "<a x='&no;'/>", "<a x='&#0;'/>", "<a x='&#x110000;'/>", "<a x='&'/>", "<!-- ", "<?xml ", "<![CDATA[", "<!DOCTYPE a [",
                                 "< a/>", "text", "<a><"}) {
    EXPECT_THROW(visited(text), InputError) << text;
  }
  std::string deep;
  for (int i = 0; i < 100; ++i) deep += "<a>";
  EXPECT_THROW(visited(deep), InputError);
  try {
    visited("<a>\n\n<b></a>");
    FAIL();
  } catch (const InputError& error) {
    EXPECT_EQ(std::string(error.what()), "x: line 3: </a> closes <b>");
  }
}

TEST(Xml, CutOffAnywhereIsAnErrorOrWhole) {
  const std::string whole = asap(drawn("Polygon", "Tumor", R"(<Coordinate Order="0" X="0" Y="0"/>)"));
  EXPECT_NO_THROW(parse(whole));
  for (std::size_t length = 0; length < whole.size(); ++length) EXPECT_THROW(parse(whole.substr(0, length)), InputError) << length;
}

}  // namespace
}  // namespace clmnet::wsi
