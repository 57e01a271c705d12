// clmnet-torch: clmnet for the commands of networks, linked with LibTorch before all else; see nets_part.cpp.
#include <iostream>

#include "tools/nets_part.h"

int main(int argc, char** argv) {
  if (clmnet::tools::names_command_of_nets(argc, argv)) return clmnet::tools::run_command_of_nets(argc, argv);
  std::cerr << "clmnet-torch: runs what clmnet hands on to it; call clmnet\n";
  return 2;
}
