#include "nets/checkpoint/safetensors.h"

#include <unistd.h>

#include <filesystem>
#include <fstream>
#include <limits>

#include <gtest/gtest.h>

#include "tools/base/atomic_file.h"
#include "tools/base/error.h"

namespace clmnet::nets {
namespace {

namespace fs = std::filesystem;

/// Plain bytes; without the fsync of AtomicFile hundreds of broken files take no time.
void put(const fs::path& path, const std::string& bytes) {
  std::ofstream(path, std::ios::binary | std::ios::trunc) << bytes;
}

class SafetensorsTest : public ::testing::Test {
 protected:
  void SetUp() override {
    folder_ = fs::temp_directory_path() / ("clmnet_safetensors_" + std::to_string(::getpid()));
    fs::create_directories(folder_);
    path_ = folder_ / "net.safetensors";
  }
  void TearDown() override { fs::remove_all(folder_); }

  /// A file of a header as given and `data_bytes` zero bytes.
  void write(const std::string& header, std::size_t data_bytes) {
    std::string bytes(8, '\0');
    for (int i = 0; i < 8; ++i) bytes[static_cast<std::size_t>(i)] = static_cast<char>(header.size() >> (8 * i));
    put(path_, bytes + header + std::string(data_bytes, '\0'));
  }

  void expect_refused(const std::string& part) {
    try {
      load_safetensors(path_);
      ADD_FAILURE() << "was taken; expected: " << part;
    } catch (const InputError& error) {
      EXPECT_NE(std::string(error.what()).find(part), std::string::npos) << error.what();
      EXPECT_EQ(std::string(error.what()).find(path_.string() + ": "), 0u) << error.what();
    }
  }

  void expect_refused(const std::string& header, std::size_t data_bytes, const std::string& part) {
    write(header, data_bytes);
    expect_refused(part);
  }

  fs::path folder_, path_;
};

TEST_F(SafetensorsTest, EveryTypeComesBack) {
  NamedTensors tensors;
  for (const auto type : {torch::kFloat64, torch::kFloat32, torch::kFloat16, torch::kBFloat16, torch::kInt64,
                          torch::kInt32, torch::kInt16, torch::kInt8, torch::kUInt8, torch::kBool}) {
    tensors.emplace_back(torch::toString(type), torch::tensor({0, 1, 1, 0, 1, 1}).view({2, 3}).to(type));
  }
  save_safetensors(path_, tensors, {{"format", "pt"}, {"net", "vgg16"}});
  const Safetensors file = load_safetensors(path_);
  EXPECT_EQ(file.metadata.at("net"), "vgg16");
  ASSERT_EQ(file.tensors.size(), tensors.size());
  for (const auto& [name, tensor] : file.tensors) {
    EXPECT_EQ(torch::toString(tensor.scalar_type()), name);
    EXPECT_TRUE(torch::equal(tensor.to(torch::kInt32), torch::tensor({{0, 1, 1}, {0, 1, 1}}, torch::kInt32))) << name;
  }
}

// Worked out by hand: two F32 and a scalar I64, which comes first since its elements are larger.
TEST_F(SafetensorsTest, BytesAreThoseOfTheFormat) {
  save_safetensors(path_, {{"a", torch::tensor({1.0f, -2.0f})}, {"n", torch::tensor(std::int64_t{3})}}, {{"k", "v"}});
  std::string header =
      R"({"__metadata__":{"k":"v"},"n":{"dtype":"I64","shape":[],"data_offsets":[0,8]},)"
      R"("a":{"dtype":"F32","shape":[2],"data_offsets":[8,16]}})";
  header.append((8 - header.size() % 8) % 8, ' ');
  std::string expected(1, static_cast<char>(header.size()));
  expected += std::string(7, '\0') + header;
  expected += std::string("\x03\0\0\0\0\0\0\0", 8) + std::string("\0\0\x80\x3f\0\0\0\xc0", 8);
  EXPECT_EQ(read_whole_file(path_), expected);
}

TEST_F(SafetensorsTest, EqualInputGivesEqualBytes) {
  const NamedTensors tensors = {{"b", torch::arange(7.0)}, {"a", torch::arange(5)}};
  save_safetensors(path_, tensors, {{"z", "1"}, {"a", "2"}});
  const std::string first = read_whole_file(path_);
  save_safetensors(path_, tensors, {{"a", "2"}, {"z", "1"}});
  EXPECT_EQ(read_whole_file(path_), first);
}

TEST_F(SafetensorsTest, HalfPrecisionKeepsIntegersAndWhatDoesNotFit) {
  save_safetensors(path_,
                   {{"w", torch::tensor({0.5f, 1.0f})},
                    {"big", torch::tensor({1e5f})},
                    {"bn.num_batches_tracked", torch::tensor(std::int64_t{70000})}},
                   {}, FloatStorage::kFloat16);
  for (const auto& [name, tensor] : load_safetensors(path_).tensors) {
    if (name == "w") {
      EXPECT_EQ(tensor.scalar_type(), torch::kFloat16);
    } else if (name == "big") {
      EXPECT_EQ(tensor.item<float>(), 1e5f);
    } else {
      EXPECT_EQ(tensor.item<std::int64_t>(), 70000);
    }
  }
}

TEST_F(SafetensorsTest, StridesDoNotReachTheFile) {
  const torch::Tensor transposed = torch::arange(6.0f).view({2, 3}).t();
  save_safetensors(path_, {{"t", transposed}});
  EXPECT_TRUE(torch::equal(load_safetensors(path_).tensors[0].second, transposed));
}

TEST_F(SafetensorsTest, EmptyTensorsAndNoTensors) {
  save_safetensors(path_, {{"none", torch::empty({0, 4})}, {"x", torch::ones({1})}});
  EXPECT_EQ(load_safetensors(path_).tensors.size(), 2u);
  save_safetensors(path_, {});
  EXPECT_TRUE(load_safetensors(path_).tensors.empty());
}

TEST_F(SafetensorsTest, FileMissing) { expect_refused("no such file"); }

TEST_F(SafetensorsTest, FolderInPlaceOfAFile) {
  fs::create_directory(path_);
  expect_refused("no such file");
}

TEST_F(SafetensorsTest, FileEmpty) {
  put(path_, "");
  expect_refused("has 0 bytes");
}

TEST_F(SafetensorsTest, HeaderLongerThanTheFile) {
  put(path_, std::string("\x40\0\0\0\0\0\0\0{}", 10));
  expect_refused("says its header has 64 bytes");
}

TEST_F(SafetensorsTest, HeaderLengthBeyondAnyMemory) {
  put(path_, std::string(16, '\xff'));
  expect_refused("says its header has 18446744073709551615 bytes");
}

TEST_F(SafetensorsTest, AFileOfAnotherKind) {
  put(path_, "PK\x03\x04 this is a zip archive, as torch.save writes it");
  expect_refused("says its header has");
}

TEST_F(SafetensorsTest, HeaderIsNotJson) { expect_refused("{\"a\":", 0, "the header is not JSON"); }
TEST_F(SafetensorsTest, HeaderIsAnArray) { expect_refused("[1,2]", 0, "not a JSON object"); }
TEST_F(SafetensorsTest, HeaderEmpty) { expect_refused("", 0, "the header is not JSON"); }

TEST_F(SafetensorsTest, HeaderNestedDeeply) {
  expect_refused(std::string(200000, '['), 0, "the header is not JSON");
  const std::string deep = std::string(100000, '[') + std::string(100000, ']');
  expect_refused("{\"a\":{\"dtype\":\"U8\",\"shape\":[" + deep + "],\"data_offsets\":[0,0]}}", 0, "holds array");
}

TEST_F(SafetensorsTest, NameTwice) {
  const std::string entry = R"("a":{"dtype":"U8","shape":[1],"data_offsets":[0,1]})";
  expect_refused("{" + entry + "," + entry + "}", 1, "names 'a' twice");
}

TEST_F(SafetensorsTest, MetadataOtherThanText) {
  expect_refused(R"({"__metadata__":{"k":1}})", 0, "__metadata__ 'k' is not a text");
  expect_refused(R"({"__metadata__":[]})", 0, "__metadata__ is not an object");
}

TEST_F(SafetensorsTest, EntryWithoutItsParts) {
  expect_refused(R"({"a":{"dtype":"U8","shape":[1]}})", 1, "lacks dtype, shape or data_offsets");
  expect_refused(R"({"a":3})", 1, "lacks dtype, shape or data_offsets");
}

TEST_F(SafetensorsTest, TypeUnknown) {
  expect_refused(R"({"a":{"dtype":"F8_E4M3","shape":[1],"data_offsets":[0,1]}})", 1, "has dtype 'F8_E4M3'");
}

TEST_F(SafetensorsTest, ShapeNegativeOrBroken) {
  expect_refused(R"({"a":{"dtype":"U8","shape":[-1],"data_offsets":[0,1]}})", 1, "not a whole number");
  expect_refused(R"({"a":{"dtype":"U8","shape":[1.5],"data_offsets":[0,1]}})", 1, "not a whole number");
}

TEST_F(SafetensorsTest, ShapeWhoseProductOverflows) {
  // 2^32 * 2^32 * 1 byte is 0 modulo 2^64 and would fit an empty range.
  expect_refused(R"({"a":{"dtype":"U8","shape":[4294967296,4294967296],"data_offsets":[0,0]}})", 0, "has 0 bytes");
  expect_refused(R"({"a":{"dtype":"U8","shape":[18446744073709551615],"data_offsets":[0,0]}})", 0, "larger than any");
}

TEST_F(SafetensorsTest, TooManyDimensions) {
  expect_refused(R"({"a":{"dtype":"U8","shape":[1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1],"data_offsets":[0,1]}})", 1,
                 "has 17 dimensions");
}

TEST_F(SafetensorsTest, ShapeAndBytesDisagree) {
  expect_refused(R"({"a":{"dtype":"F32","shape":[2],"data_offsets":[0,4]}})", 4,
                 "of shape [2] and type F32 has 4 bytes");
}

TEST_F(SafetensorsTest, OffsetsOutsideTheFile) {
  expect_refused(R"({"a":{"dtype":"U8","shape":[9],"data_offsets":[0,9]}})", 8, "lies at bytes 0 to 9 of 8");
}

TEST_F(SafetensorsTest, OffsetsReversed) {
  expect_refused(R"({"a":{"dtype":"U8","shape":[1],"data_offsets":[2,1]}})", 8, "lies at bytes 2 to 1");
}

TEST_F(SafetensorsTest, OffsetsOfAnotherCount) {
  expect_refused(R"({"a":{"dtype":"U8","shape":[1],"data_offsets":[0,1,2]}})", 8, "holds 3 numbers, not 2");
}

TEST_F(SafetensorsTest, TensorsOverlap) {
  expect_refused(R"({"a":{"dtype":"U8","shape":[2],"data_offsets":[0,2]},)"
                 R"("b":{"dtype":"U8","shape":[2],"data_offsets":[1,3]}})",
                 3, "begins at byte 1, the one before ends at 2");
}

TEST_F(SafetensorsTest, GapBetweenTensors) {
  expect_refused(R"({"a":{"dtype":"U8","shape":[1],"data_offsets":[0,1]},)"
                 R"("b":{"dtype":"U8","shape":[1],"data_offsets":[2,3]}})",
                 3, "begins at byte 2, the one before ends at 1");
}

TEST_F(SafetensorsTest, BytesBehindTheLastTensor) {
  expect_refused(R"({"a":{"dtype":"U8","shape":[1],"data_offsets":[0,1]}})", 2, "have 1 bytes, the file holds 2");
}

TEST_F(SafetensorsTest, BoolNeitherTrueNorFalse) {
  save_safetensors(path_, {{"flag", torch::tensor({true})}});
  std::string bytes = read_whole_file(path_);
  bytes.back() = 2;
  put(path_, bytes);
  expect_refused("holds a byte other than 0 and 1");
}

// Every prefix of a good file is refused, none crashes.
TEST_F(SafetensorsTest, EveryTruncationIsRefused) {
  save_safetensors(path_, {{"a", torch::arange(3.0f)}, {"b", torch::ones({2}, torch::kInt64)}}, {{"k", "v"}});
  const std::string whole = read_whole_file(path_);
  for (std::size_t size = 0; size < whole.size(); ++size) {
    put(path_, whole.substr(0, size));
    EXPECT_THROW(load_safetensors(path_), InputError) << size;
  }
}

// Any one byte of the header changed: refused or read as something else, never a crash.
TEST_F(SafetensorsTest, FlippedHeaderBytesNeverCrash) {
  save_safetensors(path_, {{"a", torch::arange(3.0f)}});
  const std::string whole = read_whole_file(path_);
  int refused = 0;
  for (std::size_t i = 0; i + 12 < whole.size(); ++i) {
    for (const int flip : {1, 16, 128}) {
      std::string bytes = whole;
      bytes[i] = static_cast<char>(bytes[i] ^ flip);
      put(path_, bytes);
      try {
        load_safetensors(path_);
      } catch (const InputError&) {
        ++refused;
      }
    }
  }
  EXPECT_GT(refused, 100);
}

TEST_F(SafetensorsTest, WritingIntoNoFolder) {
  EXPECT_THROW(save_safetensors(folder_ / "missing" / "net.safetensors", {}), InputError);
}

TEST_F(SafetensorsTest, WritingWhatTheFormatLacks) {
  EXPECT_THROW(save_safetensors(path_, {{"c", torch::ones({1}, torch::kComplexFloat)}}), std::invalid_argument);
  EXPECT_THROW(save_safetensors(path_, {{"a", torch::ones({1})}, {"a", torch::ones({1})}}), std::invalid_argument);
  EXPECT_THROW(save_safetensors(path_, {{"__metadata__", torch::ones({1})}}), std::invalid_argument);
  EXPECT_FALSE(fs::exists(path_));
}

}  // namespace
}  // namespace clmnet::nets
