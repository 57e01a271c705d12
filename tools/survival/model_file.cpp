#include "tools/survival/model_file.h"

#include <nlohmann/json.hpp>

#include "tools/base/atomic_file.h"
#include "tools/base/error.h"

namespace clmnet::tools {
namespace {

using nlohmann::json;
constexpr const char* kKind = "clmnet survival model";

json list_of(const Eigen::RowVectorXd& values) { return std::vector<double>(values.begin(), values.end()); }

Eigen::RowVectorXd row_of(const json& list) {
  const auto values = list.get<std::vector<double>>();
  return Eigen::Map<const Eigen::RowVectorXd>(values.data(), static_cast<Eigen::Index>(values.size()));
}

}  // namespace

void save_model(const std::filesystem::path& path, const SavedModel& saved) {
  const auto& logistic = saved.model.logistic;
  const json document = {{"kind", kKind}, {"software", std::string("clmnet ") + CLMNET_VERSION}, {"method", name_of(saved.model.method)},
                         {"time", saved.time_name}, {"horizon", saved.horizon}, {"column", saved.source}, {"level", saved.level},
                         {"median", list_of(saved.model.median)}, {"mean", list_of(logistic.mean)}, {"deviation", list_of(logistic.deviation)},
                         {"coefficient", list_of(logistic.coefficient.row(0))}, {"intercept", logistic.intercept[0]}, {"cut", saved.model.cut}};
  write_atomically(path, document.dump(2) + "\n");
}

SavedModel load_model(const std::filesystem::path& path) {
  try {
    const json document = json::parse(read_whole_file(path));
    if (document.at("kind") != kKind) throw InputError(path.string() + ": not a survival model; expected model.json of 'clmnet survival fit'");
    SavedModel saved;
    saved.time_name = document.at("time");
    saved.horizon = document.at("horizon");
    saved.source = document.at("column").get<std::vector<std::string>>();
    saved.level = document.at("level").get<std::vector<std::string>>();
    saved.model.median = row_of(document.at("median"));
    auto& logistic = saved.model.logistic;
    logistic.mean = row_of(document.at("mean"));
    logistic.deviation = row_of(document.at("deviation"));
    logistic.coefficient = row_of(document.at("coefficient"));
    logistic.intercept = Eigen::VectorXd::Constant(1, document.at("intercept").get<double>());
    saved.model.cut = document.at("cut");
    const auto p = static_cast<Eigen::Index>(saved.source.size());
    const bool fits = saved.level.size() == saved.source.size() && saved.model.median.size() == p && logistic.mean.size() == p &&
                      logistic.deviation.size() == p && logistic.coefficient.cols() == p;
    if (!fits) throw InputError(path.string() + ": its lists differ in length; the file is damaged");
    return saved;
  } catch (const json::exception& error) {
    throw InputError(path.string() + ": not a survival model (" + error.what() + "); expected model.json of 'clmnet survival fit'");
  }
}

}  // namespace clmnet::tools
