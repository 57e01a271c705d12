#include <cmath>
#include <iostream>
#include <memory>
#include <set>

#include "survival/segmentation.h"
#include "tools/base/error.h"
#include "tools/report/numbers.h"
#include "tools/report/text_table.h"
#include "tools/stats/commands.h"
#include "tools/stats/mask_image.h"
#include "tools/stats/mean_interval.h"

namespace clmnet::tools {
namespace {

using nlohmann::json;
namespace fs = std::filesystem;

struct Args {
  TableArgs table;
  std::string truth = "truth", prediction = "prediction", patient;
  MaskRule rule;
  std::optional<double> um_per_px;
  double min_iou = 0.5, level = 0.95;
  int connectivity = 8, resamples = 2000;
  std::uint64_t seed = 1;
};

struct ImageResult {
  std::string name, patient;
  survival::OverlapCounts counts;
  survival::SurfaceDistances distances;
  survival::ObjectScores objects;
};

/// What is summed up over images: its name, its unit, where it lies.
struct Measure {
  const char* key;
  const char* title;
  bool length;
  double (*of)(const ImageResult&);
};
const Measure kMeasures[] = {{"dice", "Dice", false, [](const ImageResult& r) { return r.counts.dice(); }},
                             {"iou", "IoU", false, [](const ImageResult& r) { return r.counts.iou(); }},
                             {"hd95", "HD95", true, [](const ImageResult& r) { return r.distances.hd95_max_of_directed; }},
                             {"hausdorff", "Hausdorff", true, [](const ImageResult& r) { return r.distances.hausdorff; }},
                             {"assd", "ASSD", true, [](const ImageResult& r) { return r.distances.assd_pooled; }},
                             {"object_dice", "object Dice", false, [](const ImageResult& r) { return r.objects.object_dice; }},
                             {"object_f1", "object F1", false, [](const ImageResult& r) { return r.objects.f1; }}};

std::string unit_of(const Args& args) { return args.um_per_px ? "um" : "px"; }

ImageResult analyse(const Args& args, const CompleteRows& rows, std::size_t i, std::size_t truth_column,
                    std::size_t prediction_column) {
  const std::size_t row = rows.rows()[i];
  const fs::path folder = args.table.data.parent_path();
  const std::string truth_name = rows.table().cell(row, truth_column), name = rows.table().cell(row, prediction_column);
  const auto read = [&](const std::string& file, std::size_t column) {
    try {
      return read_mask(folder / file, args.rule);
    } catch (const InputError& error) {
      throw InputError(rows.table().where(row, column) + ": " + error.what());
    }
  };
  const Mask truth = read(truth_name, truth_column), prediction = read(name, prediction_column);
  if (truth.rows != prediction.rows || truth.columns != prediction.columns) {
    throw InputError(rows.table().where(row, prediction_column) + ": " + name + " is " + std::to_string(prediction.columns) +
                     " x " + std::to_string(prediction.rows) + " px, its truth " + truth_name + " is " +
                     std::to_string(truth.columns) + " x " + std::to_string(truth.rows) + "; expected one size");
  }
  const survival::MaskView a{truth.rows, truth.columns, truth.pixels}, b{prediction.rows, prediction.columns, prediction.pixels};
  const double spacing = args.um_per_px.value_or(1);
  return {name, args.patient.empty() ? std::to_string(i) : rows.table().cell(row, rows.table().column(args.patient)),
          survival::overlap(a, b), survival::surface_distances(a, b, {spacing, spacing}),
          survival::object_scores(a, b, args.min_iou, args.connectivity)};
}

json image_json(const Args& args, const ImageResult& image) {
  json entry = {{"prediction", image.name},
                {"tp", image.counts.tp},
                {"fp", image.counts.fp},
                {"fn", image.counts.fn},
                {"tn", image.counts.tn},
                {"objects",
                 {{"truth", image.objects.truth_objects},
                  {"predicted", image.objects.predicted_objects},
                  {"tp", image.objects.tp},
                  {"fp", image.objects.fp},
                  {"fn", image.objects.fn},
                  {"precision", json_number(image.objects.precision)},
                  {"recall", json_number(image.objects.recall)},
                  {"mean_matched_iou", json_number(image.objects.mean_matched_iou)}}}};
  for (const auto& measure : kMeasures) {
    entry[std::string(measure.key) + (measure.length ? std::string("_") + unit_of(args) : std::string())] =
        json_number(measure.of(image));
  }
  if (!args.patient.empty()) entry["patient"] = image.patient;
  return entry;
}

/// Sums over images, then the ratio: large objects count more than in the mean over images.
struct Pooled {
  survival::OverlapCounts counts;
  int tp = 0, fp = 0, fn = 0;
  double f1() const { return tp + fp + fn > 0 ? 2.0 * tp / (2.0 * tp + fp + fn) : std::nan(""); }
};

Pooled pool(const std::vector<ImageResult>& images) {
  Pooled pooled;
  for (const auto& image : images) {
    pooled.counts += image.counts;
    pooled.tp += image.objects.tp;
    pooled.fp += image.objects.fp;
    pooled.fn += image.objects.fn;
  }
  return pooled;
}

MeanInterval summary_of(const Args& args, const std::vector<ImageResult>& images, const Measure& measure) {
  std::vector<double> values;
  std::vector<std::string> patients;
  for (const auto& image : images) {
    values.push_back(measure.of(image));
    patients.push_back(image.patient);
  }
  return mean_interval(values, patients, args.resamples, args.seed, args.level);
}

std::string convention_of(const Args& args) {
  return std::string("inside: ") +
         (args.rule.label >= 0 ? "pixels of value " + std::to_string(args.rule.label)
                               : "pixels above " + number_text(args.rule.above)) +
         "; two empty masks are undefined and left out of means, one empty mask is Dice 0 and has no distance; borders: inside "
         "pixels with a 4-neighbour outside, distances between pixel "
         "centres in " +
         unit_of(args) + "; HD95: larger of the directed 95th percentiles; objects: " + std::to_string(args.connectivity) +
         "-connected, matched at IoU > " + number_text(args.min_iou) +
         "; object Dice of GlaS; intervals: percentile bootstrap of " + (args.patient.empty() ? "images" : "patients") + " (" +
         std::to_string(args.resamples) + " resamples, seed " + std::to_string(args.seed) + ")";
}

void print_tables(const Args& args, const CompleteRows& rows, const std::vector<ImageResult>& images) {
  constexpr std::size_t most = 40;
  std::vector<std::string> header{"image"};
  for (const auto& measure : kMeasures) {
    header.push_back(measure.title + std::string(measure.length ? args.um_per_px ? " (µm)" : " (px)" : ""));
  }
  TextTable each(header), all({"over images", "n", "undefined", "mean", "lower", "upper", "SD", "median", "quartiles"});
  for (std::size_t i = 0; i < images.size() && i < most; ++i) {
    std::vector<std::string> cells{images[i].name};
    for (const auto& measure : kMeasures) cells.push_back(fixed_text(measure.of(images[i]), measure.length ? 2 : 4));
    each.add(cells);
  }
  for (std::size_t k = 0; k < std::size(kMeasures); ++k) {
    const auto summary = summary_of(args, images, kMeasures[k]);
    const int digits = kMeasures[k].length ? 2 : 4;
    all.add({header[k + 1], std::to_string(summary.n), std::to_string(images.size() - summary.n),
             fixed_text(summary.mean, digits), fixed_text(summary.lower, digits), fixed_text(summary.upper, digits),
             fixed_text(summary.sd, digits), fixed_text(summary.median, digits),
             fixed_text(summary.lower_quartile, digits) + " to " + fixed_text(summary.upper_quartile, digits)});
  }
  const Pooled pooled = pool(images);
  std::cout << rows.report_text() << "\n\n"
            << each.text()
            << (images.size() > most ? "… " + std::to_string(images.size() - most) + " more, all in --json\n" : std::string())
            << "\n"
            << all.text() << "\nPooled over all pixels: Dice " << fixed_text(pooled.counts.dice(), 4) << ", IoU "
            << fixed_text(pooled.counts.iou(), 4) << "; over all objects: F1 " << fixed_text(pooled.f1(), 4) << " (" << pooled.tp
            << " found, " << pooled.fp << " false, " << pooled.fn << " missed)\n"
            << percent_text(args.level) << " intervals: bootstrap of " << (args.patient.empty() ? "images" : "patients")
            << "; undefined: both masks empty, or a distance to an empty mask\n"
            << std::flush;
}

int run(const Args& args, const Session& session) {
  std::vector<std::string> needed{args.truth, args.prediction};
  if (!args.patient.empty()) needed.push_back(args.patient);
  const CompleteRows rows = args.table.read(needed);
  const std::size_t truth_column = rows.table().column(args.truth), prediction_column = rows.table().column(args.prediction);
  std::vector<ImageResult> images;
  for (std::size_t i = 0; i < rows.size(); ++i) {
    stop_if_interrupted("nothing was written");
    images.push_back(analyse(args, rows, i, truth_column, prediction_column));
  }
  if (!session.json) {
    print_tables(args, rows, images);
    return 0;
  }
  json document = result_head("segmentation", convention_of(args), images.size());
  document["table"] = rows.report();
  document["level"] = args.level;
  if (args.um_per_px) document["um_per_px"] = *args.um_per_px;
  for (const auto& measure : kMeasures) {
    const auto s = summary_of(args, images, measure);
    document["summary"][std::string(measure.key) + (measure.length ? std::string("_") + unit_of(args) : std::string())] = {
        {"n", s.n},
        {"undefined", images.size() - s.n},
        {"mean", json_number(s.mean)},
        {"ci", {json_number(s.lower), json_number(s.upper)}},
        {"sd", json_number(s.sd)},
        {"median", json_number(s.median)},
        {"quartiles", {json_number(s.lower_quartile), json_number(s.upper_quartile)}}};
  }
  const Pooled pooled = pool(images);
  document["pooled"] = {{"dice", json_number(pooled.counts.dice())},
                        {"iou", json_number(pooled.counts.iou())},
                        {"object_f1", json_number(pooled.f1())}};
  for (const auto& image : images) document["images"].push_back(image_json(args, image));
  print_json(document);
  return 0;
}

}  // namespace

void add_stats_segmentation(CLI::App& parent, Session& session) {
  auto args = std::make_shared<Args>();
  CLI::App* command = add_command(
      parent, session, "segmentation", "Dice, IoU, surface distances and object measures of masks",
      "clmnet stats segmentation --data pairs.csv --truth mask --prediction ensemble --um-per-px 0.5 --patient patient_id",
      [args, &session] { return run(*args, session); });
  add_table_options(*command, args->table, "CSV with one row a pair of mask images; their paths count from its folder");
  command->add_option("--truth", args->truth, "Column: mask of the truth")->capture_default_str();
  command->add_option("--prediction", args->prediction, "Column: mask to be judged")->capture_default_str();
  command->add_option("--um-per-px", args->um_per_px, "Pixel size: distances in µm (default: in px)")->check(CLI::PositiveNumber);
  command->add_option("--above", args->rule.above, "Pixels above this value are inside, e.g. 127 for 8-bit probabilities")
      ->check(CLI::NonNegativeNumber)
      ->capture_default_str();
  command->add_option("--label", args->rule.label, "Only pixels of this value are inside")->check(CLI::Range(0, 65535));
  command->add_option("--patient", args->patient, "Column: images of one patient are not independent (bootstrap by patient)");
  command->add_option("--min-iou", args->min_iou, "Objects match above this IoU")
      ->check(CLI::Range(0.5, 0.9999))
      ->capture_default_str();
  command->add_option("--connectivity", args->connectivity, "Neighbours that make an object")
      ->check(CLI::IsMember({4, 8}))
      ->capture_default_str();
  add_level_option(*command, args->level);
  command->add_option("--resamples", args->resamples, "Resamples of the bootstrap")
      ->check(CLI::Range(100, 1000000))
      ->capture_default_str();
  command->add_option("--seed", args->seed, "Seed of the bootstrap")->capture_default_str();
}

}  // namespace clmnet::tools
