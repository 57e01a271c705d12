#include "tools/cv/html_page.h"

#include <cmath>

#include "tools/base/atomic_file.h"
#include "tools/report/numbers.h"

namespace clmnet::tools {
using nlohmann::json;

namespace {

constexpr const char* kStyle =
    R"(body{font:15px/1.5 sans-serif;max-width:1360px;margin:2em auto;padding:0 1em;color:#222;background:#fff}
h2{margin-top:2em;border-bottom:1px solid #ccc}.scroll{overflow-x:auto}
table{border-collapse:collapse;margin:.6em 0;font-size:13px}th,td{padding:.25em .4em;text-align:right;border-bottom:1px solid #ddd;vertical-align:top}
td{white-space:nowrap}table.text td{white-space:normal}p{max-width:1000px}table.text{max-width:1000px}
th:first-child,td:first-child,table.text th,table.text td{text-align:left}thead th{border-bottom:2px solid #555}
.figures{display:grid;grid-template-columns:repeat(auto-fill,minmax(400px,1fr));gap:1.2em}.pictures{display:grid;grid-template-columns:repeat(auto-fill,minmax(230px,1fr));gap:1em}
figure{margin:0}figure img{box-sizing:border-box;max-width:100%;height:auto;border:1px solid #eee}figcaption{font-size:13px;color:#444}
button{font:inherit;font-size:13px;margin:0 .5em 1em 0;scroll-margin:1em}pre{background:#f4f4f4;padding:1em;overflow:auto;font-size:12px}
.note{color:#555}.warning{background:#fff3cd;border:1px solid #d0a000;padding:.6em 1em}nav a{margin-right:1em}
@media print{@page{size:A4 landscape;margin:12mm}button,nav{display:none}body{font-size:11px;margin:0;max-width:none;padding:0}
.scroll,pre{overflow:visible}table{font-size:9px}td{white-space:normal}tr,figure{break-inside:avoid}h2,h3{break-after:avoid}
pre{white-space:pre-wrap;font-size:9px}.figures{grid-template-columns:repeat(2,minmax(0,1fr))}.pictures{grid-template-columns:repeat(4,minmax(0,1fr))}})";

constexpr const char* kScript = R"(function cells(t){return [...t.rows].map(r=>[...r.cells].map(c=>c.textContent.trim()))}
function csv(r){return r.map(c=>c.map(x=>'"'+x.replaceAll('"','""')+'"').join(',')).join('\n')}
function tex(r){const e=x=>x.replace(/\\/g,'\\textbackslash ').replace(/([%&_#${}])/g,'\\$1').replace(/[–]/g,'--').replace(/−/g,'$-$').replace(/±/g,'$\\pm$').replace(/×/g,'$\\times$').replace(/</g,'$<$');
return '\\begin{tabular}{l'+'r'.repeat(r[0].length-1)+'}\n\\hline\n'+r.map((c,i)=>c.map(e).join(' & ')+' \\\\'+(i?'':'\n\\hline')).join('\n')+'\n\\hline\n\\end{tabular}'}
function put(b,s){const o=b.textContent,say=w=>{b.textContent=w;setTimeout(()=>b.textContent=o,1200)};
const old=()=>{const a=document.createElement('textarea');a.value=s;document.body.append(a);a.select();const good=document.execCommand('copy');a.remove();say(good?'copied':'cannot copy')};
if(navigator.clipboard)navigator.clipboard.writeText(s).then(()=>say('copied'),old);else old()}
for(const t of document.querySelectorAll('table')){const p=document.createElement('div');
for(const [n,f] of [['copy as CSV',csv],['copy as LaTeX',tex]]){const b=document.createElement('button');b.textContent=n;b.onclick=()=>put(b,f(cells(t)));p.append(b)}t.parentElement.after(p)})";

}  // namespace

std::string escape_html(const std::string& text) {
  std::string out;
  for (const char c : text) {
    switch (c) {
      case '&': out += "&amp;"; break;
      case '<': out += "&lt;"; break;
      case '>': out += "&gt;"; break;
      case '"': out += "&quot;"; break;
      case '\'': out += "&#39;"; break;
      default: out += c;
    }
  }
  return out;
}

std::string base64(std::string_view bytes) {
  constexpr const char* letters = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
  std::string out;
  out.reserve(bytes.size() / 3 * 4 + 4);
  for (std::size_t i = 0; i < bytes.size(); i += 3) {
    const std::size_t have = std::min<std::size_t>(3, bytes.size() - i);
    std::uint32_t word = 0;
    for (std::size_t k = 0; k < 3; ++k) word = word << 8 | (k < have ? static_cast<unsigned char>(bytes[i + k]) : 0U);
    for (std::size_t k = 0; k < 4; ++k) out += k <= have ? letters[word >> (18 - 6 * k) & 63] : '=';
  }
  return out;
}

std::string html_table(const HtmlTable& rows, bool text) {
  std::string out = std::string("<div class=\"scroll\"><table") + (text ? " class=\"text\"" : "") + "><thead><tr>";
  for (const auto& cell : rows.front()) out += "<th scope=\"col\">" + escape_html(cell) + "</th>";
  out += "</tr></thead><tbody>\n";
  for (std::size_t i = 1; i < rows.size(); ++i) {
    out += "<tr>";
    for (const auto& cell : rows[i]) out += "<td>" + escape_html(cell) + "</td>";
    out += "</tr>\n";
  }
  return out + "</tbody></table></div>\n";
}

std::string html_figure(const std::filesystem::path& picture, const std::string& caption) {
  const char* type = picture.extension() == ".svg" ? "image/svg+xml" : "image/jpeg";
  return std::string("<figure><img src=\"data:") + type + ";base64," + base64(read_whole_file(picture)) + "\" alt=\"" +
         escape_html(caption) + "\"><figcaption>" + escape_html(caption) + "</figcaption></figure>\n";
}

std::string html_page(const std::string& title, const std::string& body) {
  return "<!doctype html><html lang=\"en\"><head><meta charset=\"utf-8\"><meta name=\"viewport\" "
         "content=\"width=device-width\"><title>" +
         escape_html(title) + "</title>\n<style>" + kStyle + "</style></head><body>\n" + body + "<script>" + kScript +
         "</script></body></html>\n";
}

std::string number_cell(const json& value, int digits) { return value.is_null() ? "–" : fixed_text(value.get<double>(), digits); }

std::string interval_cell(const json& measure, int digits) {
  const auto number = [](const json& value) { return value.is_null() ? std::nan("") : value.get<double>(); };
  if (measure.is_null() || measure["value"].is_null()) return "–";
  return interval_text(number(measure["value"]), number(measure["ci"][0]), number(measure["ci"][1]), digits);
}

std::string p_value_cell(const json& p) { return p.is_null() ? "–" : p_cell(p.get<double>()); }

}  // namespace clmnet::tools
