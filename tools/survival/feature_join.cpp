#include "tools/survival/feature_join.h"

#include <algorithm>
#include <limits>
#include <map>
#include <set>
#include <stdexcept>

#include "tools/base/csv.h"
#include "tools/base/error.h"

#ifdef CLMNET_HAS_FEATURES
#include "wsi/features_h5.h"
#endif

namespace clmnet::tools {
namespace fs = std::filesystem;

const char* name_of(Pooling pooling) {
  switch (pooling) {
    case Pooling::mean: return "mean";
    case Pooling::max: return "max";
    case Pooling::quantiles: return "quantiles";
    default: return "attention";
  }
}

Eigen::VectorXd tile_weights(const SlideTiles& slide, Pooling pooling) {
  const Eigen::Index tiles = slide.features.rows();
  if (pooling == Pooling::attention && slide.tumour.sum() > 0) return slide.tumour / slide.tumour.sum();
  if (pooling == Pooling::mean || pooling == Pooling::attention) {
    return Eigen::VectorXd::Constant(tiles, 1.0 / static_cast<double>(tiles));
  }
  throw std::invalid_argument("tile_weights: only mean and attention weigh tiles");
}

#ifdef CLMNET_HAS_FEATURES
namespace {

constexpr double kQuantiles[] = {0.1, 0.5, 0.9};

fs::path features_file(const fs::path& run, const std::string& slide) {
  for (const auto& name : {fs::path(slide), fs::path(slide).stem()}) {
    const auto file = run / name / "features.h5";
    if (fs::exists(file)) return file;
  }
  throw InputError((run / fs::path(slide).stem() / "features.h5").string() +
                   ": no such file; run 'clmnet analyze' on the slide '" + slide + "' first, or take it out of --slides");
}

std::size_t tumour_column(const CsvTable& table, bool& complement) {
  complement = false;
  for (const char* name : {"prob_tumour", "prob_tumor"}) {
    if (const auto found = table.find(name)) return *found;
  }
  complement = true;
  for (std::size_t j = 0; j < table.columns().size(); ++j) {
    if (table.columns()[j].starts_with("prob_")) return j;
  }
  throw InputError(
      table.name() +
      ": no column prob_…, expected tumour probabilities for attention; analyse the slide again or give another --pooling");
}

Eigen::VectorXd tumour_of(const fs::path& file, const wsi::TileFeatures& tiles) {
  const CsvTable table = CsvTable::read(file);
  const std::size_t x = table.column("minx"), y = table.column("miny");
  bool complement = false;
  const std::size_t column = tumour_column(table, complement);
  if (table.rows() != tiles.coords.size()) {
    throw InputError(file.string() + ": " + std::to_string(table.rows()) + " tiles, features.h5 beside it has " +
                     std::to_string(tiles.coords.size()) + "; analyse the slide again");
  }
  Eigen::VectorXd tumour(static_cast<Eigen::Index>(table.rows()));
  for (std::size_t i = 0; i < table.rows(); ++i) {
    if (table.number(i, x) != static_cast<double>(tiles.coords[i].x) ||
        table.number(i, y) != static_cast<double>(tiles.coords[i].y)) {
      throw InputError(table.where(i, x) + ": another tile than row " + std::to_string(i) +
                       " of features.h5 beside it; analyse the slide again");
    }
    // A tile that could not be decoded has an empty cell and no features to speak of: it does not count.
    const double value = table.cell(i, column).empty() ? (complement ? 1 : 0) : table.number(i, column);
    if (value < 0 || value > 1) {
      throw InputError(table.where(i, column) + ": " + table.cell(i, column) + " is no probability, expected 0 to 1");
    }
    tumour[static_cast<Eigen::Index>(i)] = complement ? 1 - value : value;
  }
  return tumour;
}

double number_of(const wsi::TileFeatures& tiles, const std::string& name, std::size_t place = 0) {
  const auto found = tiles.attributes.find(name);
  if (found == tiles.attributes.end()) return 0;
  if (const auto* whole = std::get_if<std::int64_t>(&found->second)) return static_cast<double>(*whole);
  if (const auto* number = std::get_if<double>(&found->second)) return *number;
  const auto* list = std::get_if<std::vector<double>>(&found->second);
  return list != nullptr && place < list->size() ? (*list)[place] : 0;
}

/// Where the tiles lie: the attributes of `clmnet analyze`; files of other programs lack some, then those stay 0.
void read_grid(SlideTiles& slide, const wsi::TileFeatures& tiles) {
  slide.origin.resize(static_cast<Eigen::Index>(tiles.coords.size()), 2);
  for (std::size_t i = 0; i < tiles.coords.size(); ++i) {
    slide.origin(static_cast<Eigen::Index>(i), 0) = tiles.coords[i].x;
    slide.origin(static_cast<Eigen::Index>(i), 1) = tiles.coords[i].y;
  }
  slide.width = static_cast<std::int64_t>(number_of(tiles, "level0_width"));
  slide.height = static_cast<std::int64_t>(number_of(tiles, "level0_height"));
  slide.level0_um_per_px_x = number_of(tiles, "level0_um_per_px", 0);
  slide.level0_um_per_px_y = number_of(tiles, "level0_um_per_px", 1);
  const double stride = number_of(tiles, "patch_size") - number_of(tiles, "overlap");
  if (stride <= 0 || slide.level0_um_per_px_x <= 0 || slide.level0_um_per_px_y <= 0) return;
  slide.stride_x = stride * number_of(tiles, "um_per_px", 0) / slide.level0_um_per_px_x;
  slide.stride_y = stride * number_of(tiles, "um_per_px", 1) / slide.level0_um_per_px_y;
}

/// One patient's tiles as they come in, pooled at the end.
class Pool {
 public:
  explicit Pool(Pooling pooling) : pooling_(pooling) {}

  void add(const SlideTiles& slide) {
    ++slides_;
    if (pooling_ == Pooling::quantiles) {
      const Eigen::Index before = all_.rows();
      all_.conservativeResize(before + slide.features.rows(), slide.features.cols());
      all_.bottomRows(slide.features.rows()) = slide.features;
      return;
    }
    const Eigen::RowVectorXd row =
        pooling_ == Pooling::max ? Eigen::RowVectorXd(slide.features.colwise().maxCoeff().cast<double>())
                                 : Eigen::RowVectorXd(tile_weights(slide, pooling_).transpose() * slide.features.cast<double>());
    if (slides_ == 1) {
      row_ = row;
    } else if (pooling_ == Pooling::max) {
      row_ = row_.cwiseMax(row);
    } else {
      row_ += row;
    }
  }

  int slides() const { return slides_; }

  Eigen::RowVectorXd row() const {
    if (pooling_ == Pooling::max) return row_;
    if (pooling_ != Pooling::quantiles) return row_ / slides_;
    Eigen::RowVectorXd result(all_.cols() * 3);
    std::vector<float> column;
    for (Eigen::Index j = 0; j < all_.cols(); ++j) {
      column.assign(all_.col(j).begin(), all_.col(j).end());
      std::sort(column.begin(), column.end());
      for (Eigen::Index q = 0; q < 3; ++q) {
        const double place = kQuantiles[q] * (static_cast<double>(column.size()) - 1);
        const auto below = static_cast<std::size_t>(place), above = std::min(below + 1, column.size() - 1);
        result[q * all_.cols() + j] =
            column[below] + (place - static_cast<double>(below)) * (static_cast<double>(column[above]) - column[below]);
      }
    }
    return result;
  }

 private:
  Pooling pooling_;
  int slides_ = 0;
  Eigen::RowVectorXd row_;
  Eigen::MatrixXf all_;
};

void name_columns(PatientFeatures& result, Pooling pooling) {
  const std::vector<std::string> prefixes =
      pooling == Pooling::quantiles ? std::vector<std::string>{"q10_", "q50_", "q90_"} : std::vector<std::string>{""};
  for (const auto& prefix : prefixes) {
    for (int j = 0; j < result.width; ++j) {
      result.names.push_back(prefix + "feature_" + std::to_string(j));
      result.feature.push_back(j);
    }
  }
}

}  // namespace

SlideTiles read_slide_tiles(const fs::path& run, const std::string& slide, bool with_tumour) {
  SlideTiles result;
  result.file = features_file(run, slide);
  const auto read = wsi::read_features(result.file);
  if (read.features.rows == 0) {
    throw InputError(result.file.string() + ": no tile has features, expected at least one; take the slide out of --slides");
  }
  using RowMajor = Eigen::Matrix<float, Eigen::Dynamic, Eigen::Dynamic, Eigen::RowMajor>;
  result.features.resize(read.features.rows, read.features.cols);
  for (int tile = 0; tile < read.features.rows; ++tile) {
    result.features.row(tile) = Eigen::Map<const RowMajor>(read.features.ptr<float>(tile), 1, read.features.cols);
    if (!result.features.row(tile).allFinite()) {
      throw InputError(result.file.string() + ": tile " + std::to_string(tile) +
                       " has a feature that is no finite number; analyse the slide again");
    }
  }
  read_grid(result, read);
  if (with_tumour) result.tumour = tumour_of(result.file.parent_path() / "tiles.csv", read);
  return result;
}

PatientFeatures join_features(const fs::path& run, const fs::path& manifest, const std::vector<std::string>& patients,
                              Pooling pooling) {
  const CsvTable table = CsvTable::read(manifest);
  const std::size_t slide_column = table.column("slide"), patient_column = table.column("patient_id");
  const std::set<std::string> cohort(patients.begin(), patients.end());
  PatientFeatures result;
  std::map<std::string, Pool> pools;
  std::map<std::string, std::size_t> first_line;
  fs::path first_file;
  for (std::size_t row = 0; row < table.rows(); ++row) {
    const std::string& slide = table.cell(row, slide_column);
    const std::string& patient = table.cell(row, patient_column);
    const auto [before, fresh] = first_line.emplace(slide, table.line(row));
    if (!fresh) {
      throw InputError(table.where(row, slide_column) + ": slide '" + slide + "' stands on line " +
                       std::to_string(before->second) + " too, expected each once");
    }
    if (!cohort.contains(patient)) {
      result.without_patient.push_back(slide);
      continue;
    }
    const SlideTiles tiles = read_slide_tiles(run, slide, pooling == Pooling::attention);
    if (result.slides == 0) {
      result.width = static_cast<int>(tiles.features.cols());
      first_file = tiles.file;
    }
    if (tiles.features.cols() != result.width) {
      throw InputError(tiles.file.string() + ": " + std::to_string(tiles.features.cols()) + " features a tile, " +
                       first_file.string() + " has " + std::to_string(result.width) +
                       "; expected one width, analyse all slides with one model");
    }
    pools.try_emplace(patient, pooling).first->second.add(tiles);
    ++result.slides;
    result.tiles += static_cast<std::size_t>(tiles.features.rows());
  }
  if (result.slides == 0) {
    throw InputError(manifest.string() + ": no slide belongs to a patient of the cohort; check patient_id and --id");
  }
  name_columns(result, pooling);
  std::map<std::string, Eigen::RowVectorXd> rows;
  for (const auto& [patient, pool] : pools) rows[patient] = pool.row();
  result.x.setConstant(static_cast<Eigen::Index>(patients.size()), static_cast<Eigen::Index>(result.names.size()),
                       std::numeric_limits<double>::quiet_NaN());
  for (std::size_t i = 0; i < patients.size(); ++i) {
    const auto found = rows.find(patients[i]);
    if (found != rows.end()) result.x.row(static_cast<Eigen::Index>(i)) = found->second;
  }
  for (const auto& patient : cohort) {
    if (!rows.contains(patient)) result.without_slide.push_back(patient);
  }
  return result;
}
#else
SlideTiles read_slide_tiles(const fs::path& run, const std::string&, bool) {
  throw InputError(run.string() +
                   ": this build of clmnet cannot read features.h5 (built without slide support); build with CLMNET_WITH_WSI=ON");
}

PatientFeatures join_features(const fs::path& run, const fs::path&, const std::vector<std::string>&, Pooling) {
  throw InputError(run.string() +
                   ": this build of clmnet cannot read features.h5 (built without slide support); build with CLMNET_WITH_WSI=ON");
}
#endif

}  // namespace clmnet::tools
