#include <stdexcept>

#include "tools/base/error.h"
#include "tools/commands.h"
#include "tools/stats/commands.h"

namespace clmnet::tools {

CompleteRows TableArgs::read(const std::vector<std::string>& needed) const {
  return CompleteRows(CsvTable::read(data), missing, needed);
}

void add_table_options(CLI::App& command, TableArgs& args, const std::string& what_data_is) {
  command.add_option("--data", args.data, what_data_is)->required();
  add_missing_option(command, args.missing);
}

void add_missing_option(CLI::App& command, std::vector<std::string>& missing) {
  // One value a flag: in a list CLI11 takes the brackets of TCGA's "[Not Available]" for its own and drops them.
  command
      .add_option("--missing", missing,
                  "Value that stands for 'missing' beside an empty field and NA, e.g. -999; may be given again")
      ->allow_extra_args(false);
}

void add_level_option(CLI::App& command, double& level) {
  command.add_option("--level", level, "Level of the intervals")->check(CLI::Range(0.5, 0.9999))->capture_default_str();
}

nlohmann::json result_head(const std::string& method, const std::string& convention, std::size_t n) {
  return {{"method", method}, {"convention", convention}, {"software", std::string("clmnet ") + CLMNET_VERSION}, {"n", n}};
}

void naming_file(const std::string& file, const std::function<void()>& compute) {
  try {
    compute();
  } catch (const std::invalid_argument& error) {
    throw InputError(file + ": " + error.what());
  }
}

void add_stats(CLI::App& app, Session& session) {
  CLI::App* parent =
      add_command(app, session, "stats", "Evaluation of classifiers, raters, masks and readers",
                  "clmnet stats roc --data scores.csv --truth tumour --scores ensemble,unet --figure roc.svg", nullptr);
  add_stats_roc(*parent, session);
  add_stats_agreement(*parent, session);
#ifdef CLMNET_HAS_WSI
  add_stats_segmentation(*parent, session);
#endif
  add_stats_froc(*parent, session);
  add_stats_readers(*parent, session);
}

}  // namespace clmnet::tools
