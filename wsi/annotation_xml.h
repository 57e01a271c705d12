#pragma once

#include <string>
#include <string_view>

#include "wsi/annotation_files.h"

namespace clmnet::wsi {

/// XML of ImageScope or ASAP, told apart by the outermost element. Throws InputError as parse_annotations does.
AnnotationFile parse_annotation_xml(std::string_view text, const std::string& name);

}  // namespace clmnet::wsi
