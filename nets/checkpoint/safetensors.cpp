#include "nets/checkpoint/safetensors.h"

#include <algorithm>
#include <array>
#include <bit>
#include <cerrno>
#include <cstring>
#include <fstream>
#include <optional>
#include <set>
#include <stdexcept>

#include <nlohmann/json.hpp>

#include "tools/base/atomic_writer.h"
#include "tools/base/error.h"

namespace clmnet::nets {
namespace {

using json = nlohmann::json;
static_assert(std::endian::native == std::endian::little, "safetensors is little-endian");

constexpr std::uint64_t kMaxHeaderBytes = 100ull << 20;
constexpr std::size_t kMaxDimensions = 16;
constexpr const char* kMetadata = "__metadata__";

struct TypeName {
  const char* name;
  torch::ScalarType type;
};
constexpr std::array<TypeName, 10> kTypes = {{{"F64", torch::kFloat64},
                                              {"F32", torch::kFloat32},
                                              {"F16", torch::kFloat16},
                                              {"BF16", torch::kBFloat16},
                                              {"I64", torch::kInt64},
                                              {"I32", torch::kInt32},
                                              {"I16", torch::kInt16},
                                              {"I8", torch::kInt8},
                                              {"U8", torch::kUInt8},
                                              {"BOOL", torch::kBool}}};

std::optional<torch::ScalarType> type_of(const std::string& name) {
  for (const TypeName& entry : kTypes) {
    if (name == entry.name) return entry.type;
  }
  return std::nullopt;
}

const char* name_of(torch::ScalarType type) {
  for (const TypeName& entry : kTypes) {
    if (entry.type == type) return entry.name;
  }
  return nullptr;
}

/// One tensor of the header; offsets count from the first byte after it.
struct Entry {
  std::string name;
  torch::ScalarType type = torch::kFloat32;
  std::vector<std::int64_t> shape;
  std::uint64_t begin = 0, end = 0;
};

[[noreturn]] void refuse(const std::string& where, const std::string& found) {
  throw InputError(where + ": " + found + "; expected a whole safetensors file");
}

std::uint64_t unsigned_of(const json& value, const std::string& where, const std::string& what) {
  if (!value.is_number_unsigned()) refuse(where, what + " holds " + value.type_name() + ", not a whole number >= 0");
  return value.get<std::uint64_t>();
}

/// Bytes of a shape, or empty where the product leaves 63 bits.
std::optional<std::uint64_t> bytes_of(const std::vector<std::int64_t>& shape, std::uint64_t element) {
  std::uint64_t bytes = element;
  for (const std::int64_t size : shape) {
    if (__builtin_mul_overflow(bytes, static_cast<std::uint64_t>(size), &bytes) || bytes >> 62) return std::nullopt;
  }
  return bytes;
}

Entry parse_entry(const std::string& name, const json& value, std::uint64_t data_bytes, const std::string& where) {
  const std::string tensor = "tensor '" + name + "'";
  if (!value.is_object() || !value.contains("dtype") || !value.contains("shape") || !value.contains("data_offsets") ||
      !value["dtype"].is_string() || !value["shape"].is_array() || !value["data_offsets"].is_array()) {
    refuse(where, tensor + " lacks dtype, shape or data_offsets");
  }
  Entry entry;
  entry.name = name;
  const auto type_name = value["dtype"].get<std::string>();
  const auto type = type_of(type_name);
  if (!type) {
    throw InputError(where + ": " + tensor + " has dtype '" + type_name.substr(0, 20) +
                     "'; expected one of F64 F32 F16 BF16 I64 I32 I16 I8 U8 BOOL");
  }
  entry.type = *type;
  if (value["shape"].size() > kMaxDimensions) {
    refuse(where, tensor + " has " + std::to_string(value["shape"].size()) + " dimensions, more than 16");
  }
  for (const json& size : value["shape"]) {
    const std::uint64_t extent = unsigned_of(size, where, "shape of " + tensor);
    if (extent >> 62) refuse(where, "shape of " + tensor + " is larger than any memory");
    entry.shape.push_back(static_cast<std::int64_t>(extent));
  }
  const json& offsets = value["data_offsets"];
  if (offsets.size() != 2) {
    refuse(where, "data_offsets of " + tensor + " holds " + std::to_string(offsets.size()) + " numbers, not 2");
  }
  entry.begin = unsigned_of(offsets[0], where, "data_offsets of " + tensor);
  entry.end = unsigned_of(offsets[1], where, "data_offsets of " + tensor);
  if (entry.begin > entry.end || entry.end > data_bytes) {
    refuse(where, tensor + " lies at bytes " + std::to_string(entry.begin) + " to " + std::to_string(entry.end) +
                      " of " + std::to_string(data_bytes));
  }
  const auto bytes = bytes_of(entry.shape, torch::elementSize(entry.type));
  if (!bytes || *bytes != entry.end - entry.begin) {
    refuse(where, tensor + " of shape " + shape_text(entry.shape) + " and type " + type_name + " has " +
                      std::to_string(entry.end - entry.begin) + " bytes");
  }
  return entry;
}

/// The header as JSON; a name that stands twice at any level is refused, since which one counts would be a guess.
json parse_header(const std::string& text, const std::string& where) {
  std::vector<std::set<std::string>> open;
  std::string twice;
  const auto watch = [&](int, json::parse_event_t event, json& value) {
    if (event == json::parse_event_t::object_start) open.emplace_back();
    if (event == json::parse_event_t::object_end && !open.empty()) open.pop_back();
    if (event == json::parse_event_t::key && !open.empty() && !open.back().insert(value.get<std::string>()).second) {
      twice = value.get<std::string>();
    }
    return true;
  };
  json header;
  try {
    header = json::parse(text, watch);
  } catch (const json::exception& error) {
    refuse(where, std::string("the header is not JSON (") + error.what() + ")");
  }
  if (!twice.empty()) refuse(where, "the header names '" + twice + "' twice");
  if (!header.is_object()) refuse(where, "the header is not a JSON object");
  return header;
}

std::map<std::string, std::string> parse_metadata(const json& value, const std::string& where) {
  if (!value.is_object()) refuse(where, "__metadata__ is not an object");
  std::map<std::string, std::string> metadata;
  for (const auto& [key, text] : value.items()) {
    if (!text.is_string()) refuse(where, "__metadata__ '" + key + "' is not a text");
    metadata.emplace(key, text.get<std::string>());
  }
  return metadata;
}

torch::Tensor read_tensor(std::ifstream& in, const Entry& entry, const std::string& where) {
  torch::Tensor tensor = torch::empty(entry.shape, torch::TensorOptions().dtype(entry.type));
  const auto bytes = static_cast<std::streamsize>(entry.end - entry.begin);
  auto* data = static_cast<char*>(tensor.data_ptr());
  if (bytes > 0 && !in.read(data, bytes)) {
    refuse(where, "reading tensor '" + entry.name + "' failed: " + std::strerror(errno));
  }
  // A bool that is neither 0 nor 1 is undefined behaviour in C++.
  if (entry.type == torch::kBool && std::any_of(data, data + bytes, [](char c) { return c != 0 && c != 1; })) {
    refuse(where, "tensor '" + entry.name + "' of type BOOL holds a byte other than 0 and 1");
  }
  return tensor;
}

}  // namespace

Safetensors load_safetensors(const std::filesystem::path& path) {
  const std::string where = path.string();
  std::error_code error;
  if (!std::filesystem::is_regular_file(path, error)) {
    throw InputError(where + ": no such file; expected a safetensors file");
  }
  const std::uint64_t file_bytes = std::filesystem::file_size(path);
  std::ifstream in(path, std::ios::binary);
  if (!in) throw InputError(where + ": cannot be read: " + std::strerror(errno));
  std::uint64_t header_bytes = 0;
  if (file_bytes < 8 || !in.read(reinterpret_cast<char*>(&header_bytes), 8)) {
    refuse(where, "has " + std::to_string(file_bytes) + " bytes");
  }
  if (header_bytes > kMaxHeaderBytes || header_bytes > file_bytes - 8) {
    refuse(where, "says its header has " + std::to_string(header_bytes) + " bytes, the file has " +
                      std::to_string(file_bytes));
  }
  std::string text(header_bytes, '\0');
  if (!in.read(text.data(), static_cast<std::streamsize>(header_bytes))) refuse(where, "the header cannot be read");
  const json header = parse_header(text, where);
  const std::uint64_t data_bytes = file_bytes - 8 - header_bytes;

  Safetensors file;
  std::vector<Entry> entries;
  for (const auto& [name, value] : header.items()) {
    if (name == kMetadata) {
      file.metadata = parse_metadata(value, where);
    } else {
      entries.push_back(parse_entry(name, value, data_bytes, where));
    }
  }
  // Without gaps, overlaps and a tail every byte belongs to one tensor, so nothing can hide and reading is one pass.
  std::stable_sort(entries.begin(), entries.end(), [](const Entry& a, const Entry& b) {
    return a.begin != b.begin ? a.begin < b.begin : a.end < b.end;
  });
  std::uint64_t expected = 0;
  for (const Entry& entry : entries) {
    if (entry.begin != expected) {
      refuse(where, "tensor '" + entry.name + "' begins at byte " + std::to_string(entry.begin) +
                        ", the one before ends at " + std::to_string(expected));
    }
    expected = entry.end;
  }
  if (expected != data_bytes) {
    refuse(where, "its tensors have " + std::to_string(expected) + " bytes, the file holds " +
                      std::to_string(data_bytes));
  }
  for (const Entry& entry : entries) file.tensors.emplace_back(entry.name, read_tensor(in, entry, where));
  return file;
}

namespace {

torch::Tensor as_stored(const torch::Tensor& tensor, FloatStorage storage) {
  torch::Tensor plain = tensor.detach().to(torch::kCPU).contiguous();
  if (storage == FloatStorage::kFloat16 && plain.is_floating_point()) {
    const torch::Tensor half = plain.to(torch::kFloat16);
    if (torch::equal(torch::isfinite(half), torch::isfinite(plain))) return half;
  }
  return plain;
}

NamedTensors in_file_order(const NamedTensors& tensors, FloatStorage storage) {
  std::set<std::string> names;
  NamedTensors stored;
  for (const auto& [name, tensor] : tensors) {
    if (name == kMetadata || !names.insert(name).second) {
      throw std::invalid_argument("safetensors: name '" + name + "' stands twice or is reserved");
    }
    if (!tensor.defined() || name_of(tensor.scalar_type()) == nullptr) {
      throw std::invalid_argument("safetensors: '" + name + "' has a type the format lacks");
    }
    stored.emplace_back(name, as_stored(tensor, storage));
  }
  std::stable_sort(stored.begin(), stored.end(), [](const auto& a, const auto& b) {
    return a.second.element_size() > b.second.element_size();
  });
  return stored;
}

std::string header_of(const NamedTensors& stored, const std::map<std::string, std::string>& metadata) {
  nlohmann::ordered_json header = nlohmann::ordered_json::object();
  if (!metadata.empty()) header[kMetadata] = metadata;
  std::uint64_t offset = 0;
  for (const auto& [name, tensor] : stored) {
    header[name] = {{"dtype", name_of(tensor.scalar_type())},
                    {"shape", tensor.sizes().vec()},
                    {"data_offsets", {offset, offset + tensor.nbytes()}}};
    offset += tensor.nbytes();
  }
  std::string text = header.dump();
  text.append((8 - text.size() % 8) % 8, ' ');  // the data begins at a multiple of 8
  return text;
}

}  // namespace

void save_safetensors(const std::filesystem::path& path, const NamedTensors& tensors,
                      const std::map<std::string, std::string>& metadata, FloatStorage storage) {
  const NamedTensors stored = in_file_order(tensors, storage);
  const std::string header = header_of(stored, metadata);
  const std::uint64_t header_bytes = header.size();
  AtomicWriter file(path);
  file.add(&header_bytes, 8);
  file.add(header.data(), header.size());
  for (const auto& [name, tensor] : stored) file.add(tensor.data_ptr(), tensor.nbytes());
  file.commit();
}

}  // namespace clmnet::nets
