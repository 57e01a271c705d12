#pragma once

#include <filesystem>
#include <nlohmann/json.hpp>
#include <string>
#include <vector>

namespace clmnet::tools {

/// Text as HTML takes it.
std::string escape_html(const std::string& text);

/// RFC 4648, with padding.
std::string base64(std::string_view bytes);

/// Rows of cells, the first is the head; under it the page offers copies as CSV and LaTeX.
using HtmlTable = std::vector<std::vector<std::string>>;
/// text  cells hold sentences: to the left and wrapped, where numbers stand to the right on one line
std::string html_table(const HtmlTable& rows, bool text = false);

/// <figure> with the picture inside the page (.svg, .jpg), so that the page loads nothing. Throws InputError when it is missing.
std::string html_figure(const std::filesystem::path& picture, const std::string& caption);

/// A whole page around `body`; style and script are in it.
std::string html_page(const std::string& title, const std::string& body);

/// Cells of numbers; "–" for null.
std::string number_cell(const nlohmann::json& value, int digits = 3);
/// "0.912 (0.871–0.944)" of {"value", "ci"}.
std::string interval_cell(const nlohmann::json& measure, int digits = 3);
/// "<0.001", "0.012".
std::string p_value_cell(const nlohmann::json& p);

}  // namespace clmnet::tools
