#include "nets/checkpoint/torch_pth.h"

#include <unistd.h>

#include <cstring>
#include <filesystem>
#include <fstream>

#include <gtest/gtest.h>

#include "tools/base/atomic_file.h"
#include "tools/base/error.h"

namespace clmnet::nets {
namespace {

namespace fs = std::filesystem;
using namespace std::string_literals;

std::string little(std::uint64_t value, int bytes) {
  std::string text;
  for (int i = 0; i < bytes; ++i) text += static_cast<char>(value >> (8 * i));
  return text;
}

/// A zip file of stored entries, written by the APPNOTE by hand; `zip64` moves sizes and offsets to the extra field.
struct ZipBytes {
  std::string body, directory;
  int count = 0;
  bool zip64 = false;
  int method = 0;

  void add(const std::string& name, const std::string& data) {
    const std::uint64_t offset = body.size();
    body += "PK\x03\x04"s + little(20, 2) + little(0, 2) + little(static_cast<std::uint64_t>(method), 2) + little(0, 8);
    body += little(data.size(), 4) + little(data.size(), 4) + little(name.size(), 2) + little(4, 2) + name;
    body += "FB\0\0"s + data;  // torch pads with such a field
    std::string extra;
    if (zip64) {
      extra = little(1, 2) + little(24, 2) + little(data.size(), 8) + little(data.size(), 8) + little(offset, 8);
    }
    directory += "PK\x01\x02"s + little(20, 2) + little(20, 2) + little(0, 2);
    directory += little(static_cast<std::uint64_t>(method), 2) + little(0, 8);
    const std::uint64_t size = zip64 ? 0xffffffff : data.size();
    directory += little(size, 4) + little(size, 4) + little(name.size(), 2) + little(extra.size(), 2) + little(0, 10);
    directory += little(zip64 ? 0xffffffff : offset, 4) + name + extra;
    ++count;
  }

  std::string finish() const {
    std::string end;
    const auto n = static_cast<std::uint64_t>(count);
    if (zip64) {
      end = "PK\x06\x06"s + little(44, 8) + little(45, 2) + little(45, 2) + little(0, 8) + little(n, 8) + little(n, 8);
      end += little(directory.size(), 8) + little(body.size(), 8);
      end += "PK\x06\x07"s + little(0, 4) + little(body.size() + directory.size(), 8) + little(1, 4);
    }
    end += "PK\x05\x06"s + little(0, 4) + little(zip64 ? 0xffff : n, 2) + little(zip64 ? 0xffff : n, 2);
    end += little(zip64 ? 0xffffffff : directory.size(), 4) + little(zip64 ? 0xffffffff : body.size(), 4);
    end += little(0, 2);
    return body + directory + end;
  }
};

std::string from_hex(const std::string& hex) {
  std::string bytes;
  for (std::size_t i = 0; i < hex.size(); i += 2) {
    bytes += static_cast<char>(std::stoi(hex.substr(i, 2), nullptr, 16));
  }
  return bytes;
}

// {'epoch': 3, 'state_dict': OrderedDict of conv.weight [2,2] float and bn.num_batches_tracked [] int64, with _metadata,
// 'best': 0.5, 'args': None, 'names': ['a', 'b']} as CPython's pickler writes it for torch.save, protocol 2.
const std::string kPythonPickle = from_hex(
    "80027d710028580500000065706f636871014b03580a00000073746174655f64696374710263636f6c6c656374696f6e730a4f7264657265"
    "64446963740a71032952710428580b000000636f6e762e776569676874710563746f7263682e5f7574696c730a5f72656275696c645f7465"
    "6e736f725f76320a71062828580700000073746f72616765710763746f7263680a466c6f617453746f726167650a71085801000000307109"
    "5803000000637075710a4b0474710b514b004b024b0286710c4b024b0186710d8968032952710e74710f5271105816000000626e2e6e756d"
    "5f626174636865735f747261636b6564711168062828680763746f7263680a4c6f6e6753746f726167650a71125801000000317113680a4b"
    "01747114514b00292989680329527115747116527117757d711858090000005f6d65746164617461711968032952711a5800000000711b7d"
    "711c580700000076657273696f6e711d4b0173737362580400000062657374711e473fe0000000000000580400000061726773711f4e5805"
    "0000006e616d657371205d7121285801000000617122580100000062712365752e");

std::string floats(std::initializer_list<float> values) {
  std::string bytes(values.size() * 4, '\0');
  std::memcpy(bytes.data(), values.begin(), bytes.size());
  return bytes;
}

class TorchPthTest : public ::testing::Test {
 protected:
  void SetUp() override {
    folder_ = fs::temp_directory_path() / ("clmnet_pth_" + std::to_string(::getpid()));
    fs::create_directories(folder_);
    path_ = folder_ / "net.pth";
  }
  void TearDown() override { fs::remove_all(folder_); }

  void put(const std::string& bytes) { std::ofstream(path_, std::ios::binary | std::ios::trunc) << bytes; }

  /// A checkpoint of this pickle, with storage "0" of four floats and "1" of one int64.
  void put_pickle(const std::string& pickle) { put(archive(pickle).finish()); }

  static ZipBytes archive(const std::string& pickle, bool zip64 = false) {
    ZipBytes zip;
    zip.zip64 = zip64;
    zip.add("net/data.pkl", pickle);
    zip.add("net/byteorder", "little");
    zip.add("net/data/0", floats({1, 2, 3, 4}));
    zip.add("net/data/1", little(7, 8));
    zip.add("net/version", "3\n");
    return zip;
  }

  void expect_refused(const std::string& part) {
    try {
      load_torch_pth(path_);
      ADD_FAILURE() << "was taken; expected: " << part;
    } catch (const InputError& error) {
      EXPECT_NE(std::string(error.what()).find(part), std::string::npos) << error.what();
      EXPECT_EQ(std::string(error.what()).find(path_.string() + ": "), 0u) << error.what();
    }
  }

  void expect_pickle_refused(const std::string& pickle, const std::string& part) {
    put_pickle(pickle);
    expect_refused(part);
  }

  fs::path folder_, path_;
};

// Parts of pickles by hand.
const std::string kProto = "\x80\x02";
std::string text(const std::string& value) { return "X" + little(value.size(), 4) + value; }
std::string storage(const std::string& type, const std::string& key, int elements) {
  return "(" + text("storage") + "ctorch\n" + type + "\n" + text(key) + text("cpu") + "M" +
         little(static_cast<std::uint64_t>(elements), 2) + "tQ";
}
/// One tensor named "w"; size and stride are the bytes of whole tuples.
std::string one_tensor(const std::string& from, const std::string& offset, const std::string& size,
                       const std::string& stride) {
  return kProto + "}" + text("w") + "ctorch._utils\n_rebuild_tensor_v2\n(" + from + offset + size + stride + "\x89}tRs.";
}
const std::string kFour = "K\x04\x85", kOne = "K\x01\x85", kZero("K\0", 2);

TEST_F(TorchPthTest, CheckpointOfPythonWithNestedStateDict) {
  for (const bool zip64 : {false, true}) {
    put(archive(kPythonPickle, zip64).finish());
    const NamedTensors tensors = load_torch_pth(path_);
    ASSERT_EQ(tensors.size(), 2u);
    EXPECT_EQ(tensors[0].first, "conv.weight");
    EXPECT_TRUE(torch::equal(tensors[0].second, torch::tensor({{1.f, 2.f}, {3.f, 4.f}})));
    EXPECT_EQ(tensors[1].first, "bn.num_batches_tracked");
    EXPECT_EQ(tensors[1].second.dim(), 0);
    EXPECT_EQ(tensors[1].second.item<std::int64_t>(), 7);
  }
}

TEST_F(TorchPthTest, WhatLibTorchWrites) {
  c10::Dict<std::string, torch::Tensor> dict;
  const torch::Tensor base = torch::arange(12.0f).view({3, 4});
  dict.insert("b", base.t());
  dict.insert("a", base.slice(0, 1, 2));
  dict.insert("n", torch::tensor(std::int64_t{5}));
  dict.insert("half", torch::tensor({0.5f, -2.0f}).to(torch::kFloat16));
  const std::vector<char> bytes = torch::pickle_save(dict);
  put(std::string(bytes.begin(), bytes.end()));
  const NamedTensors tensors = load_torch_pth(path_);
  ASSERT_EQ(tensors.size(), 4u);
  for (const auto& [name, tensor] : tensors) {
    EXPECT_TRUE(torch::equal(tensor, dict.at(name))) << name;
    EXPECT_TRUE(tensor.is_contiguous());
  }
}

TEST_F(TorchPthTest, ParameterAndDataParallelPrefix) {
  const std::string tensor = "ctorch._utils\n_rebuild_tensor_v2\n(" + storage("FloatStorage", "0", 4) + kZero +
                             kFour + kOne + "\x89}tR";
  put_pickle(kProto + "}" + text("module.w") + "ctorch._utils\n_rebuild_parameter\n(" + tensor + "\x88}tRs.");
  const NamedTensors tensors = load_torch_pth(path_);
  ASSERT_EQ(tensors.size(), 1u);
  EXPECT_EQ(tensors[0].first, "w");
}

TEST_F(TorchPthTest, StridedViewBecomesContiguous) {
  put_pickle(one_tensor(storage("FloatStorage", "0", 4), "K\x01", "K\x02\x85", "K\x02\x85"));
  EXPECT_TRUE(torch::equal(load_torch_pth(path_)[0].second, torch::tensor({2.f, 4.f})));
}

TEST_F(TorchPthTest, PickleThatWouldRunACommand) {
  expect_pickle_refused(kProto + "cos\nsystem\n" + text("touch pwned") + "\x85R.", "asks for 'os.system'");
  expect_pickle_refused(kProto + "cbuiltins\neval\n" + text("1") + "\x85R.", "asks for 'builtins.eval'");
  expect_pickle_refused("\x80\x04" + text("posix") + text("system") + "\x93.", "asks for 'posix.system'");
  expect_pickle_refused(kProto + "cargparse\nNamespace\n)R}b.", "asks for 'argparse.Namespace'");
}

TEST_F(TorchPthTest, OpcodesThatDataDoesNotNeed) {
  expect_pickle_refused(kProto + "(ios\nsystem\n.", "holds opcode 105");
  expect_pickle_refused(kProto + "}\x82\x01.", "holds opcode 130");
  expect_pickle_refused("\x80\x02}\x81.", "holds opcode 129");
  expect_pickle_refused("I1\n.", "holds opcode 73");
  expect_pickle_refused("\x80\x01}.", "has protocol 1");
}

TEST_F(TorchPthTest, StackMisused) {
  expect_pickle_refused(kProto + "t.", "lacks a mark");
  expect_pickle_refused(kProto + "\x86.", "takes from an empty stack");
  expect_pickle_refused(kProto + "}(K\x01u.", "key without a value");
  expect_pickle_refused(kProto + "K\x01K\x02" + "a.", "adds to something that is no list");
  expect_pickle_refused(kProto + ".", "ends with 0 values");
  expect_pickle_refused(kProto + "K\x01K\x01.", "ends with 2 values");
  expect_pickle_refused(kProto + "}(a.", "takes from an empty stack");
  expect_pickle_refused(kProto + "q\x01.", "remembers nothing");
  expect_pickle_refused(kProto + "h\x09.", "recalls value 9");
  expect_pickle_refused(kProto + "K\x01)R.", "calls something that is no name");
  expect_pickle_refused(kProto + "K\x01}b.", "adds to something");
}

TEST_F(TorchPthTest, NumbersAndTextsCutShort) {
  expect_pickle_refused(kProto + "X\xff\xff\xff\xff" + "a", "is cut short");
  expect_pickle_refused(kProto + "J\x01", "is cut short");
  expect_pickle_refused(kProto + "ctorch", "is cut short");
  expect_pickle_refused(kProto + "\x8a\x09" + std::string(9, 'x') + ".", "whole number of 9 bytes");
  expect_pickle_refused("", "is cut short");
}

TEST_F(TorchPthTest, TensorOutsideItsStorage) {
  const std::string four = storage("FloatStorage", "0", 4);
  expect_pickle_refused(one_tensor(four, kZero, "K\x05\x85", kOne), "of shape [5] that reaches outside");
  expect_pickle_refused(one_tensor(four, "K\x01", kFour, kOne), "reaches outside");
  expect_pickle_refused(one_tensor(four, "K\x09", "K\x00\x85"s, kOne), "reaches outside");
  expect_pickle_refused(one_tensor(four, kZero, "K\x03\x85", "K\x02\x85"), "reaches outside");
  // An expanded tensor: a stride of 0 never leaves the storage, but 65535 x 65535 elements are no weight of four floats.
  expect_pickle_refused(one_tensor(four, kZero, "M\xff\xffM\xff\xff\x86", "K\x00K\x00\x86"s), "reaches outside");
}

TEST_F(TorchPthTest, TensorWhoseSizesOverflow) {
  const std::string big = "\x8a\x08" + std::string(7, '\0') + "\x40";  // 2^62
  expect_pickle_refused(one_tensor(storage("FloatStorage", "0", 4), kZero, big + big + "\x86", "K\x01K\x01\x86"),
                        "reaches outside");
  expect_pickle_refused(one_tensor(storage("FloatStorage", "0", 4), kZero, "K\x02\x85", big + "\x85"),
                        "reaches outside");
}

TEST_F(TorchPthTest, TensorOfBrokenParts) {
  const std::string four = storage("FloatStorage", "0", 4);
  expect_pickle_refused(one_tensor(four, "J\xff\xff\xff\xff", kFour, kOne), "sizes and strides of unequal number");
  expect_pickle_refused(one_tensor(four, kZero, "J\xff\xff\xff\xff\x85", kOne), "broken size");
  expect_pickle_refused(one_tensor(four, kZero, kFour, "K\x01K\x01\x86"), "unequal number");
  expect_pickle_refused(one_tensor(four, kZero, "N", kOne), "without size");
  expect_pickle_refused(one_tensor("N", kZero, kFour, kOne), "without storage");
  expect_pickle_refused(kProto + "}" + text("w") + "ctorch._utils\n_rebuild_tensor_v2\n)Rs.", "without storage");
  expect_pickle_refused(kProto + "}" + text("w") + "ctorch._utils\n_rebuild_parameter\nN\x85Rs.", "no tensor");
}

TEST_F(TorchPthTest, StorageMissingOrOfAnotherSize) {
  expect_pickle_refused(one_tensor(storage("FloatStorage", "9", 4), kZero, kFour, kOne),
                        "storage '9' is not in the file");
  expect_pickle_refused(one_tensor(storage("FloatStorage", "0", 5), kZero, kFour, kOne),
                        "has 16 bytes for 5 elements");
  expect_pickle_refused(one_tensor(storage("DoubleStorage", "0", 4), kZero, kFour, kOne),
                        "has 16 bytes for 4 elements");
  expect_pickle_refused(one_tensor(storage("ComplexFloatStorage", "0", 4), kZero, kFour, kOne),
                        "asks for 'torch.ComplexFloatStorage'");
  expect_pickle_refused(kProto + "NQ.", "a storage without its type");
}

TEST_F(TorchPthTest, NoStateDict) {
  expect_pickle_refused(kProto + "K\x01.", "holds no dict");
  expect_pickle_refused(kProto + "}.", "holds no state dict (its keys: none)");
  expect_pickle_refused(kProto + "}" + text("optimizer") + "}s.", "(its keys: 'optimizer')");
}

TEST_F(TorchPthTest, NestingWithoutEndNeedsNoStack) {
  std::string deep = kProto + ")";
  for (int i = 0; i < 300000; ++i) deep += "\x85";
  expect_pickle_refused(deep + ".", "holds no dict");
  expect_pickle_refused(kProto + "]q\x01h\x01" + "a.", "holds no dict");  // a list that holds itself
}

TEST_F(TorchPthTest, MoreValuesThanAnyNetwork) {
  expect_pickle_refused(kProto + std::string(2'000'001, 'N') + ".", "makes more than 2000000 values");
}

TEST_F(TorchPthTest, FileMissingEmptyOrOfAnotherKind) {
  expect_refused("no such file");
  put("");
  expect_refused("has 0 bytes");
  put(std::string(5000, 'x'));
  expect_refused("is not a zip file, or is cut short");
}

TEST_F(TorchPthTest, FormOfBefore16) {
  put("\x80\x02\x8a\x0a\x6c\xfc\x9c\x46\xf9\x20\x6a\xa8\x50\x19.\x80\x02M\xe9\x03.");
  expect_refused("before PyTorch 1.6");
}

TEST_F(TorchPthTest, TorchScriptProgram) {
  ZipBytes zip = archive(kPythonPickle);
  zip.add("net/constants.pkl", ").");
  put(zip.finish());
  expect_refused("is a TorchScript program");
}

TEST_F(TorchPthTest, BigEndian) {
  ZipBytes zip;
  zip.add("net/data.pkl", kPythonPickle);
  zip.add("net/byteorder", "big");
  put(zip.finish());
  expect_refused("big-endian");
}

TEST_F(TorchPthTest, ZipWithoutAPickleOrWithTwo) {
  ZipBytes none;
  none.add("net/readme.txt", "hello");
  put(none.finish());
  expect_refused("with 0 data.pkl");
  ZipBytes two = archive(kPythonPickle);
  two.add("other/data.pkl", kPythonPickle);
  put(two.finish());
  expect_refused("with 2 data.pkl");
}

TEST_F(TorchPthTest, EntryTwiceCompressedOrEncrypted) {
  ZipBytes twice = archive(kPythonPickle);
  twice.add("net/data/0", floats({1, 2, 3, 4}));
  put(twice.finish());
  expect_refused("entry 'net/data/0' stands twice");
  ZipBytes packed;
  packed.method = 8;
  packed.add("net/data.pkl", "x");
  put(packed.finish());
  expect_refused("is compressed");
  ZipBytes locked = archive(kPythonPickle);
  locked.directory[8] = 1;
  put(locked.finish());
  expect_refused("is encrypted");
}

TEST_F(TorchPthTest, DirectoryThatLeadsOutside) {
  ZipBytes zip = archive(kPythonPickle);
  zip.body.clear();
  put(zip.finish());
  EXPECT_THROW(load_torch_pth(path_), InputError);
  std::string bytes = archive(kPythonPickle).finish();
  bytes.replace(bytes.size() - 6, 4, "\xff\xff\xff\x7f");  // offset of the directory
  put(bytes);
  expect_refused("its directory lies outside the file");
  bytes = archive(kPythonPickle).finish();
  bytes.replace(bytes.size() - 12, 2, "\xff\xff");  // number of entries
  put(bytes);
  expect_refused("entries in a directory of");
}

TEST_F(TorchPthTest, EveryTruncationIsRefused) {
  for (const bool zip64 : {false, true}) {
    const std::string whole = archive(kPythonPickle, zip64).finish();
    for (std::size_t size = 0; size < whole.size(); ++size) {
      put(whole.substr(0, size));
      EXPECT_THROW(load_torch_pth(path_), InputError) << size;
    }
  }
}

// Any one byte changed: refused or read as something else, never a crash.
TEST_F(TorchPthTest, FlippedBytesNeverCrash) {
  int refused = 0;
  for (const bool zip64 : {false, true}) {
    const std::string whole = archive(kPythonPickle, zip64).finish();
    for (std::size_t i = 0; i < whole.size(); ++i) {
      for (const int flip : {1, 16, 128, 255}) {
        std::string bytes = whole;
        bytes[i] = static_cast<char>(bytes[i] ^ flip);
        put(bytes);
        try {
          load_torch_pth(path_);
        } catch (const InputError&) {
          ++refused;
        }
      }
    }
  }
  EXPECT_GT(refused, 1000);
}

}  // namespace
}  // namespace clmnet::nets
