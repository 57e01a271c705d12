#include "nets/checkpoint/torch_pth.h"

#include <array>
#include <map>
#include <optional>
#include <set>

#include "nets/checkpoint/pickle.h"
#include "nets/checkpoint/zip_reader.h"
#include "tools/base/error.h"

namespace clmnet::nets {
namespace {

using Kind = PickleValue::Kind;

constexpr std::uint64_t kMaxPickleBytes = 16ull << 20;
constexpr std::size_t kMaxPickledDimensions = 16;
constexpr const char* kRebuildTensor = "torch._utils._rebuild_tensor_v2";
constexpr const char* kRebuildParameter = "torch._utils._rebuild_parameter";
constexpr const char* kOrderedDict = "collections.OrderedDict";
constexpr const char* kTypeTag = "torch.jit._pickle.restore_type_tag";  // LibTorch's own pickle_save writes it

std::optional<torch::ScalarType> storage_type(const std::string& global) {
  static const std::map<std::string, torch::ScalarType> types = {
      {"torch.DoubleStorage", torch::kFloat64}, {"torch.FloatStorage", torch::kFloat32},
      {"torch.HalfStorage", torch::kFloat16},   {"torch.BFloat16Storage", torch::kBFloat16},
      {"torch.LongStorage", torch::kInt64},     {"torch.IntStorage", torch::kInt32},
      {"torch.ShortStorage", torch::kInt16},    {"torch.CharStorage", torch::kInt8},
      {"torch.ByteStorage", torch::kUInt8},     {"torch.BoolStorage", torch::kBool}};
  const auto found = types.find(global);
  return found == types.end() ? std::nullopt : std::optional(found->second);
}

/// Makes tensors of what the pickle says and the zip holds.
class TensorSource {
 public:
  TensorSource(ZipReader& zip, std::string prefix, std::string where, std::uint64_t file_bytes)
      : zip_(zip), prefix_(std::move(prefix)), where_(std::move(where)), budget_(file_bytes) {}

  PickleHooks hooks() {
    return {[this](const PickleValue& id, PickleValue& result) { storage(id, result); },
            [this](const std::string& global, const PickleValue* arguments, PickleValue& result) {
              arguments == nullptr ? check_known(global) : apply(global, arguments->items, result);
            }};
  }

 private:
  [[noreturn]] void refuse(const std::string& found) const {
    throw InputError(where_ + ": " + found + "; expected a state dict of tensors");
  }

  void check_known(const std::string& global) const {
    if (global == kRebuildTensor || global == kRebuildParameter || global == kOrderedDict || global == kTypeTag ||
        storage_type(global)) {
      return;
    }
    throw InputError(where_ + ": its pickle asks for '" + global.substr(0, 200) +
                     "'; a checkpoint needs tensors and dicts only, so it was not loaded; if you trust where it comes "
                     "from, save its state dict alone");
  }

  void apply(const std::string& global, const std::vector<const PickleValue*>& arguments, PickleValue& result) {
    if (global == kRebuildTensor) return rebuild_tensor(arguments, result);
    if (global == kOrderedDict) return ordered_dict(arguments, result);
    // The tensor or the typed container comes first; what follows (requires_grad, hooks, a type) is not data.
    if (global == kRebuildParameter || global == kTypeTag) {
      if (arguments.empty()) refuse("'" + global + "' without arguments");
      if (global == kRebuildParameter && !arguments[0]->is(Kind::kTensor)) refuse("a parameter that is no tensor");
      result = *arguments[0];
      return;
    }
    refuse("'" + global + "' is called");
  }

  /// OrderedDict() or OrderedDict([[key, value], ...]).
  void ordered_dict(const std::vector<const PickleValue*>& arguments, PickleValue& result) {
    result.kind = Kind::kDict;
    if (arguments.empty()) return;
    for (const PickleValue* pair : arguments[0]->items) {
      if (pair->items.size() != 2) refuse("an OrderedDict of something else than pairs");
      result.items.insert(result.items.end(), pair->items.begin(), pair->items.end());
    }
  }

  /// ("storage", torch.FloatStorage, key, device, elements)
  void storage(const PickleValue& id, PickleValue& result) {
    const auto& parts = id.items;
    if (!id.is(Kind::kTuple) || parts.size() < 5 || !parts[0]->is(Kind::kText) || parts[0]->text != "storage" ||
        !parts[1]->is(Kind::kGlobal) || !parts[2]->is(Kind::kText) || !parts[4]->is(Kind::kInt)) {
      refuse("a storage without its type, name and size");
    }
    const auto type = storage_type(parts[1]->text);
    if (!type) refuse("a storage of type '" + parts[1]->text + "'");
    result.kind = Kind::kStorage;
    torch::Tensor& loaded = storages_[parts[2]->text];
    if (!loaded.defined()) loaded = read_storage(parts[2]->text, *type, parts[4]->integer);
    if (loaded.scalar_type() != *type || loaded.numel() != parts[4]->integer) {
      refuse("storage '" + parts[2]->text + "' is used with two types or sizes");
    }
    result.tensor = loaded;
  }

  torch::Tensor read_storage(const std::string& key, torch::ScalarType type, std::int64_t elements) {
    const auto found = zip_.entries().find(prefix_ + "data/" + key);
    if (found == zip_.entries().end()) refuse("storage '" + key.substr(0, 100) + "' is not in the file");
    const ZipReader::Entry& entry = found->second;
    const std::uint64_t element = torch::elementSize(type);
    if (elements < 0 || entry.bytes % element != 0 || entry.bytes / element != static_cast<std::uint64_t>(elements)) {
      refuse("storage '" + key + "' has " + std::to_string(entry.bytes) + " bytes for " + std::to_string(elements) +
             " elements");
    }
    // Entries that share bytes could ask for many times the file's size.
    if (entry.bytes > budget_) refuse("its storages together are larger than the file");
    budget_ -= entry.bytes;
    torch::Tensor storage = torch::empty({elements}, torch::TensorOptions().dtype(type));
    zip_.read(entry, storage.data_ptr());
    if (type == torch::kBool) {
      const auto* bytes = static_cast<const std::uint8_t*>(storage.data_ptr());
      for (std::int64_t i = 0; i < elements; ++i) {
        if (bytes[i] > 1) refuse("storage '" + key + "' of truth values holds a byte other than 0 and 1");
      }
    }
    return storage;
  }

  std::vector<std::int64_t> extents(const PickleValue& value, const char* what) const {
    if (!value.is(Kind::kTuple) || value.items.size() > kMaxPickledDimensions) refuse(std::string("a tensor without ") + what);
    std::vector<std::int64_t> extents;
    for (const PickleValue* item : value.items) {
      if (!item->is(Kind::kInt) || item->integer < 0) refuse(std::string("a tensor with a broken ") + what);
      extents.push_back(item->integer);
    }
    return extents;
  }

  /// (storage, offset, size, stride, requires_grad, hooks)
  void rebuild_tensor(const std::vector<const PickleValue*>& arguments, PickleValue& result) {
    if (arguments.size() < 4 || !arguments[0]->is(Kind::kStorage) || !arguments[1]->is(Kind::kInt)) {
      refuse("a tensor without storage, offset, size and stride");
    }
    const torch::Tensor& storage = arguments[0]->tensor;
    const std::int64_t offset = arguments[1]->integer;
    const auto size = extents(*arguments[2], "size");
    const auto stride = extents(*arguments[3], "stride");
    if (size.size() != stride.size() || offset < 0) refuse("a tensor with sizes and strides of unequal number");
    std::int64_t elements = 1, last = offset;
    bool fits = offset <= storage.numel();
    for (std::size_t i = 0; i < size.size() && fits; ++i) {
      std::int64_t reach = 0;
      fits = !__builtin_mul_overflow(elements, size[i], &elements) &&
             !__builtin_mul_overflow(std::max<std::int64_t>(size[i] - 1, 0), stride[i], &reach) &&
             !__builtin_add_overflow(last, reach, &last);
    }
    // An expanded tensor (stride 0) of any size would fit a storage of one element; none is a weight.
    if (!fits || elements > storage.numel() || (elements > 0 && last >= storage.numel())) {
      refuse("a tensor of shape " + shape_text(size) + " that reaches outside its storage of " +
             std::to_string(storage.numel()) + " elements");
    }
    result.kind = Kind::kTensor;
    result.tensor = storage.as_strided(size, stride, offset);
    if (elements != storage.numel() || !result.tensor.is_contiguous()) {
      result.tensor = result.tensor.clone(torch::MemoryFormat::Contiguous);
    }
  }

  ZipReader& zip_;
  std::string prefix_, where_;
  std::uint64_t budget_;
  std::map<std::string, torch::Tensor> storages_;
};

const PickleValue* member(const PickleValue& dict, std::string_view key) {
  for (std::size_t i = 0; i + 1 < dict.items.size(); i += 2) {
    if (dict.items[i]->is(Kind::kText) && dict.items[i]->text == key) return dict.items[i + 1];
  }
  return nullptr;
}

bool holds_tensors(const PickleValue& dict) {
  for (std::size_t i = 1; i < dict.items.size(); i += 2) {
    if (dict.items[i]->is(Kind::kTensor)) return true;
  }
  return false;
}

const PickleValue& find_state_dict(const PickleValue& root, const std::string& where) {
  if (!root.is(Kind::kDict)) throw InputError(where + ": holds no dict; expected a state dict");
  if (holds_tensors(root)) return root;
  for (const char* key : {"state_dict", "model", "model_state_dict", "net", "module"}) {
    const PickleValue* inner = member(root, key);
    if (inner != nullptr && inner->is(Kind::kDict) && holds_tensors(*inner)) return *inner;
  }
  std::string keys;
  for (std::size_t i = 0; i < std::min<std::size_t>(root.items.size(), 16); i += 2) {
    if (root.items[i]->is(Kind::kText)) keys.append(keys.empty() ? "'" : ", '").append(root.items[i]->text).append("'");
  }
  throw InputError(where + ": holds no state dict (its keys: " + (keys.empty() ? "none" : keys) +
                   "); expected tensors by name, or these under 'state_dict' or 'model'");
}

NamedTensors collect(const PickleValue& dict, const std::string& where) {
  constexpr std::string_view kParallel = "module.";
  NamedTensors tensors;
  std::set<std::string> names;
  bool parallel = true;
  for (std::size_t i = 0; i + 1 < dict.items.size(); i += 2) {
    const PickleValue& key = *dict.items[i];
    if (!dict.items[i + 1]->is(Kind::kTensor)) continue;
    if (!key.is(Kind::kText)) throw InputError(where + ": a tensor whose name is no text; expected a state dict");
    if (!names.insert(key.text).second) throw InputError(where + ": '" + key.text + "' stands twice in the state dict");
    parallel = parallel && key.text.starts_with(kParallel);
    tensors.emplace_back(key.text, dict.items[i + 1]->tensor);
  }
  if (parallel) {
    for (auto& [name, tensor] : tensors) name.erase(0, kParallel.size());
  }
  return tensors;
}

/// "archive/" of "archive/data.pkl".
std::string archive_prefix(const ZipReader& zip, const std::string& where) {
  constexpr std::string_view kPickle = "data.pkl";
  std::string prefix;
  int found = 0;
  for (const auto& [name, entry] : zip.entries()) {
    if (!name.ends_with(kPickle)) continue;
    const std::string before = name.substr(0, name.size() - kPickle.size());
    if (!before.empty() && before.find('/') != before.size() - 1) continue;
    prefix = before;
    ++found;
  }
  if (found != 1) throw InputError(where + ": a zip file with " + std::to_string(found) + " data.pkl; expected one");
  if (zip.entries().contains(prefix + "constants.pkl")) {
    throw InputError(where + ": is a TorchScript program; expected a state dict");
  }
  return prefix;
}

void refuse_old_form(const std::filesystem::path& path) {
  std::ifstream in(path, std::ios::binary);
  std::array<char, 4> start{};
  if (in.read(start.data(), start.size()) && std::string_view(start.data(), 4) == "\x80\x02\x8a\x0a") {
    throw InputError(path.string() + ": is in the form of before PyTorch 1.6; expected the zip form; load and save it "
                     "once with a newer PyTorch");
  }
}

}  // namespace

NamedTensors load_torch_pth(const std::filesystem::path& path) {
  const std::string where = path.string();
  refuse_old_form(path);
  ZipReader zip(path);
  const std::string prefix = archive_prefix(zip, where);
  if (const auto order = zip.entries().find(prefix + "byteorder"); order != zip.entries().end()) {
    if (order->second.bytes != 6 || zip.read_text(order->second) != "little") {
      throw InputError(where + ": was written on a big-endian machine; expected little-endian");
    }
  }
  const ZipReader::Entry& pickle_entry = zip.entries().at(prefix + "data.pkl");
  if (pickle_entry.bytes > kMaxPickleBytes) {
    throw InputError(where + ": its pickle has " + std::to_string(pickle_entry.bytes) +
                     " bytes; expected at most 16 MiB");
  }
  const std::string pickle = zip.read_text(pickle_entry);
  TensorSource source(zip, prefix, where, std::filesystem::file_size(path));
  PickleParser parser(pickle, where, source.hooks());
  return collect(find_state_dict(parser.parse(), where), where);
}

}  // namespace clmnet::nets
