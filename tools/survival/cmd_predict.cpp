#include <algorithm>
#include <cmath>
#include <filesystem>
#include <iostream>
#include <map>
#include <memory>

#include "tools/base/atomic_file.h"
#include "tools/base/error.h"
#include "tools/stats/commands.h"
#include "tools/survival/commands.h"
#include "tools/survival/model_file.h"
#include "tools/survival/risk_map.h"

namespace clmnet::tools {
namespace {

namespace fs = std::filesystem;
using nlohmann::json;

struct Args {
  fs::path model, data, out, features, slides, maps;
  std::vector<std::string> missing;
  std::string id;
};

struct Patients {
  std::vector<std::string> names;
  Eigen::MatrixXd x;
  std::vector<std::string> without_slide;
};

void require_sound(const Args& args, const SavedModel& model) {
  const bool clinical = !model.source.empty();
  if (args.features.empty() != args.slides.empty()) {
    throw InputError("survival predict: --features and --slides (CSV with slide,patient_id) belong together");
  }
  if (model.slides && args.features.empty()) {
    throw InputError("survival predict: the model was fitted with slide features; give --features and --slides");
  }
  if (!model.slides && !args.features.empty()) {
    throw InputError("survival predict: the model was fitted without slide features; leave out --features and --slides");
  }
  if (clinical && args.data.empty()) {
    throw InputError("survival predict: the model was fitted with clinical columns; give --data");
  }
  if (!args.maps.empty() && !model.slides) throw InputError("survival predict: --risk-maps needs a model with slide features");
}

/// Patients of --data, or without it those of --slides, each once, in the order of the file.
Patients patients_of(const Args& args, const SavedModel& model) {
  Patients patients;
  if (!args.data.empty()) {
    const CsvTable table = CsvTable::read(args.data);
    std::optional<std::size_t> id;
    if (!args.id.empty()) id = table.column(args.id);
    for (const char* name : {"patient_id", "Patient-ID", "patient", "bcr_patient_barcode"}) {
      if (!id) id = table.find(name);
    }
    if (!id && model.slides) {
      throw InputError(table.name() + ": no column says who the patient is; name it with --id, as patient_id in " +
                       args.slides.string());
    }
    for (std::size_t i = 0; i < table.rows(); ++i) {
      patients.names.push_back(id ? table.cell(i, *id) : "line " + std::to_string(table.line(i)));
    }
    patients.x = covariates_of_new(table, args.missing, model.source, model.level);
  } else {
    const CsvTable table = CsvTable::read(args.slides);
    const std::size_t column = table.column("patient_id");
    for (std::size_t i = 0; i < table.rows(); ++i) {
      if (std::find(patients.names.begin(), patients.names.end(), table.cell(i, column)) == patients.names.end()) {
        patients.names.push_back(table.cell(i, column));
      }
    }
    patients.x.resize(static_cast<Eigen::Index>(patients.names.size()), 0);
  }
  if (!model.slides) return patients;
  const auto joined = join_features(args.features, args.slides, patients.names, model.slides->pooling);
  if (joined.width != model.slides->width) {
    throw InputError(args.features.string() + ": slides with " + std::to_string(joined.width) +
                     " features a tile, the model was fitted to " + std::to_string(model.slides->width));
  }
  patients.without_slide = joined.without_slide;
  const Eigen::Index clinical = patients.x.cols();
  patients.x.conservativeResize(Eigen::NoChange, clinical + static_cast<Eigen::Index>(model.slides->column.size()));
  patients.x.rightCols(static_cast<Eigen::Index>(model.slides->column.size())) = joined.x(Eigen::all, model.slides->column);
  return patients;
}

/// risk.tiff of every slide of the patients; per slide the sum of its pixels.
json write_maps(const Args& args, const SavedModel& model, const Patients& patients) {
  const CsvTable table = CsvTable::read(args.slides);
  const std::size_t slide_column = table.column("slide"), patient_column = table.column("patient_id");
  json list = json::array();
  for (std::size_t row = 0; row < table.rows(); ++row) {
    if (std::find(patients.names.begin(), patients.names.end(), table.cell(row, patient_column)) == patients.names.end()) {
      continue;
    }
    stop_if_interrupted("maps that were written are whole");
    const SlideTiles slide =
        read_slide_tiles(args.features, table.cell(row, slide_column), model.slides->pooling == Pooling::attention);
    const Eigen::VectorXd contribution = tile_contributions(model, slide);
    const fs::path folder = args.maps / slide.file.parent_path().filename();
    std::error_code failed;
    fs::create_directories(folder, failed);
    if (failed) throw InputError(folder.string() + ": cannot be made (" + failed.message() + ")");
    const std::string what = model.method == RiskMethod::cox ? "log hazard ratio" : "log odds of the event";
    write_risk_map(folder / "risk.tiff", risk_map(slide, contribution),
                   "clmnet: what each tile adds to the slide's " + what + "; the sum of the pixels is the slide's");
    list.push_back({{"slide", table.cell(row, slide_column)},
                    {"patient", table.cell(row, patient_column)},
                    {"tiles", contribution.size()},
                    {"predictor", contribution.sum()},
                    {"file", (folder / "risk.tiff").string()}});
  }
  return list;
}

int run(const Args& args, const Session& session) {
  const SavedModel model = load_model(fs::is_directory(args.model) ? args.model / "model.json" : args.model);
  require_sound(args, model);
  const Patients patients = patients_of(args, model);
  const Eigen::VectorXd predictor = model.predictor(patients.x);
  std::string csv = "patient,risk,group\n";
  json rows = json::array();
  for (std::size_t i = 0; i < patients.names.size(); ++i) {
    const bool lacks = std::find(patients.without_slide.begin(), patients.without_slide.end(), patients.names[i]) !=
                       patients.without_slide.end();
    const double along = predictor[static_cast<Eigen::Index>(i)], value = model.risk(along);
    const char* group = lacks ? "" : value > model.cut ? "high" : "low";
    char text[40];
    std::snprintf(text, sizeof text, "%.9g", value);
    csv += csv_field(patients.names[i]) + "," + (lacks ? "" : text) + "," + group + "\n";
    rows.push_back({{"patient", patients.names[i]},
                    {"predictor", lacks ? json() : json(along)},
                    {"risk", lacks ? json() : json(value)},
                    {"group", lacks ? json() : json(group)}});
  }
  const json maps = args.maps.empty() ? json() : write_maps(args, model, patients);
  if (!args.out.empty()) write_atomically(args.out, csv);
  if (!patients.without_slide.empty()) {
    std::cerr << "clmnet: " << patients.without_slide.size() << " patients have no slide and get no risk, the first is '"
              << patients.without_slide.front() << "'\n";
  }
  if (session.json) {
    json document = {
        {"method", name_of(model.method)},
        {"convention",
         "probability of the event by the horizon; above the training median is high; missing values: training median"},
        {"horizon", model.horizon},
        {"time", model.time_name},
        {"cut", model.cut},
        {"n", patients.names.size()},
        {"software", std::string("clmnet ") + CLMNET_VERSION},
        {"patients", rows}};
    if (!maps.is_null()) {
      document["risk_maps"] = maps;
      document["risk_maps_convention"] =
          "the sum of a map is its slide's predictor; a patient's predictor is the mean over its slides" +
          std::string(model.source.empty() ? "" : ", plus what the clinical columns add");
    }
    print_json(document);
  } else if (args.out.empty()) {
    std::cout << csv << std::flush;
  } else {
    std::cout << args.out.string() << ": " << patients.names.size() << " patients, risk of the event by " << model.horizon << " ("
              << model.time_name << ")" << std::endl;
  }
  return 0;
}

}  // namespace

void add_survival_predict(CLI::App& parent, Session& session) {
  auto args = std::make_shared<Args>();
  CLI::App* command =
      add_command(parent, session, "predict", "Risk of new patients by a model that 'survival fit' left",
                  "clmnet survival predict --model OUT --features RUN --slides slides.csv --risk-maps MAPS -o risk.csv",
                  [args, &session] { return run(*args, session); });
  command->add_option("--model", args->model, "OUT of 'survival fit', or its model.json")->required();
  command->add_option("--data", args->data, "CSV with the model's clinical columns");
  add_missing_option(*command, args->missing);
  command->add_option("--id", args->id, "Column: patient (default: patient_id or Patient-ID)");
  command->add_option("--features", args->features, "Run folder of 'clmnet analyze', for a model with slide features");
  command->add_option("--slides", args->slides, "CSV with slide,patient_id for --features");
  command->add_option("--risk-maps", args->maps, "Folder: <slide>/risk.tiff, what each tile adds to the risk");
  command->add_option("-o,--out", args->out, "CSV to write (default: stdout)");
}

}  // namespace clmnet::tools
