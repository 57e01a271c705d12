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

  /// Nothing where the key is missing.
  std::optional<double> optional_number(const char* key, double low, double high) const {
    return object_.contains(key) ? std::make_optional(number(key, low, high)) : std::nullopt;
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

void read_weights_and_fusion(const Reader& in, MemberConfig& member) {
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
  member.ece_before = in.optional_number("class_ece_at_temperature_1", 0, 1);
  member.ece = in.optional_number("class_ece", 0, 1);
}

/// What stands for the one program of a folder of WSInfer's zoo.
MemberConfig zoo_member(std::int64_t classes) {
  MemberConfig member;
  member.options.network = kTorchScript;
  member.options.classes = classes;
  member.options.feature_size = 0;
  member.weights = "torchscript_model.pt";
  member.class_weight = member.map_weight = 1;
  return member;
}

MemberConfig read_member(const Reader& in, std::int64_t classes) {
  MemberConfig member;
  member.options.network = in.get<std::string>("network", "a name");
  std::vector<std::string> known = member_names();
  known.push_back(kTorchScript);
  if (std::find(known.begin(), known.end(), member.options.network) == known.end()) {
    throw InputError(in.where() + ": unknown network '" + member.options.network + "'; this version knows " + json(known).dump());
  }
  if (member.options.network == kTorchScript) {
    member.options.classes = classes;
    member.options.feature_size = 0;
    read_weights_and_fusion(in, member);
    return member;
  }
  member.options.width = in.number("width", 0.01, 4);
  member.options.classes = classes;
  member.options.batch_norm = in.get<bool>("batch_norm", "true or false");
  member.options.squeeze_excite = in.get<bool>("squeeze_excite", "true or false");
  member.options.feature_size = static_cast<std::int64_t>(in.number("feature_size", 1, 65536));
  if (in.object().contains("atrous_rates")) {
    member.options.atrous_rates = in.get<std::vector<std::int64_t>>("atrous_rates", "a list of whole numbers");
  }
  read_weights_and_fusion(in, member);
  return member;
}

CrfOptions read_crf(const Reader& in) {
  CrfOptions crf;
  crf.gauss_sxy_px = in.number("gauss_sxy_px", 0.5, 1000);
  crf.gauss_weight = in.number("gauss_weight", 0, 1000);
  crf.bilat_sxy_px = in.number("bilat_sxy_px", 0.1, 1000);
  crf.bilat_srgb = in.number("bilat_srgb", 0.1, 1000);
  crf.bilat_weight = in.number("bilat_weight", 0, 1000);
  crf.iterations = static_cast<int>(in.number("iterations", 0, 100));
  return crf;
}

struct StainPart {
  const char* name;
  std::size_t numbers;
};

/// What a method's reference is made of, in StainTarget's order; empty for an unknown method.
std::vector<StainPart> parts_of(const std::string& method) {
  if (method == "macenko") return {{"haematoxylin", 3}, {"eosin", 3}, {"strongest", 2}};
  if (method == "reinhard") return {{"mean", 3}, {"deviation", 3}};
  return {};
}

std::vector<double> numbers_of(const Reader& in, const char* key, std::size_t count) {
  std::vector<double> values = in.get<std::vector<double>>(key, "a list of numbers");
  if (values.size() != count) {
    throw InputError(in.where() + ": '" + key + "' has " + std::to_string(values.size()) + " numbers, expected " + std::to_string(count));
  }
  return values;
}

std::optional<StainTarget> read_stain(const Reader& ours) {
  if (!ours.object().contains("stain")) return std::nullopt;
  const Reader in = ours.child("stain");
  StainTarget stain{in.get<std::string>("method", "macenko or reinhard"), {}, in.optional_number("strength", 0.01, 1).value_or(1)};
  const std::vector<StainPart> parts = parts_of(stain.method);
  if (parts.empty()) throw InputError(in.where() + ": 'method' is '" + stain.method + "', expected macenko or reinhard");
  if (in.object().contains("reference") && in.object().at("reference").is_array()) {  // one list, as models were written at first
    std::size_t all = 0;
    for (const auto& part : parts) all += part.numbers;
    stain.reference = numbers_of(in, "reference", all);
    return stain;
  }
  const Reader reference = in.child("reference");
  for (const auto& part : parts) {
    const std::vector<double> values = numbers_of(reference, part.name, part.numbers);
    stain.reference.insert(stain.reference.end(), values.begin(), values.end());
  }
  return stain;
}

/// The steps of a WSInfer transform list that are known: Resize, ToTensor (nothing to read), and Normalize, which ends it.
void read_transform(const Reader& in, ModelConfig& config) {
  for (const json& step : in.get<json>("transform", "a list of steps")) {
    if (!step.is_object()) continue;
    if (step.value("name", "") == "Resize") {
      const Reader arguments = Reader(step, in.where() + ": transform").child("arguments");
      config.resize_px = static_cast<std::int64_t>(arguments.number("size", 8, 4096));
    }
    if (step.value("name", "") != "Normalize") continue;
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
  if (member.ece_before) out["class_ece_at_temperature_1"] = *member.ece_before;
  if (member.ece) out["class_ece"] = *member.ece;
  return out;
}

json ensemble_json(const ModelConfig& config) {
  json members = json::array();
  for (const auto& member : config.members) members.push_back(member_json(member));
  json out = {{"members", members},
              {"map_px", config.map_px},
              {"map_from_class_weight", config.map_from_class_weight},
              {"class_threshold", config.class_threshold},
              {"sensitivity", config.sensitivity},
              {"map_threshold", config.map_threshold},
              {"raw_map_threshold", config.raw_map_threshold},
              {"crf",
               {{"gauss_sxy_px", config.crf.gauss_sxy_px},
                {"gauss_weight", config.crf.gauss_weight},
                {"bilat_sxy_px", config.crf.bilat_sxy_px},
                {"bilat_srgb", config.crf.bilat_srgb},
                {"bilat_weight", config.crf.bilat_weight},
                {"iterations", config.crf.iterations}}}};
  if (config.ece) out["class_ece"] = *config.ece;
  if (config.stain) out["stain"] = to_json(*config.stain);
  return out;
}

}  // namespace

json to_json(const StainTarget& stain) {
  json reference = json::object();
  auto from = stain.reference.begin();
  for (const auto& part : parts_of(stain.method)) {
    const auto to = from + static_cast<std::ptrdiff_t>(part.numbers);
    reference[part.name] = std::vector<double>(from, to);
    from = to;
  }
  return {{"method", stain.method}, {"strength", stain.strength}, {"reference", reference}};
}

std::int64_t ModelConfig::feature_size() const {
  return std::accumulate(members.begin(), members.end(), std::int64_t{0},
                         [](std::int64_t sum, const MemberConfig& m) { return sum + m.options.feature_size; });
}

bool ModelConfig::has_map() const {
  return std::any_of(members.begin(), members.end(), [](const MemberConfig& m) { return m.options.network != kTorchScript; });
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
  read_transform(in, config);
  if (!document.contains("clmnet")) {
    config.members.push_back(zoo_member(classes));
    return config;
  }
  const Reader ours = in.child("clmnet");
  const json& members = ours.get<json>("members", "a list of networks");
  if (!members.is_array() || members.empty()) throw InputError(ours.where() + ": 'members' must list at least one network");
  for (std::size_t i = 0; i < members.size(); ++i) {
    config.members.push_back(read_member(Reader(members[i], ours.where() + ": members[" + std::to_string(i) + "]"), classes));
  }
  config.stain = read_stain(ours);
  if (ours.object().contains("map_px")) config.map_px = static_cast<std::int64_t>(ours.number("map_px", 1, 64));
  if (config.patch_size_px % config.map_px != 0) {
    throw InputError(ours.where() + ": 'map_px' is " + std::to_string(config.map_px) + ", expected a divisor of patch_size_pixels " +
                     std::to_string(config.patch_size_px));
  }
  config.map_from_class_weight = ours.number("map_from_class_weight", 0, 100);
  config.class_threshold = ours.number("class_threshold", 0, 1);
  config.sensitivity = ours.optional_number("sensitivity", 0, 1).value_or(0);
  config.ece = ours.optional_number("class_ece", 0, 1);
  config.map_threshold = ours.number("map_threshold", 0, 1);
  config.raw_map_threshold = ours.number("raw_map_threshold", 0, 1);
  config.crf = read_crf(ours.child("crf"));
  return config;
}

json to_json(const ModelConfig& config) {
  const json normalize = {{"mean", config.mean}, {"std", config.standard_deviation}};
  return {{"spec_version", "1.0"},
          {"architecture", "clmnet-ensemble"},
          {"name", config.name},
          {"num_classes", config.class_names.size()},
          {"class_names", config.class_names},
          {"patch_size_pixels", config.patch_size_px},
          {"spacing_um_px", config.spacing_um_per_px},
          {"transform",
           {{{"name", "Resize"}, {"arguments", {{"size", config.resize_px > 0 ? config.resize_px : config.patch_size_px}}}},
            {{"name", "ToTensor"}},
            {{"name", "Normalize"}, {"arguments", normalize}}}},
          {"clmnet", ensemble_json(config)}};
}

void write_model_config(const fs::path& folder, const ModelConfig& config) {
  write_atomically(folder / "config.json", to_json(config).dump(2) + "\n");
}

}  // namespace clmnet::nets
