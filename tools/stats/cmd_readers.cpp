#include <iostream>
#include <map>
#include <memory>
#include <set>

#include "survival/mrmc.h"
#include "tools/base/error.h"
#include "tools/report/numbers.h"
#include "tools/stats/commands.h"
#include "tools/stats/reader_report.h"

namespace clmnet::tools {
namespace {

using nlohmann::json;

const std::map<std::string, survival::AucCovariance> kCovariances = {{"jackknife", survival::AucCovariance::jackknife},
                                                                     {"delong", survival::AucCovariance::delong},
                                                                     {"unbiased", survival::AucCovariance::unbiased}};

struct Args {
  TableArgs table;
  std::string reader = "reader", case_id = "case", modality = "modality", truth = "truth", rating = "rating", positive = "1";
  std::string covariance = "jackknife";
  ReaderModel model;
  double level = 0.95;
};

/// A study is fully crossed: a case that lacks one rating leaves the study with all of its rows, and is counted.
CompleteRows read_study(const Args& args) {
  const CsvTable table = CsvTable::read(args.table.data);
  const std::vector<std::string> columns{args.reader, args.case_id, args.modality, args.truth, args.rating};
  CompleteRows rows(table, args.table.missing, columns);
  std::set<std::string> lacking;
  const std::size_t case_column = table.column(args.case_id);
  for (std::size_t row = 0; row < table.rows(); ++row) {
    for (const auto& column : columns) {
      if (rows.missing(row, table.column(column))) lacking.insert(table.cell(row, case_column));
    }
  }
  std::vector<bool> keep;
  for (const auto& name : rows.texts(args.case_id)) keep.push_back(!lacking.contains(name));
  rows.leave_out(keep, "of a case that lacks another rating");
  if (rows.size() == 0) throw InputError(table.name() + ": every case lacks a value, no case is left; " + rows.report_text());
  return rows;
}

std::vector<survival::Rating> ratings_of(const Args& args, const CompleteRows& rows) {
  const auto reader = rows.texts(args.reader), name = rows.texts(args.case_id), modality = rows.texts(args.modality);
  const auto truth = rows.truth(args.truth, args.positive);
  const auto value = rows.numbers(args.rating);
  std::vector<survival::Rating> ratings;
  std::map<std::vector<std::string>, std::size_t> seen;
  std::map<std::string, std::size_t> first_of_case;
  for (std::size_t i = 0; i < rows.size(); ++i) {
    const std::size_t first = first_of_case.emplace(name[i], i).first->second;
    if (truth[i] != truth[first]) {
      throw InputError(rows.table().where(rows.rows()[i], rows.table().column(args.truth)) + ": case '" + name[i] + "' is " +
                       (truth[i] ? "positive" : "negative") + " here and not on line " +
                       std::to_string(rows.table().line(rows.rows()[first])) + "; expected one truth a case");
    }
    const auto [before, fresh] = seen.emplace(std::vector<std::string>{modality[i], reader[i], name[i]}, i);
    if (!fresh) {
      throw InputError(rows.table().where(rows.rows()[i], rows.table().column(args.rating)) + ": a second rating of case '" +
                       name[i] + "' by reader '" + reader[i] + "' under '" + modality[i] + "', the first is on line " +
                       std::to_string(rows.table().line(rows.rows()[before->second])) + "; expected one");
    }
    ratings.push_back({modality[i], reader[i], name[i], truth[i] != 0, value[i]});
  }
  return ratings;
}

int run(const Args& args, const Session& session) {
  const CompleteRows rows = read_study(args);
  survival::ReaderStudy study;
  naming_file(rows.table().name(), [&] { study = survival::make_reader_study(ratings_of(args, rows)); });
  const auto diseased = static_cast<std::size_t>(std::count(study.diseased.begin(), study.diseased.end(), 1));
  if (diseased < 2 || study.cases.size() - diseased < 2) {
    throw InputError(rows.table().name() + ": " + std::to_string(diseased) + " positive and " +
                     std::to_string(study.cases.size() - diseased) + " negative cases, expected at least two of each");
  }
  const auto auc = survival::reader_auc(study);
  const auto covariance = survival::reader_auc_covariance(study, kCovariances.at(args.covariance));
  const auto analysis = survival::obuchowski_rockette(auc, covariance, args.level);
  const auto dbm = survival::dorfman_berbaum_metz(auc, survival::leave_one_out_auc(study));
  if (session.json) {
    json document = result_head("multi-reader multi-case ROC",
                                "empirical AUC, ties half; covariance: " + args.covariance +
                                    "; degrees of freedom of Hillis 2007; Dorfman-Berbaum-Metz on "
                                    "jackknife pseudovalues with Hillis 2008; planned for " +
                                    name_of(args.model),
                                study.cases.size());
    document["table"] = rows.report();
    document["level"] = args.level;
    document["cases"] = {{"positive", diseased}, {"negative", study.cases.size() - diseased}};
    document["readers"] = study.readers;
    document["modalities"] = study.treatments;
    document["auc"] = readings_json(study.treatments, study.readers, auc, covariance, args.level);
    document["obuchowski_rockette"] = or_json(analysis, study.treatments);
    document["dorfman_berbaum_metz"] = dbm_json(dbm);
    document["planned"] = name_of(args.model);
    print_json(document);
    return 0;
  }
  std::cout << rows.report_text() << "; " << study.cases.size() << " cases (" << diseased << " positive), "
            << study.readers.size() << " readers, " << study.treatments.size() << " modalities\n\n"
            << readings_text(study.treatments, study.readers, auc, covariance, args.level, "AUC") << "\n"
            << or_text(analysis, study.treatments, args.model) << "\n"
            << dbm_text(dbm) << percent_text(args.level) << " intervals; covariance of AUCs: " << args.covariance << "\n"
            << std::flush;
  return 0;
}

}  // namespace

void add_stats_readers(CLI::App& parent, Session& session) {
  auto args = std::make_shared<Args>();
  CLI::App* command =
      add_command(parent, session, "readers", "Reader studies: Obuchowski-Rockette and Dorfman-Berbaum-Metz",
                  "clmnet stats readers --data ratings.csv --modality aided --covariance delong", [args, &session] {
                    require_something_random(args->model);
                    return run(*args, session);
                  });
  add_table_options(*command, args->table, "CSV with one row a rating; every reader rates every case under every modality");
  command->add_option("--reader", args->reader, "Column: reader")->capture_default_str();
  command->add_option("--case", args->case_id, "Column: case")->capture_default_str();
  command->add_option("--modality", args->modality, "Column: what is compared")->capture_default_str();
  command->add_option("--truth", args->truth, "Column: the truth, two values")->capture_default_str();
  command->add_option("--positive", args->positive, "Value of the truth that is positive")->capture_default_str();
  command->add_option("--rating", args->rating, "Column: rating, high speaks for positive")->capture_default_str();
  command->add_option("--covariance", args->covariance, "How covariances of AUCs are estimated")
      ->check(CLI::IsMember({"jackknife", "delong", "unbiased"}))
      ->capture_default_str();
  add_model_options(*command, args->model);
  add_level_option(*command, args->level);
}

}  // namespace clmnet::tools
