#include "tools/survival/model_file.h"

#include <cmath>
#include <nlohmann/json.hpp>
#include <stdexcept>

#include "tools/base/atomic_file.h"
#include "tools/base/error.h"

namespace clmnet::tools {
namespace {

using nlohmann::json;
constexpr const char* kKind = "clmnet survival model";
constexpr int kVersion = 2;

json list_of(const Eigen::RowVectorXd& values) { return std::vector<double>(values.begin(), values.end()); }

Eigen::RowVectorXd row_of(const json& list) {
  const auto values = list.get<std::vector<double>>();
  return Eigen::Map<const Eigen::RowVectorXd>(values.data(), static_cast<Eigen::Index>(values.size()));
}

Pooling pooling_of(const std::string& name) {
  for (const auto pooling : {Pooling::mean, Pooling::max, Pooling::quantiles}) {
    if (name == name_of(pooling)) return pooling;
  }
  return Pooling::attention;
}

SavedModel from_json(const json& document) {
  SavedModel saved;
  saved.method = method_of(document.at("model"));
  saved.time_name = document.at("time");
  saved.horizon = document.at("horizon");
  saved.source = document.at("column").get<std::vector<std::string>>();
  saved.level = document.at("level").get<std::vector<std::string>>();
  saved.median = row_of(document.at("median"));
  saved.slope = row_of(document.at("slope"));
  saved.offset = document.at("offset");
  saved.hazard_at_horizon = document.at("hazard_at_horizon");
  saved.cut = document.at("cut");
  if (document.contains("slides")) {
    const json& slides = document.at("slides");
    saved.slides =
        SlideColumns{pooling_of(slides.at("pooling")), slides.at("width"), slides.at("column").get<std::vector<Eigen::Index>>()};
  }
  return saved;
}

bool fits(const SavedModel& saved) {
  const std::size_t columns = saved.source.size() + (saved.slides ? saved.slides->column.size() : 0);
  const auto p = static_cast<Eigen::Index>(columns);
  if (saved.level.size() != saved.source.size() || saved.median.size() != p || saved.slope.size() != p) return false;
  if (saved.method != RiskMethod::logistic && saved.method != RiskMethod::cox) return false;
  if (!saved.slides) return true;
  const Eigen::Index pooled = saved.slides->width * (saved.slides->pooling == Pooling::quantiles ? 3 : 1);
  for (const auto column : saved.slides->column) {
    if (column < 0 || column >= pooled) return false;
  }
  return true;
}

}  // namespace

Eigen::VectorXd SavedModel::predictor(const Eigen::MatrixXd& x) const {
  Eigen::VectorXd result = Eigen::VectorXd::Constant(x.rows(), offset);
  for (Eigen::Index i = 0; i < x.rows(); ++i) {
    for (Eigen::Index j = 0; j < x.cols(); ++j) result[i] += slope[j] * (std::isnan(x(i, j)) ? median[j] : x(i, j));
  }
  return result;
}

double SavedModel::risk(double predictor) const {
  return method == RiskMethod::logistic ? 1 / (1 + std::exp(-predictor)) : -std::expm1(-hazard_at_horizon * std::exp(predictor));
}

SavedModel to_save(const RiskModel& model) {
  if (!model.is_linear()) throw std::invalid_argument("to_save: only linear models are saved");
  SavedModel saved;
  saved.method = model.method;
  saved.horizon = model.horizon;
  saved.median = model.median;
  saved.slope = model.slope();
  saved.offset = model.offset();
  if (model.method == RiskMethod::cox) saved.hazard_at_horizon = model.baseline.at(model.horizon);
  saved.cut = model.cut;
  return saved;
}

void save_model(const std::filesystem::path& path, const SavedModel& saved) {
  json document = {{"kind", kKind},
                   {"version", kVersion},
                   {"software", std::string("clmnet ") + CLMNET_VERSION},
                   {"model", key_of(saved.method)},
                   {"method", name_of(saved.method)},
                   {"time", saved.time_name},
                   {"horizon", saved.horizon},
                   {"column", saved.source},
                   {"level", saved.level},
                   {"median", list_of(saved.median)},
                   {"slope", list_of(saved.slope)},
                   {"offset", saved.offset},
                   {"hazard_at_horizon", saved.hazard_at_horizon},
                   {"cut", saved.cut}};
  if (saved.slides) {
    document["slides"] = {{"pooling", name_of(saved.slides->pooling)},
                          {"width", saved.slides->width},
                          {"column", saved.slides->column}};
  }
  write_atomically(path, document.dump(2) + "\n");
}

SavedModel load_model(const std::filesystem::path& path) {
  const std::string expected = "; expected model.json of 'clmnet survival fit'";
  try {
    const json document = json::parse(read_whole_file(path));
    if (document.at("kind") != kKind) throw InputError(path.string() + ": not a survival model" + expected);
    if (document.value("version", 1) != kVersion) {
      throw InputError(path.string() + ": written by another version of clmnet (form " +
                       std::to_string(document.value("version", 1)) + ", this one reads " + std::to_string(kVersion) +
                       "); run 'clmnet survival fit' again");
    }
    SavedModel saved = from_json(document);
    if (!fits(saved)) throw InputError(path.string() + ": its lists do not fit each other; the file is damaged");
    return saved;
  } catch (const json::exception& error) {
    throw InputError(path.string() + ": not a survival model (" + error.what() + ")" + expected);
  }
}

}  // namespace clmnet::tools
