#include "tools/commands.h"
#ifdef CLMNET_HAS_NETS
#include "tools/nets_part.h"
#endif

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
  list_commands_of_nets(app);
#endif
}

}  // namespace clmnet::tools
