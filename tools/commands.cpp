#include "tools/commands.h"

namespace clmnet::tools {

void add_all_commands(CLI::App& app, Session& session) {
  add_survival(app, session);
  add_stats(app, session);
  add_synth_cohort(app, session);
  add_doctor(app, session);
  add_status(app, session);
#ifdef CLMNET_HAS_WSI
  add_info(app, session);
  add_bench(app, session);
  add_synth(app, session);
  add_tile(app, session);
  add_tissue(app, session);
  add_view(app, session);
#endif
#ifdef CLMNET_HAS_NETS
  add_analyze(app, session);
  add_evaluate(app, session);
  add_train(app, session);
  add_cv(app, session);
  add_export(app, session);
#endif
}

}  // namespace clmnet::tools
