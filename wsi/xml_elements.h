#pragma once

#include <functional>
#include <map>
#include <string>
#include <string_view>

namespace clmnet::wsi {

/// Calls of read_xml, in the order of the text. Attributes hold plain text: entities are resolved.
struct XmlVisitor {
  std::function<void(const std::string& name, const std::map<std::string, std::string>& attributes)> begin;
  std::function<void(const std::string& name)> end;
};

/// Elements and attributes of an XML text in UTF-8; text between elements, comments, processing instructions and a document
/// type are passed over, entities of one's own are not known. That is all that annotation files of ImageScope and ASAP use.
/// Throws InputError that names `where` and the line: a tag that is not closed or closes another, a broken attribute, an
/// attribute given twice, more than 64 levels, an unknown entity, no element at all.
void read_xml(std::string_view text, const std::string& where, const XmlVisitor& visitor);

}  // namespace clmnet::wsi
