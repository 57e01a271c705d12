#include "tools/commands.h"
#ifdef CLMNET_HAS_NETS
#include "tools/nets_part.h"
#endif

namespace clmnet::tools {

void add_bench(CLI::App& app, Session& session) {
  auto* bench = add_command(app, session, "bench", "How fast this machine is at one station of the way, beside the limit",
                            "clmnet bench tiles case_017.svs --threads 2 --json", nullptr);
  add_bench_tiles(*bench, session);
#ifdef CLMNET_HAS_NETS
  list_bench_of_nets(*bench);
#endif
}

}  // namespace clmnet::tools
