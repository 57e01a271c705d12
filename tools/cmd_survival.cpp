#include "survival/groups.h"
#include "tools/commands.h"
#include "tools/stats/commands.h"
#include "tools/survival/commands.h"

namespace clmnet::tools {

void add_outcome_options(CLI::App& command, CohortColumns& columns) {
  command.add_option("--data", columns.data, "CSV with one row a patient")->required();
  command.add_option("--time", columns.time, "Column: time until the event or until last seen")->required();
  command.add_option("--event", columns.event, "Column: 1 event seen, 0 censored")->required();
  add_missing_option(command, columns.missing);
}

void add_survival(CLI::App& app, Session& session) {
  CLI::App* parent = add_command(app, session, "survival", "Curves, tests and risk models for censored times",
                                 "clmnet survival km --data cohort.csv --time months --event died --group arm", nullptr);
  add_survival_km(*parent, session);
  add_survival_logrank(*parent, session);
  add_survival_cox(*parent, session);
  add_survival_fit(*parent, session);
  add_survival_predict(*parent, session);
}

}  // namespace clmnet::tools
