#include <cmath>
#include <cstdio>
#include <limits>

#include "survival/froc.h"
#include "survival/mrmc.h"
#include "tests/survival/reference_handlers.h"
#include "tools/base/error.h"

namespace clmnet::survival::reference {
namespace {

using nlohmann::json;

json matrix(const Eigen::MatrixXd& values) {
  json rows = json::array();
  for (Eigen::Index i = 0; i < values.rows(); ++i) rows.push_back(numbers({values.row(i).begin(), values.row(i).end()}));
  return rows;
}

json label(const std::string& text) {
  const auto value = parse_number(text);
  if (!value) return text;
  return *value == std::floor(*value) ? json(static_cast<long long>(*value)) : json(*value);
}

json analysis(const TreatmentTest& test, const std::vector<std::string>& treatments) {
  json result = {{"denominator", number(test.denominator)}, {"p", number(test.p)}};
  result["differences"] = json::array();
  result["single"] = json::array();
  for (const auto& d : test.differences) {
    result["differences"].push_back({{"pair", {label(treatments[d.first]), label(treatments[d.second])}},
                                     {"diff", number(d.estimate)},
                                     {"se", number(d.std_err)},
                                     {"df", number(d.df)},
                                     {"t", number(d.t)},
                                     {"p", number(d.p)},
                                     {"lower", number(d.lower)},
                                     {"upper", number(d.upper)}});
  }
  for (const auto& s : test.single) {
    result["single"].push_back({{"treatment", label(treatments[s.first])}, {"estimate", number(s.estimate)},
                                {"ms_r", number(s.ms_readers)}, {"cov2", number(s.cov2)}, {"var", number(s.variance)},
                                {"se", number(s.std_err)}, {"df", number(s.df)}, {"lower", number(s.lower)},
                                {"upper", number(s.upper)}});
  }
  return result;
}

json obuchowski_rockette_json(const ObuchowskiRockette& r, const std::vector<std::string>& treatments) {
  json result = {{"fom", matrix(r.fom)}, {"treatment_means", numbers({r.treatment_means.begin(), r.treatment_means.end()})},
                 {"ms_t", number(r.ms_t)}, {"ms_r", number(r.ms_r)}, {"ms_tr", number(r.ms_tr)},
                 {"var_error", number(r.var_error)}, {"cov1", number(r.cov1)}, {"cov2", number(r.cov2)},
                 {"cov3", number(r.cov3)}, {"var_r", number(r.var_r)}, {"var_tr", number(r.var_tr)}};
  const auto& random = r.random_readers_random_cases;
  result["RRRC"] = analysis(random, treatments);
  result["RRRC"].update({{"F", number(random.statistic)}, {"df1", random.df1}, {"ddf_hillis", number(random.df2)}});
  const auto& fixed_readers = r.fixed_readers_random_cases;
  result["FRRC"] = analysis(fixed_readers, treatments);
  result["FRRC"].update({{"X2", number(fixed_readers.statistic)}, {"df", fixed_readers.df1}});
  const auto& fixed_cases = r.random_readers_fixed_cases;
  result["RRFC"] = analysis(fixed_cases, treatments);
  result["RRFC"].update({{"F", number(fixed_cases.statistic)}, {"df1", fixed_cases.df1}, {"df2", number(fixed_cases.df2)}});
  return result;
}

json dorfman_berbaum_metz_json(const DorfmanBerbaumMetz& r) {
  return {{"ms", {{"T", number(r.ms_t)}, {"R", number(r.ms_r)}, {"C", number(r.ms_c)}, {"TR", number(r.ms_tr)},
                  {"TC", number(r.ms_tc)}, {"RC", number(r.ms_rc)}, {"TRC", number(r.ms_trc)}}},
          {"var_components", {{"R", number(r.var_r)}, {"C", number(r.var_c)}, {"TR", number(r.var_tr)},
                              {"TC", number(r.var_tc)}, {"RC", number(r.var_rc)}, {"error", number(r.var_error)}}},
          {"RRRC", {{"F", number(r.f)}, {"df1", r.df1}, {"ddf_hillis", number(r.df2)}, {"p", number(r.p)}}},
          {"RRRC_satterthwaite_original_dbm", {{"ddf", number(r.df2_satterthwaite)}}}};
}

double level_of(const Case& test) { return 1 - test.settings.value("alpha", 0.05); }

/// What programs that print to fewer digits published for the same data: the numbers of one analysis by their names.
json published_names(const ObuchowskiRockette& r) {
  const auto& random = r.random_readers_random_cases;
  json result = {{"ms_t", number(r.ms_t)},           {"ms_r", number(r.ms_r)},    {"ms_tr", number(r.ms_tr)},
                 {"cov1", number(r.cov1)},           {"cov2", number(r.cov2)},    {"cov3", number(r.cov3)},
                 {"var_error", number(r.var_error)}, {"auc", matrix(r.fom)},      {"denominator", number(random.denominator)},
                 {"F", number(random.statistic)},    {"ddf", number(random.df2)}, {"p", number(random.p)}};
  const auto test_json = [](const TreatmentTest& test, const char* statistic) {
    json entry = {{statistic, number(test.statistic)}, {"ddf", number(test.df2)}, {"p", number(test.p)}};
    if (test.differences.empty()) return entry;
    const auto& d = test.differences.front();
    entry.update(
        {{"diff", number(d.estimate)}, {"se", number(d.std_err)}, {"lower", number(d.lower)}, {"upper", number(d.upper)}});
    return entry;
  };
  result["RRRC"] = test_json(random, "F");
  result["FRRC"] = test_json(r.fixed_readers_random_cases, "X2");
  result["RRFC"] = test_json(r.random_readers_fixed_cases, "F");
  return result;
}

FrocStudy froc_study_of(const Case& test) {
  const auto name = [&](const char* role) { return test.column(role).empty() ? std::string(role) : test.column(role); };
  const CsvTable table = test.table(test.column("cases"));
  const auto id = table.column(name("case")), lesions = table.column("n_lesions");
  const auto weights = table.find("weights");
  std::vector<FrocCase> cases;
  for (std::size_t row = 0; row < table.rows(); ++row) {
    const int count = static_cast<int>(table.number(row, lesions));
    FrocCase one{table.cell(row, id), equal_lesion_weights(count)};
    const std::string text = weights ? table.cell(row, *weights) : "";
    if (!text.empty() && count > 0) {
      one.lesion_weights.clear();
      for (std::size_t begin = 0; begin <= text.size();) {
        const auto end = std::min(text.find(';', begin), text.size());
        const auto value = parse_number(std::string_view(text).substr(begin, end - begin));
        if (!value) throw InputError(table.where(row, *weights) + ": not a list of weights");
        one.lesion_weights.push_back(*value);
        begin = end + 1;
      }
    }
    cases.push_back(std::move(one));
  }
  std::vector<FrocMark> marks;
  const auto& data = test.data;
  const auto treatment = data.column(name("treatment")), reader = data.column(name("reader")),
             case_id = data.column(name("case")), mark = data.column(name("mark")), lesion = data.column(name("lesion")),
             rating = data.column(name("rating"));
  for (std::size_t row = 0; row < data.rows(); ++row) {
    const int hit = data.cell(row, mark) == "LL" ? static_cast<int>(data.number(row, lesion)) : 0;
    marks.push_back({data.cell(row, treatment), data.cell(row, reader), data.cell(row, case_id), hit, data.number(row, rating)});
  }
  return make_froc_study(std::move(cases), marks);
}

json curve_of(const FrocStudy& study, std::size_t reading) {
  const FrocCurve curve = froc_curve(study, reading);
  json at = json::object();
  double sum = 0;
  const std::vector<double> rates{0.125, 0.25, 0.5, 1, 2, 4, 8};
  for (const double rate : rates) {
    char key[16];
    std::snprintf(key, sizeof key, "%g", rate);
    const double linear = sensitivity_at(curve, rate, FrocInterpolation::linear);
    sum += linear;
    at[key] = {{"step", number(sensitivity_at(curve, rate, FrocInterpolation::step))}, {"linear", number(linear)}};
  }
  return {{"thresholds", numbers(curve.threshold)}, {"nlf", numbers(curve.nlf)}, {"llf", numbers(curve.llf)},
          {"sens_at_fp_per_image", at}, {"cpm_linear", number(sum / static_cast<double>(rates.size()))}};
}

}  // namespace

json run_mrmc(const Case& test) {
  const std::string reader = test.column("reader"), treatment = test.column("treatment"), case_id = test.column("case"),
                    truth = test.column("truth"), rating = test.column("rating");
  const auto rows = complete_rows(test.data, {reader, treatment, case_id, truth, rating});
  const auto readers = texts_in(test.data, rows, reader), treatments = texts_in(test.data, rows, treatment),
             cases = texts_in(test.data, rows, case_id);
  const auto truths = numbers_in(test.data, rows, truth), values = numbers_in(test.data, rows, rating);
  std::vector<Rating> ratings;
  for (std::size_t i = 0; i < rows.size(); ++i) {
    ratings.push_back({treatments[i], readers[i], cases[i], truths[i] == 1, values[i]});
  }
  const ReaderStudy study = make_reader_study(ratings);
  const Eigen::MatrixXd auc = reader_auc(study);
  const auto analyse = [&](AucCovariance method) {
    return obuchowski_rockette(auc, reader_auc_covariance(study, method), level_of(test));
  };
  const auto jackknife = analyse(AucCovariance::jackknife), delong = analyse(AucCovariance::delong);
  const auto diseased = std::count(study.diseased.begin(), study.diseased.end(), 1);
  const auto unbiased = analyse(AucCovariance::unbiased);
  json published = json::object();
  const json printed = test.stated.value("published", json::object());
  for (const auto& [name, unused] : printed.items()) {
    const auto by = [&](const char* method) { return name.find(method) != std::string::npos; };
    published[name] = published_names(by("delong") ? delong : by("unbiased") ? unbiased : jackknife);
  }
  return {{"or_jackknife", obuchowski_rockette_json(jackknife, study.treatments)},
          {"or_delong", obuchowski_rockette_json(delong, study.treatments)},
          {"or_unbiased", obuchowski_rockette_json(unbiased, study.treatments)},
          {"dbm_jackknife", dorfman_berbaum_metz_json(dorfman_berbaum_metz(auc, leave_one_out_auc(study)))},
          {"n_pos", diseased}, {"n_neg", static_cast<long>(study.diseased.size()) - diseased}, {"published", published}};
}

json run_froc(const Case& test) {
  const FrocStudy study = froc_study_of(test);
  json result = {{"foms", json::object()}, {"froc_curves", json::object()}};
  const std::pair<const char*, FrocMerit> merits[] = {
      {"AFROC", FrocMerit::afroc}, {"AFROC1", FrocMerit::afroc1}, {"wAFROC", FrocMerit::wafroc}, {"wAFROC1", FrocMerit::wafroc1},
      {"HrAuc", FrocMerit::hr_auc}, {"MaxLLF", FrocMerit::max_llf}, {"MaxNLF", FrocMerit::max_nlf},
      {"MaxNLFAllCases", FrocMerit::max_nlf_all_cases}, {"HrSe", FrocMerit::hr_se}, {"HrSp", FrocMerit::hr_sp}};
  for (const auto& [name, merit] : merits) {
    const auto fom = froc_merit(study, merit);
    result["foms"][name] = matrix(fom);
    if (merit > FrocMerit::hr_auc) continue;
    const auto left_out = leave_one_out_merit(study, merit);
    result[std::string("or_jackknife_") + name] =
        obuchowski_rockette_json(obuchowski_rockette(fom, jackknife_covariance(left_out), level_of(test)), study.treatments);
    result[std::string("dbm_jackknife_") + name] = dorfman_berbaum_metz_json(dorfman_berbaum_metz(fom, left_out));
  }
  for (std::size_t t = 0; t < study.treatments.size(); ++t) {
    for (std::size_t r = 0; r < study.readers.size(); ++r) {
      result["froc_curves"]["t" + study.treatments[t] + "_r" + study.readers[r]] = curve_of(study, t * study.readers.size() + r);
    }
  }
  return result;
}

}  // namespace clmnet::survival::reference
