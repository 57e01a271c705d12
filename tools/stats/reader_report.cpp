#include "tools/stats/reader_report.h"

#include <cmath>

#include "survival/distributions.h"
#include "tools/report/numbers.h"
#include "tools/report/text_table.h"

namespace clmnet::tools {
namespace {

using nlohmann::json;
using survival::TreatmentEstimate;
using survival::TreatmentTest;

const TreatmentTest& analysis_of(const survival::ObuchowskiRockette& result, const ReaderModel& model) {
  if (model.random_readers() && model.random_cases()) return result.random_readers_random_cases;
  return model.random_readers() ? result.random_readers_fixed_cases : result.fixed_readers_random_cases;
}

bool is_chi_squared(const TreatmentTest& test) { return std::isinf(test.df2); }

json estimate_json(const TreatmentEstimate& estimate, const std::vector<std::string>& modalities) {
  json entry = {{"estimate", json_number(estimate.estimate)},
                {"std_err", json_number(estimate.std_err)},
                {"df", json_number(estimate.df)},
                {"ci", {json_number(estimate.lower), json_number(estimate.upper)}}};
  if (estimate.first == estimate.second) {
    entry["modality"] = modalities[estimate.first];
  } else {
    entry["first"] = modalities[estimate.first];
    entry["second"] = modalities[estimate.second];
    entry["t"] = json_number(estimate.t);
    entry["p"] = json_number(estimate.p);
  }
  return entry;
}

json test_json(const TreatmentTest& test, const std::vector<std::string>& modalities) {
  json entry = {{is_chi_squared(test) ? "chi_squared" : "f", json_number(test.statistic)},
                {"df1", json_number(test.df1)},
                {"df2", json_number(test.df2)},
                {"p", json_number(test.p)},
                {"differences", json::array()},
                {"single", json::array()}};
  for (const auto& difference : test.differences) entry["differences"].push_back(estimate_json(difference, modalities));
  for (const auto& single : test.single) entry["single"].push_back(estimate_json(single, modalities));
  return entry;
}

std::string test_text(const TreatmentTest& test) {
  if (is_chi_squared(test)) {
    return "chi-squared = " + number_text(test.statistic) + " on " + number_text(test.df1) + " df, " + p_text(test.p);
  }
  return "F = " + number_text(test.statistic) + " on " + number_text(test.df1) + " and " + fixed_text(test.df2, 2) + " df, " +
         p_text(test.p);
}

/// One reader's figure of merit in one modality.
struct Reading {
  std::string modality, reader;
  double value, std_err, lower, upper;  ///< limits within [0,1]; NaN where the error is
};

std::vector<Reading> readings_of(const std::vector<std::string>& modalities, const std::vector<std::string>& readers,
                                 const Eigen::MatrixXd& merit, const Eigen::MatrixXd& covariance, double level) {
  std::vector<Reading> list;
  const double z = survival::normal_z(level);
  for (std::size_t t = 0; t < modalities.size(); ++t) {
    for (std::size_t r = 0; r < readers.size(); ++r) {
      const auto place = static_cast<Eigen::Index>(t * readers.size() + r);
      const double value = merit(static_cast<Eigen::Index>(t), static_cast<Eigen::Index>(r)),
                   error = std::sqrt(covariance(place, place));
      const bool known = !std::isnan(error);
      list.push_back({modalities[t], readers[r], value, error, known ? std::max(0.0, value - z * error) : error,
                      known ? std::min(1.0, value + z * error) : error});
    }
  }
  return list;
}

}  // namespace

void add_model_options(CLI::App& command, ReaderModel& model) {
  command.add_option("--readers", model.readers, "random: a sample of all readers; fixed: these readers")
      ->check(CLI::IsMember({"random", "fixed"}))
      ->capture_default_str();
  command.add_option("--cases", model.cases, "random: a sample of all cases; fixed: these cases")
      ->check(CLI::IsMember({"random", "fixed"}))
      ->capture_default_str();
}

void require_something_random(const ReaderModel& model) {
  if (model.random_readers() || model.random_cases()) return;
  throw CLI::ValidationError("--readers fixed --cases fixed", "nothing is random, so nothing is to be tested");
}

std::string name_of(const ReaderModel& model) { return model.readers + " readers, " + model.cases + " cases"; }

json readings_json(const std::vector<std::string>& modalities, const std::vector<std::string>& readers,
                   const Eigen::MatrixXd& merit, const Eigen::MatrixXd& covariance, double level) {
  json list = json::array();
  for (const Reading& one : readings_of(modalities, readers, merit, covariance, level)) {
    list.push_back({{"modality", one.modality},
                    {"reader", one.reader},
                    {"value", json_number(one.value)},
                    {"std_err", json_number(one.std_err)},
                    {"ci", {json_number(one.lower), json_number(one.upper)}}});
  }
  return list;
}

std::string readings_text(const std::vector<std::string>& modalities, const std::vector<std::string>& readers,
                          const Eigen::MatrixXd& merit, const Eigen::MatrixXd& covariance, double level,
                          const std::string& name) {
  TextTable table({"modality", "reader", name, "std.err", "lower", "upper"});
  for (const Reading& one : readings_of(modalities, readers, merit, covariance, level)) {
    table.add({one.modality, one.reader, fixed_text(one.value, 4), fixed_text(one.std_err, 4), fixed_text(one.lower, 4),
               fixed_text(one.upper, 4)});
  }
  return table.text();
}

json or_json(const survival::ObuchowskiRockette& result, const std::vector<std::string>& modalities) {
  json document = {{"ms",
                    {{"modality", json_number(result.ms_t)},
                     {"reader", json_number(result.ms_r)},
                     {"modality_reader", json_number(result.ms_tr)}}},
                   {"variance",
                    {{"error", json_number(result.var_error)},
                     {"cov1", json_number(result.cov1)},
                     {"cov2", json_number(result.cov2)},
                     {"cov3", json_number(result.cov3)},
                     {"reader", json_number(result.var_r)},
                     {"modality_reader", json_number(result.var_tr)}}}};
  for (std::size_t t = 0; t < modalities.size(); ++t) {
    document["mean"][modalities[t]] = json_number(result.treatment_means[static_cast<Eigen::Index>(t)]);
  }
  document["random_readers_random_cases"] = test_json(result.random_readers_random_cases, modalities);
  document["fixed_readers_random_cases"] = test_json(result.fixed_readers_random_cases, modalities);
  document["random_readers_fixed_cases"] = test_json(result.random_readers_fixed_cases, modalities);
  return document;
}

std::string or_text(const survival::ObuchowskiRockette& result, const std::vector<std::string>& modalities,
                    const ReaderModel& model) {
  const TreatmentTest& planned = analysis_of(result, model);
  std::string text = "Obuchowski-Rockette, " + name_of(model) + ": " + test_text(planned) + "\n\n";
  TextTable single({"modality", "mean", "std.err", "df", "lower", "upper"});
  for (const auto& one : planned.single) {
    single.add({modalities[one.first], fixed_text(one.estimate, 4), fixed_text(one.std_err, 4), fixed_text(one.df, 2),
                fixed_text(one.lower, 4), fixed_text(one.upper, 4)});
  }
  text += single.text();
  if (!planned.differences.empty()) {
    TextTable table({"difference", "estimate", "std.err", "df", "t", "p", "lower", "upper"});
    for (const auto& one : planned.differences) {
      table.add({modalities[one.first] + " - " + modalities[one.second], fixed_text(one.estimate, 4), fixed_text(one.std_err, 4),
                 fixed_text(one.df, 2), fixed_text(one.t, 3), p_cell(one.p), fixed_text(one.lower, 4), fixed_text(one.upper, 4)});
    }
    text.append("\n").append(table.text());
  }
  text += "\nBeside it:\n";
  for (const ReaderModel& other : {ReaderModel(), ReaderModel{"fixed", "random"}, ReaderModel{"random", "fixed"}}) {
    if (&analysis_of(result, other) != &planned) {
      text += "  " + name_of(other) + ": " + test_text(analysis_of(result, other)) + "\n";
    }
  }
  return text;
}

json dbm_json(const survival::DorfmanBerbaumMetz& result) {
  return {{"f", json_number(result.f)},
          {"df1", json_number(result.df1)},
          {"df2", json_number(result.df2)},
          {"p", json_number(result.p)},
          {"df2_satterthwaite", json_number(result.df2_satterthwaite)},
          {"ms",
           {{"modality", json_number(result.ms_t)},
            {"reader", json_number(result.ms_r)},
            {"case", json_number(result.ms_c)},
            {"modality_reader", json_number(result.ms_tr)},
            {"modality_case", json_number(result.ms_tc)},
            {"reader_case", json_number(result.ms_rc)},
            {"error", json_number(result.ms_trc)}}},
          {"variance",
           {{"reader", json_number(result.var_r)},
            {"case", json_number(result.var_c)},
            {"modality_reader", json_number(result.var_tr)},
            {"modality_case", json_number(result.var_tc)},
            {"reader_case", json_number(result.var_rc)},
            {"error", json_number(result.var_error)}}}};
}

std::string dbm_text(const survival::DorfmanBerbaumMetz& result) {
  return "Dorfman-Berbaum-Metz, random readers, random cases: F = " + number_text(result.f) + " on " + number_text(result.df1) +
         " and " + fixed_text(result.df2, 2) + " df, " + p_text(result.p) + "\n";
}

}  // namespace clmnet::tools
