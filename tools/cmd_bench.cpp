#include "tools/commands.h"

namespace clmnet::tools {

void add_bench(CLI::App& app, Session& session) {
  auto* bench = add_command(app, session, "bench", "How fast this machine is at one station of the way, beside the limit",
                            "clmnet bench tiles case_017.svs --threads 2 --json", nullptr);
  add_bench_tiles(*bench, session);
#ifdef CLMNET_HAS_NETS
  add_bench_nets(*bench, session);
#endif
}

}  // namespace clmnet::tools
