#include "tools/learning_curves.h"

#include <algorithm>

#include "tools/base/atomic_file.h"
#include "tools/cv/line_chart.h"

namespace clmnet::tools {
namespace {

ChartLine curve(const std::string& name, const std::vector<nets::EpochResult>& epochs, double nets::EpochResult::*value) {
  ChartLine line;
  line.name = name;
  line.marks = true;
  for (const auto& epoch : epochs) line.points.emplace_back(epoch.epoch, epoch.*value);
  return line;
}

LineChart chart_of(const std::string& title, const std::string& y_label, const std::vector<nets::EpochResult>& epochs) {
  LineChart chart;
  chart.title = title;
  chart.x_label = "epoch";
  chart.y_label = y_label;
  chart.x_min = epochs.size() > 1 ? 1 : 0;
  chart.x_max = static_cast<double>(epochs.size());
  return chart;
}

}  // namespace

void write_learning_curves(const std::filesystem::path& folder, const std::string& network, const std::vector<nets::EpochResult>& epochs) {
  if (epochs.empty()) return;
  LineChart loss = chart_of(network + ": loss", "loss, nats", epochs);
  loss.lines = {curve("training", epochs, &nets::EpochResult::train_loss), curve("validation", epochs, &nets::EpochResult::validation_loss)};
  loss.y_max = 0;
  for (const auto& e : epochs) loss.y_max = std::max({loss.y_max, e.train_loss, e.validation_loss});
  write_atomically(folder / ("loss_" + network + ".svg"), draw_svg(loss));

  LineChart quality = chart_of(network + ": validation patients", "accuracy, Dice", epochs);
  quality.lines = {curve("accuracy", epochs, &nets::EpochResult::accuracy), curve("Dice", epochs, &nets::EpochResult::dice)};
  write_atomically(folder / ("quality_" + network + ".svg"), draw_svg(quality));
}

}  // namespace clmnet::tools
