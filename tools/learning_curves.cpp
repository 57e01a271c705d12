#include "tools/learning_curves.h"

#include <algorithm>

#include "tools/report/curve_figure.h"

namespace clmnet::tools {
namespace {

using Epochs = std::vector<nets::EpochResult>;

FigureCurve curve(const std::string& name, const Epochs& epochs, double nets::EpochResult::*value) {
  FigureCurve line;
  line.name = name;
  for (const auto& epoch : epochs) {
    line.x.push_back(epoch.epoch);
    line.y.push_back(epoch.*value);
  }
  line.mark_x = line.x;
  line.mark_y = line.y;
  return line;
}

void draw(const std::filesystem::path& target, const std::string& title, const std::string& y_label, double y_most,
          std::vector<FigureCurve> curves) {
  CurveFigure figure;
  figure.x_label = title;
  figure.y_label = y_label;
  figure.x_most = curves.front().x.back() + 1;
  figure.y_most = y_most;
  figure.curves = std::move(curves);
  draw_curves(target, figure);
}

}  // namespace

void write_learning_curves(const std::filesystem::path& folder, const std::string& network, const Epochs& epochs) {
  if (epochs.empty()) return;
  double highest = 0;
  for (const auto& e : epochs) highest = std::max({highest, e.train_loss, e.validation_loss});
  draw(folder / ("loss_" + network + ".svg"), "Epoch of " + network, "Loss, nats", highest * 1.1 + 1e-9,
       {curve("training", epochs, &nets::EpochResult::train_loss), curve("validation", epochs, &nets::EpochResult::validation_loss)});
  draw(folder / ("quality_" + network + ".svg"), "Epoch of " + network, "Accuracy and Dice on validation patients", 1,
       {curve("accuracy", epochs, &nets::EpochResult::accuracy), curve("Dice", epochs, &nets::EpochResult::dice)});
}

}  // namespace clmnet::tools
