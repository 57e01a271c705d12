#pragma once

#include <filesystem>
#include <string>
#include <vector>

#include "nets/training/trainer.h"

namespace clmnet::tools {

/// Writes loss_<network>.svg (training and validation loss by epoch) and quality_<network>.svg (accuracy and Dice on the
/// validation patients) into `folder`, each whole or absent. Nothing is written without an epoch.
/// Throws as draw_figure: gnuplot must be there.
void write_learning_curves(const std::filesystem::path& folder, const std::string& network, const std::vector<nets::EpochResult>& epochs);

}  // namespace clmnet::tools
