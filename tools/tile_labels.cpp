#include "tools/tile_labels.h"

#include <algorithm>
#include <cctype>
#include <regex>
#include <set>

#include "tools/base/csv.h"
#include "tools/base/error.h"

namespace clmnet::tools {
namespace fs = std::filesystem;

namespace {

std::string lower(std::string text) {
  std::transform(text.begin(), text.end(), text.begin(), [](unsigned char c) { return c < 128 ? std::tolower(c) : c; });
  return text;
}

int parse_label(const std::string& text, const std::string& label) {
  if (label == "ignore") return wsi::kUnknownLabel;
  if (label == "skip") return ClassMap::kSkip;
  const auto number = parse_number(label);
  if (!number || *number != static_cast<int>(*number) || *number < 0 || *number > 254) {
    throw InputError("class '" + text + "': expected NAME=LABEL with a whole number from 0 to 254, 'ignore' or 'skip'");
  }
  return static_cast<int>(*number);
}

std::string label_text(int label) {
  if (label == wsi::kUnknownLabel) return "ignore";
  if (label == ClassMap::kSkip) return "skip";
  return std::to_string(label);
}

}  // namespace

ClassMap ClassMap::usual() {
  ClassMap map;
  map.add({"Tumor=1", "Tumour=1", "Carcinoma=1", "Normal=0", "Stroma=0", "Other=0", "Ignore*=ignore", "Region*=skip"});
  return map;
}

void ClassMap::add(const std::vector<std::string>& texts) {
  for (const auto& text : texts) {
    const auto equals = text.rfind('=');
    const std::string name = equals == std::string::npos ? std::string() : text.substr(0, equals);
    if (name.empty()) throw InputError("class '" + text + "': expected NAME=LABEL, as in 'Tumor=1'");
    const int label = parse_label(text, text.substr(equals + 1));
    std::erase_if(entries_, [&](const Entry& entry) { return lower(entry.name) == lower(name); });
    entries_.push_back({name, label});
  }
}

std::optional<int> ClassMap::find(const std::string& class_name) const {
  const std::string wanted = lower(class_name.empty() ? "Unclassified" : class_name);
  for (const auto& entry : entries_) {
    if (lower(entry.name) == wanted) return entry.label;
  }
  return std::nullopt;
}

std::string ClassMap::name_of(int label) const {
  for (const auto& entry : entries_) {
    if (entry.label == label) return entry.name;
  }
  return {};
}

std::string ClassMap::text() const {
  std::string joined;
  for (const auto& entry : entries_) joined += (joined.empty() ? "" : ", ") + entry.name + "=" + label_text(entry.label);
  return joined;
}

fs::path find_annotation(const fs::path& file_or_folder, const std::string& slide) {
  std::error_code ignored;
  if (!fs::is_directory(file_or_folder, ignored)) return file_or_folder;
  for (const char* ending : {".geojson", ".json", ".xml"}) {
    fs::path file = file_or_folder / (slide + ending);
    if (fs::is_regular_file(file, ignored)) return file;
  }
  throw InputError(file_or_folder.string() + ": no annotation of " + slide + " (" + slide +
                   ".geojson, .json or .xml); leave the slide out, or put an empty FeatureCollection there if it has none");
}

SlideAnnotation read_slide_annotation(const fs::path& file, const wsi::SlideInfo& slide, const ClassMap& classes,
                                      AnnotationFrame frame) {
  auto read = wsi::read_annotations(file);
  const std::string where = file.filename().string();
  const bool moved = slide.bounds && slide.bounds->origin != wsi::Level0Px{};
  if (moved && frame == AnnotationFrame::automatic && read.format == wsi::AnnotationFormat::qupath && !read.regions.empty()) {
    throw InputError(where + ": the slide has bounds at " + std::to_string(slide.bounds->origin.x) + ", " +
                     std::to_string(slide.bounds->origin.y) + ", and GeoJSON does not say where its coordinates begin; give " +
                     "--annotation-frame bounds for QuPath's own, scan for level-0 pixels");
  }
  SlideAnnotation result;
  result.file = file;
  result.without_area = read.without_area;
  result.not_annotations = read.not_annotations;
  std::set<std::string> unknown;
  for (auto& region : read.regions) {
    const std::string name = region.class_name.empty() ? "Unclassified" : region.class_name;
    ++result.counts[name];
    const auto label = classes.find(name);
    if (!label) {
      unknown.insert(name);
    } else if (*label != ClassMap::kSkip) {
      result.regions.push_back({std::move(region), *label});
    }
  }
  if (!unknown.empty()) {
    std::string names, example;
    for (const auto& name : unknown) names += (names.empty() ? "'" : ", '") + name + "'";
    throw InputError(where + ": no label is given for the class " + names + "; add --class '" + *unknown.begin() +
                     "=1' (a number, ignore or skip) for each; there are: " + classes.text());
  }
  if (!moved || frame != AnnotationFrame::bounds) return result;
  const auto shift = [&](wsi::RingPx& ring) {
    for (auto& point : ring) {
      point.x += static_cast<double>(slide.bounds->origin.x);
      point.y += static_cast<double>(slide.bounds->origin.y);
    }
  };
  for (auto& labelled : result.regions) {
    shift(labelled.region.outer);
    for (auto& hole : labelled.region.holes) shift(hole);
  }
  return result;
}

PatientTable::PatientTable(const fs::path& csv) : name_(csv.string()) {
  const CsvTable table = CsvTable::read(csv);
  const std::size_t slide = table.column("slide"), patient = table.column("patient_id");
  const auto diagnosis = table.find("diagnosis");
  for (std::size_t row = 0; row < table.rows(); ++row) {
    if (table.cell(row, patient).empty()) throw InputError(table.where(row, patient) + ": is empty, expected the patient's id");
    const Entry entry{table.cell(row, patient), diagnosis ? table.cell(row, *diagnosis) : std::string(), true};
    if (!entries_.emplace(table.cell(row, slide), entry).second) {
      throw InputError(table.where(row, slide) + ": '" + table.cell(row, slide) + "' stands twice; keep one line");
    }
  }
}

PatientTable::Entry PatientTable::find(const std::string& slide) const {
  for (const auto& [name, entry] : entries_) {
    if (name == slide || fs::path(name).stem() == slide) return entry;
  }
  if (!name_.empty()) throw InputError(name_ + ": no line for the slide '" + slide + "'; add one with its patient_id");
  static const std::regex barcode("TCGA-[A-Z0-9]{2}-[A-Z0-9]{4}", std::regex::icase);
  std::smatch found;
  if (std::regex_search(slide, found, barcode, std::regex_constants::match_continuous)) {
    std::string patient = found.str();
    std::transform(patient.begin(), patient.end(), patient.begin(), [](unsigned char c) { return std::toupper(c); });
    return {patient, "", true};
  }
  return {slide, "", false};
}

}  // namespace clmnet::tools
