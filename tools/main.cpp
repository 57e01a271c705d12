#ifdef CLMNET_HAS_NETS
#include "tools/nets_part.h"
#endif
#include "tools/program.h"

int main(int argc, char** argv) {
  using namespace clmnet;
#ifdef CLMNET_HAS_NETS
  if (tools::names_command_of_nets(argc, argv)) return tools::run_command_of_nets(argc, argv);
#endif
  return tools::run_program(argc, argv, tools::add_all_commands);
}
