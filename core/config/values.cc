#include "config/values.h"

#include <arpa/inet.h>

#include <algorithm>
#include <charconv>

#include "base/utf8.h"
#include "config/schema.h"

namespace atlas::config {
namespace {

bool is_control(char c) {
  return static_cast<unsigned char>(c) < 0x20 || c == 0x7f;
}

struct Unit {
  std::string_view suffix;
  std::int64_t milliseconds;
};
constexpr Unit kUnits[] = {{"ms", 1}, {"s", 1000}, {"m", 60'000}, {"h", 3'600'000}, {"d", 86'400'000}};

}  // namespace

std::string prose_fault(std::string_view text) {
  if (!base::is_utf8(text)) return "is not UTF-8";
  const bool bad = std::any_of(text.begin(), text.end(), [](char c) { return is_control(c) && c != '\n'; });
  return bad ? "has control characters in it" : "";
}

std::string line_fault(std::string_view text) {
  if (text.find('\n') != std::string_view::npos) return "has control characters in it";
  return prose_fault(text);
}

std::string skill_fault(std::string_view text) {
  return text.empty() ? "is empty" : line_fault(text);
}

std::string ip_fault(std::string_view text) {
  if (ip_version(text) != 0) return {};
  if (address_fault(text).empty()) return "has a port; the port belongs into network.port";
  return "is no IP address; write for example \"192.0.2.1\" or \"2001:db8::1\"";
}

std::string directory_fault(std::string_view text) {
  if (text.find('\0') != std::string_view::npos) return "has a NUL character in it";
  return text.starts_with('/') ? "" : "is a relative path; write it from the root, beginning with /";
}

std::string plugin_id_fault(std::string_view id) {
  if (id.empty() || id.size() > 64) return "is no plugin id: those have 1 to 64 characters";
  const bool bad = std::any_of(id.begin(), id.end(), [](char c) {
    return !(c >= 'a' && c <= 'z') && !(c >= '0' && c <= '9') && c != '.' && c != '_' && c != '-';
  });
  return bad ? "is no plugin id: only a-z, 0-9, '.', '_' and '-' are allowed" : "";
}

int ip_version(std::string_view ip) {
  const std::string text(ip);
  if (text.find('\0') != std::string::npos) return 0;
  in_addr v4;
  in6_addr v6;
  if (inet_pton(AF_INET, text.c_str(), &v4) == 1) return 4;
  return inet_pton(AF_INET6, text.c_str(), &v6) == 1 ? 6 : 0;
}

std::string address_fault(std::string_view address) {
  static constexpr std::string_view kForm = "write ip:port, for example \"192.0.2.1:4433\" or \"[2001:db8::1]:4433\"";
  const std::size_t colon = address.rfind(':');
  if (ip_version(address) != 0 || colon == std::string_view::npos) {
    return "has no port; " + std::string(kForm);
  }
  std::string_view host = address.substr(0, colon);
  const bool bracketed = host.size() >= 2 && host.front() == '[' && host.back() == ']';
  if (bracketed) host = host.substr(1, host.size() - 2);
  if (ip_version(host) != (bracketed ? 6 : 4))
    return "is no address, and names are not looked up; " + std::string(kForm);
  const std::string_view digits = address.substr(colon + 1);
  std::uint32_t port = 0;
  const auto [end, error] = std::from_chars(digits.data(), digits.data() + digits.size(), port);
  if (digits.empty() || digits.size() > 5 || error != std::errc() || end != digits.data() + digits.size()) {
    return "has no port; " + std::string(kForm);
  }
  return port >= 1 && port <= 65'535 ? "" : "has a port that is not from 1 to 65535";
}

std::optional<std::int64_t> parse_duration(std::string_view text) {
  std::int64_t count = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), count);
  if (error != std::errc() || text.empty() || text.front() == '-') return std::nullopt;
  const std::string_view suffix = text.substr(static_cast<std::size_t>(end - text.data()));
  for (const Unit& unit : kUnits) {
    std::int64_t out;
    if (suffix == unit.suffix && !__builtin_mul_overflow(count, unit.milliseconds, &out)) return out;
  }
  return std::nullopt;
}

std::string duration_text(std::int64_t milliseconds) {
  const Unit* best = &kUnits[0];
  for (const Unit& unit : kUnits) {
    if (milliseconds != 0 && milliseconds % unit.milliseconds == 0) best = &unit;
  }
  return std::to_string(milliseconds / best->milliseconds) + std::string(best->suffix);
}

std::string toml_quoted(std::string_view text) {
  static constexpr char kHex[] = "0123456789ABCDEF";
  std::string out = "\"";
  for (const char c : text) {
    if (c == '"' || c == '\\') {
      out += '\\';
      out += c;
    } else if (c == '\n') {
      out += "\\n";
    } else if (c == '\t') {
      out += "\\t";
    } else if (is_control(c)) {
      out += "\\u00";
      out += kHex[static_cast<unsigned char>(c) >> 4];
      out += kHex[c & 15];
    } else {
      out += c;
    }
  }
  return out + '"';
}

std::string toml_array(const std::vector<std::string>& texts) {
  std::string out = "[";
  for (const std::string& text : texts) {
    if (out.size() > 1) out += ", ";
    out += toml_quoted(text);
  }
  return out + ']';
}

}  // namespace atlas::config
