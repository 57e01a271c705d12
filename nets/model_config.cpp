#include "nets/model_config.h"

#include <algorithm>
#include <cmath>
#include <numeric>

#include <nlohmann/json.hpp>

#include "tools/base/atomic_file.h"
#include "tools/base/error.h"

namespace clmnet::nets {
namespace fs = std::filesystem;
using nlohmann::json;

namespace {

/// Reads keys of one JSON object; every message names the file and the key's path.
class Reader {
 public:
  Reader(const json& object, std::string where) : object_(object), where_(std::move(where)) {
    if (!object_.is_object()) throw InputError(where_ + ": expected an object in braces");
  }

  template <class T>
  T get(const char* key, const char* expected) const {
    if (!object_.contains(key)) throw InputError(where_ + ": no '" + key + "', expected " + expected);
    try {
      return object_.at(key).get<T>();
    } catch (const json::exception&) {
      throw InputError(where_ + ": '" + key + "' is " + object_.at(key).dump() + ", expected " + expected);
    }
  }

  double number(const char* key, double low, double high) const {
    const std::string expected = "a number from " + json(low).dump() + " to " + json(high).dump();
    const double value = get<double>(key, expected.c_str());
    if (!(value >= low && value <= high)) {
      throw InputError(where_ + ": '" + key + "' is " + object_.at(key).dump() + ", expected " + expected);
    }
    return value;
  }

  Reader child(const char* key) const {
    if (!object_.contains(key)) throw InputError(where_ + ": no '" + key + "', expected an object in braces");
    return {object_.at(key), where_ + ": " + key};
  }
  const std::string& where() const { return where_; }
  const json& object() const { return object_; }

 private:
  const json& object_;
  std::string where_;
};

MemberConfig read_member(const Reader& in, std::int64_t classes) {
  MemberConfig member;
  member.options.network = in.get<std::string>("network", "a name");
  const auto& known = member_names();
  if (std::find(known.begin(), known.end(), member.options.network) == known.end()) {
    throw InputError(in.where() + ": unknown network '" + member.options.network + "'; this version knows " + json(known).dump());
  }
  member.options.width = in.number("width", 0.01, 4);
  member.options.classes = classes;
  member.options.batch_norm = in.get<bool>("batch_norm", "true or false");
  member.options.squeeze_excite = in.get<bool>("squeeze_excite", "true or false");
  member.options.feature_size = static_cast<std::int64_t>(in.number("feature_size", 1, 65536));
  if (in.object().contains("atrous_rates")) {
    member.options.atrous_rates = in.get<std::vector<std::int64_t>>("atrous_rates", "a list of whole numbers");
  }
  member.weights = in.get<std::string>("weights", "a file name");
  if (fs::path(member.weights).filename() != member.weights) {
    throw InputError(in.where() + ": 'weights' is '" + member.weights + "', expected a file in the model's folder");
  }
  member.sha256 = in.get<std::string>("sha256", "64 hex digits");
  member.class_temperature = in.number("class_temperature", 1e-3, 1e3);
  member.map_temperature = in.number("map_temperature", 1e-3, 1e3);
  member.class_weight = in.number("class_weight", 0, 100);
  member.map_weight = in.number("map_weight", 0, 100);
  member.class_threshold = in.number("class_threshold", 0, 1);
  member.map_threshold = in.number("map_threshold", 0, 1);
  return member;
}

CrfOptions read_crf(const Reader& in) {
  CrfOptions crf;
  crf.gauss_sxy_px = in.number("gauss_sxy_px", 0.1, 1000);
  crf.gauss_weight = in.number("gauss_weight", 0, 1000);
  crf.bilat_sxy_px = in.number("bilat_sxy_px", 0.1, 1000);
  crf.bilat_srgb = in.number("bilat_srgb", 0.1, 1000);
  crf.bilat_weight = in.number("bilat_weight", 0, 1000);
  crf.iterations = static_cast<int>(in.number("iterations", 0, 100));
  return crf;
}

/// The last Normalize of a WSInfer transform list.
void read_normalisation(const Reader& in, ModelConfig& config) {
  for (const json& step : in.get<json>("transform", "a list of steps")) {
    if (!step.is_object() || step.value("name", "") != "Normalize") continue;
    const Reader arguments = Reader(step, in.where() + ": transform").child("arguments");
    config.mean = arguments.get<std::array<double, 3>>("mean", "three numbers");
    config.standard_deviation = arguments.get<std::array<double, 3>>("std", "three numbers");
    for (const double sd : config.standard_deviation) {
      if (!(sd > 0)) throw InputError(in.where() + ": transform: 'std' must be above 0");
    }
    return;
  }
  throw InputError(in.where() + ": 'transform' has no step Normalize");
}

json member_json(const MemberConfig& member) {
  json out = {{"network", member.options.network},
              {"width", member.options.width},
              {"batch_norm", member.options.batch_norm},
              {"squeeze_excite", member.options.squeeze_excite},
              {"feature_size", member.options.feature_size},
              {"weights", member.weights},
              {"sha256", member.sha256},
              {"class_temperature", member.class_temperature},
              {"map_temperature", member.map_temperature},
              {"class_weight", member.class_weight},
              {"map_weight", member.map_weight},
              {"class_threshold", member.class_threshold},
              {"map_threshold", member.map_threshold}};
  if (!member.options.atrous_rates.empty()) out["atrous_rates"] = member.options.atrous_rates;
  return out;
}

}  // namespace

std::int64_t ModelConfig::feature_size() const {
  return std::accumulate(members.begin(), members.end(), std::int64_t{0},
                         [](std::int64_t sum, const MemberConfig& m) { return sum + m.options.feature_size; });
}

ModelConfig read_model_config(const fs::path& folder) {
  std::error_code ignored;
  if (!fs::is_directory(folder, ignored)) {
    throw InputError(folder.string() + ": no such model folder; give --model DIR with config.json and *.safetensors in it");
  }
  const fs::path file = folder / "config.json";
  json document;
  try {
    document = json::parse(read_whole_file(file));
  } catch (const json::exception& error) {
    throw InputError(file.string() + ": not JSON: " + error.what());
  }
  const Reader in(document, file.string());
  const Reader ours = in.child("clmnet");
  ModelConfig config;
  config.name = in.get<std::string>("name", "a name");
  config.class_names = in.get<std::vector<std::string>>("class_names", "a list of names");
  const auto classes = static_cast<std::int64_t>(in.number("num_classes", 2, 1000));
  if (static_cast<std::int64_t>(config.class_names.size()) != classes) {
    throw InputError(file.string() + ": 'class_names' has " + std::to_string(config.class_names.size()) +
                     " names, 'num_classes' is " + std::to_string(classes));
  }
  config.patch_size_px = static_cast<std::int64_t>(in.number("patch_size_pixels", 32, 4096));
  config.spacing_um_per_px = in.number("spacing_um_px", 0.05, 100);
  read_normalisation(in, config);
  const json& members = ours.get<json>("members", "a list of networks");
  if (!members.is_array() || members.empty()) throw InputError(ours.where() + ": 'members' must list at least one network");
  for (std::size_t i = 0; i < members.size(); ++i) {
    config.members.push_back(read_member(Reader(members[i], ours.where() + ": members[" + std::to_string(i) + "]"), classes));
  }
  if (ours.object().contains("map_px")) config.map_px = static_cast<std::int64_t>(ours.number("map_px", 1, 64));
  if (config.patch_size_px % config.map_px != 0) {
    throw InputError(ours.where() + ": 'map_px' is " + std::to_string(config.map_px) + ", expected a divisor of patch_size_pixels " +
                     std::to_string(config.patch_size_px));
  }
  config.map_from_class_weight = ours.number("map_from_class_weight", 0, 100);
  config.class_threshold = ours.number("class_threshold", 0, 1);
  config.map_threshold = ours.number("map_threshold", 0, 1);
  config.raw_map_threshold = ours.number("raw_map_threshold", 0, 1);
  config.crf = read_crf(ours.child("crf"));
  return config;
}

json to_json(const ModelConfig& config) {
  json members = json::array();
  for (const auto& member : config.members) members.push_back(member_json(member));
  const json normalize = {{"mean", config.mean}, {"std", config.standard_deviation}};
  return {{"spec_version", "1.0"},
          {"architecture", "clmnet-ensemble"},
          {"name", config.name},
          {"num_classes", config.class_names.size()},
          {"class_names", config.class_names},
          {"patch_size_pixels", config.patch_size_px},
          {"spacing_um_px", config.spacing_um_per_px},
          {"transform",
           {{{"name", "Resize"}, {"arguments", {{"size", config.patch_size_px}}}},
            {{"name", "ToTensor"}},
            {{"name", "Normalize"}, {"arguments", normalize}}}},
          {"clmnet",
           {{"members", members},
            {"map_px", config.map_px},
            {"map_from_class_weight", config.map_from_class_weight},
            {"class_threshold", config.class_threshold},
            {"map_threshold", config.map_threshold},
            {"raw_map_threshold", config.raw_map_threshold},
            {"crf",
             {{"gauss_sxy_px", config.crf.gauss_sxy_px},
              {"gauss_weight", config.crf.gauss_weight},
              {"bilat_sxy_px", config.crf.bilat_sxy_px},
              {"bilat_srgb", config.crf.bilat_srgb},
              {"bilat_weight", config.crf.bilat_weight},
              {"iterations", config.crf.iterations}}}}}};
}

void write_model_config(const fs::path& folder, const ModelConfig& config) {
  write_atomically(folder / "config.json", to_json(config).dump(2) + "\n");
}

}  // namespace clmnet::nets
