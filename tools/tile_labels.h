#pragma once

#include <filesystem>
#include <map>
#include <optional>
#include <string>
#include <vector>

#include "wsi/annotation_files.h"
#include "wsi/label_mask.h"
#include "wsi/slide.h"

namespace clmnet::tools {

/// Which class of an annotation file gives which label. Names are compared without regard to case (of ASCII letters).
class ClassMap {
 public:
  static constexpr int kSkip = -2;   ///< such regions are left out as though nobody had drawn them

  /// The names that annotators use as a matter of course: Tumor, Tumour, Carcinoma 1; Normal, Stroma, Other 0;
  /// Ignore* unknown; Region* skipped.
  static ClassMap usual();
  /// "NAME=LABEL" each: a whole number from 0 to 254, "ignore" (unknown) or "skip". Replaces what the map has of that name.
  /// Throws InputError naming the text that is wrong.
  void add(const std::vector<std::string>& texts);

  std::optional<int> find(const std::string& class_name) const;
  /// The first name that has the label, empty where there is none.
  std::string name_of(int label) const;
  /// "Tumor=1, Stroma=0, ...".
  std::string text() const;

 private:
  struct Entry {
    std::string name;
    int label;
  };
  std::vector<Entry> entries_;
};

/// Where the coordinates of a file begin: QuPath shows a slide from its bounds on, other programs from the scan's corner.
enum class AnnotationFrame { automatic, scan, bounds };

/// The annotation of one slide.
struct SlideAnnotation {
  std::filesystem::path file;
  std::vector<wsi::LabelledRegion> regions;       ///< level-0 px of the scan
  std::map<std::string, int> counts;              ///< regions by class name
  int without_area = 0, not_annotations = 0;      ///< passed over, as wsi::AnnotationFile
};

/// The file itself, or DIR/<slide>.geojson, .json or .xml. Throws InputError when there is none.
std::filesystem::path find_annotation(const std::filesystem::path& file_or_folder, const std::string& slide);

/// Reads a file and gives every region its label.
/// Throws InputError: a class that the map does not know (the message lists all of them), GeoJSON of a slide with bounds
/// while the frame is automatic, and all that wsi::read_annotations throws.
SlideAnnotation read_slide_annotation(const std::filesystem::path& file, const wsi::SlideInfo& slide, const ClassMap& classes,
                                      AnnotationFrame frame);

/// Patients and diagnoses by slide.
class PatientTable {
 public:
  PatientTable() = default;
  /// CSV with slide (name, with or without its ending), patient_id and, if it is known, diagnosis.
  /// Throws InputError as CsvTable does, and where a slide stands twice.
  explicit PatientTable(const std::filesystem::path& csv);

  struct Entry {
    std::string patient, diagnosis;
    bool known = true;               ///< false: the slide's own name stands in
  };
  /// The table's entry; without a table the first three fields of a TCGA barcode, else the slide's own name.
  /// Throws InputError where there is a table that lacks the slide.
  Entry find(const std::string& slide) const;

 private:
  std::string name_;
  std::map<std::string, Entry> entries_;
};

}  // namespace clmnet::tools
