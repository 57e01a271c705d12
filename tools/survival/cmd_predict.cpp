#include <filesystem>
#include <iostream>
#include <memory>

#include "tools/base/atomic_file.h"
#include "tools/base/error.h"
#include "tools/survival/commands.h"
#include "tools/survival/model_file.h"

namespace clmnet::tools {
namespace {

struct Args {
  std::filesystem::path model, data, out;
  std::vector<std::string> missing;
  std::string id;
};

int run(const Args& args, const Session& session) {
  const std::filesystem::path file = std::filesystem::is_directory(args.model) ? args.model / "model.json" : args.model;
  const SavedModel saved = load_model(file);
  const CsvTable table = CsvTable::read(args.data);
  const Eigen::MatrixXd x = covariates_of_new(table, args.missing, saved.source, saved.level);
  const Eigen::VectorXd risk = saved.model.predict(x);
  const auto id = args.id.empty() ? std::optional<std::size_t>{} : table.column(args.id);
  std::string csv = "patient,risk,group\n";
  nlohmann::json rows = nlohmann::json::array();
  for (std::size_t i = 0; i < table.rows(); ++i) {
    const std::string patient = id ? table.cell(i, *id) : "line " + std::to_string(table.line(i));
    const double value = risk[static_cast<Eigen::Index>(i)];
    const char* group = value > saved.model.cut ? "high" : "low";
    char text[40];
    std::snprintf(text, sizeof text, "%.9g", value);
    csv += csv_field(patient) + "," + text + "," + group + "\n";
    rows.push_back({{"patient", patient}, {"risk", value}, {"group", group}});
  }
  if (!args.out.empty()) write_atomically(args.out, csv);
  if (session.json) {
    print_json({{"method", "logistic regression"}, {"horizon", saved.horizon}, {"time", saved.time_name}, {"cut", saved.model.cut}, {"n", table.rows()},
                {"software", std::string("clmnet ") + CLMNET_VERSION}, {"patients", rows}});
  } else if (args.out.empty()) {
    std::cout << csv << std::flush;
  } else {
    std::cout << args.out.string() << ": " << table.rows() << " patients, risk of the event by " << saved.horizon << " (" << saved.time_name << ")" << std::endl;
  }
  return 0;
}

}  // namespace

void add_survival_predict(CLI::App& parent, Session& session) {
  auto args = std::make_shared<Args>();
  CLI::App* command = add_command(parent, session, "predict", "Risk of new patients by a model that 'survival fit' left",
                                  "clmnet survival predict --model OUT --data new.csv --missing -999 -o risk.csv", [args, &session] { return run(*args, session); });
  command->add_option("--model", args->model, "OUT of 'survival fit', or its model.json")->required();
  command->add_option("--data", args->data, "CSV with the model's covariates")->required();
  command->add_option("--missing", args->missing, "Value that stands for 'missing'; may be given again");
  command->add_option("--id", args->id, "Column: patient");
  command->add_option("-o,--out", args->out, "CSV to write (default: stdout)");
}

}  // namespace clmnet::tools
