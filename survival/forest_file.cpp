#include "survival/forest_file.h"

#include <bit>
#include <cmath>
#include <cstring>
#include <limits>
#include <stdexcept>
#include <string_view>

#include <nlohmann/json.hpp>

#include "tools/base/atomic_file.h"
#include "tools/base/error.h"

namespace clmnet::survival {
namespace {

static_assert(std::endian::native == std::endian::little, "forest files are little-endian");

constexpr std::string_view kFirstLine = "clmnet forest 1\n";

template <class T>
void put(std::string& out, const T& value) {
  out.append(reinterpret_cast<const char*>(&value), sizeof value);
}

// Reads numbers off the file's body; any read past its end is damage.
class Body {
 public:
  Body(std::string_view bytes, const std::filesystem::path& path) : bytes_(bytes), path_(path) {}

  template <class T>
  T take() {
    if (bytes_.size() < sizeof(T)) throw_damaged(path_);
    T value;
    std::memcpy(&value, bytes_.data(), sizeof value);
    bytes_.remove_prefix(sizeof value);
    return value;
  }
  /// A count of things that need at least `size_each` bytes each.
  std::size_t take_count(std::size_t size_each) {
    const auto count = take<std::uint64_t>();
    if (count > bytes_.size() / size_each) throw_damaged(path_);
    return static_cast<std::size_t>(count);
  }
  bool at_end() const { return bytes_.empty(); }

 private:
  std::string_view bytes_;
  const std::filesystem::path& path_;
};

std::string body_of(const ForestFile& file) {
  std::string body;
  put(body, static_cast<std::uint64_t>(file.trees.size()));
  for (const auto& tree : file.trees) {
    put(body, static_cast<std::uint64_t>(tree.nodes.size()));
    for (const auto& node : tree.nodes) {
      put(body, node.threshold);
      put(body, node.feature);
      put(body, node.next);
    }
  }
  for (const auto& [name, lists] : file.arrays) {
    put(body, static_cast<std::uint64_t>(lists.size()));
    for (const auto& list : lists) {
      put(body, static_cast<std::uint64_t>(list.size()));
      body.append(reinterpret_cast<const char*>(list.data()), list.size() * sizeof(double));
    }
  }
  return body;
}

DecisionTree take_tree(Body& body, int features, const std::filesystem::path& path) {
  DecisionTree tree;
  tree.nodes.resize(body.take_count(16));
  if (tree.nodes.empty()) throw_damaged(path);
  const auto size = static_cast<std::int64_t>(tree.nodes.size());
  std::vector<bool> leaf_seen(tree.nodes.size(), false);
  for (std::int64_t i = 0; i < size; ++i) {
    auto& node = tree.nodes[i];
    node.threshold = body.take<double>();
    node.feature = body.take<std::int32_t>();
    node.next = body.take<std::int32_t>();
    if (node.feature >= 0) {
      const bool forward = node.next > i && node.next + std::int64_t{1} < size;
      if (!forward || node.feature >= features || !std::isfinite(node.threshold)) throw_damaged(path);
    } else {
      if (node.feature != -1 || node.next < 0 || node.next >= size || leaf_seen[node.next]) throw_damaged(path);
      leaf_seen[node.next] = true;
      ++tree.leaves;
    }
  }
  for (std::int32_t leaf = 0; leaf < tree.leaves; ++leaf) {
    if (!leaf_seen[leaf]) throw_damaged(path);
  }
  return tree;
}

}  // namespace

void throw_damaged(const std::filesystem::path& path) {
  throw InputError(path.string() + ": the forest in it is damaged; fit it again or copy the file again");
}

std::vector<std::vector<double>> ForestFile::take_array(const std::string& name, const std::filesystem::path& path) {
  const auto found = arrays.find(name);
  if (found == arrays.end()) throw_damaged(path);
  return std::move(found->second);
}

void write_forest_file(const std::filesystem::path& path, const ForestFile& file) {
  if (!file.feature_names.empty() && file.feature_names.size() != static_cast<std::size_t>(file.features)) {
    throw std::invalid_argument("write_forest_file: " + std::to_string(file.feature_names.size()) + " names for " +
                                std::to_string(file.features) + " features");
  }
  const std::string body = body_of(file);
  nlohmann::json head = {{"kind", file.kind},
                         {"training_rows", file.training_rows},
                         {"features", file.features},
                         {"classes", file.classes},
                         {"feature_names", file.feature_names},
                         {"features_per_split", file.options.features_per_split},
                         {"min_leaf", file.options.min_leaf},
                         {"min_split", file.options.min_split},
                         {"replace_constant", file.options.replace_constant},
                         {"seed", file.options.seed},
                         {"arrays", nlohmann::json::array()}};
  for (const auto& [name, lists] : file.arrays) head["arrays"].push_back(name);
  const std::string rest = head.dump() + "\n" + body;
  write_atomically(path, std::string(kFirstLine) + sha256_of(rest) + "\n" + rest);
}

ForestFile read_forest_file(const std::filesystem::path& path, const std::string& kind) {
  const std::string bytes = read_whole_file(path);
  if (!bytes.starts_with(kFirstLine)) {
    throw InputError(path.string() + ": not a forest of clmnet; its first line should be '" +
                     std::string(kFirstLine.substr(0, kFirstLine.size() - 1)) + "'");
  }
  constexpr std::size_t kDigest = 64;
  const std::size_t rest_begin = kFirstLine.size() + kDigest + 1;
  if (bytes.size() < rest_begin || bytes[rest_begin - 1] != '\n') throw_damaged(path);
  const auto rest = std::string_view(bytes).substr(rest_begin);
  if (std::string_view(bytes).substr(kFirstLine.size(), kDigest) != sha256_of(rest)) throw_damaged(path);
  const std::size_t head_end = rest.find('\n');
  if (head_end == std::string::npos) throw_damaged(path);
  const std::string_view body_bytes = rest.substr(head_end + 1);
  const auto head = nlohmann::json::parse(rest.substr(0, head_end), nullptr, false);
  if (head.is_discarded()) throw_damaged(path);
  ForestFile file;
  std::vector<std::string> arrays;
  try {
    file.kind = head.at("kind").get<std::string>();
    file.training_rows = head.at("training_rows").get<int>();
    file.features = head.at("features").get<int>();
    file.classes = head.at("classes").get<int>();
    file.feature_names = head.at("feature_names").get<std::vector<std::string>>();
    file.options.features_per_split = head.at("features_per_split").get<int>();
    file.options.min_leaf = head.at("min_leaf").get<int>();
    file.options.min_split = head.at("min_split").get<int>();
    file.options.replace_constant = head.value("replace_constant", true);   // older files do not have it
    file.options.seed = head.at("seed").get<std::uint64_t>();
    arrays = head.at("arrays").get<std::vector<std::string>>();
  } catch (const nlohmann::json::exception&) {
    throw_damaged(path);
  }
  if (file.kind != kind) {
    throw InputError(path.string() + ": a forest for " + file.kind + ", expected one for " + kind);
  }
  if (file.features < 1 || file.classes < 0 || file.training_rows < 1 ||
      (!file.feature_names.empty() && file.feature_names.size() != static_cast<std::size_t>(file.features))) {
    throw_damaged(path);
  }
  Body body(body_bytes, path);
  file.trees.resize(body.take_count(24));
  if (file.trees.empty()) throw_damaged(path);
  for (auto& tree : file.trees) tree = take_tree(body, file.features, path);
  file.options.trees = static_cast<int>(file.trees.size());
  for (const auto& name : arrays) {
    auto& lists = file.arrays[name];
    lists.resize(body.take_count(8));
    for (auto& list : lists) {
      list.resize(body.take_count(8));
      for (auto& value : list) value = body.take<double>();
    }
  }
  if (!body.at_end()) throw_damaged(path);
  return file;
}

}  // namespace clmnet::survival
