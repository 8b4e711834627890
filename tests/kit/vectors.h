// The byte vectors of tests/vectors, for whoever encodes or decodes a message.
//
//   for (const auto& vector : test::load_vectors("20_bootstrap_register.json").vectors) {
//     if (vector.kind == test::Vector::Kind::kExact) EXPECT_EQ(encode(...), vector.bytes);
//   }
//
// kExact: bytes and fields belong together, and our own encoder writes exactly these bytes.
// kAccepts: another node may write these bytes; they mean the fields. Our encoder mostly writes other ones.
// kRefuses: answered with `code`. `at` says by which step: "header", "structure" (any payload) or "fields" (this type).
//
// A `bytes` field shows as {"$bytes": "<hex>"}. Test code only: a broken vector file throws. Needs the SDK's headers
// and nothing of the core.
#pragma once

#include <atlas/msgpack.hpp>
#include <cstdint>
#include <fstream>
#include <nlohmann/json.hpp>
#include <span>
#include <stdexcept>
#include <string>
#include <vector>

namespace atlas::test {

inline constexpr std::size_t kVectorHeaderSize = 8;

struct Vector {
  enum class Kind { kExact, kAccepts, kRefuses };
  std::string name;
  Kind kind = Kind::kExact;
  std::vector<std::uint8_t> bytes;  // the whole envelope
  nlohmann::json fields;            // not for kRefuses
  std::string why;                  // not for kExact
  std::string at;                   // kRefuses only, as is code
  std::uint32_t code = 0;

  // What follows the header.
  std::span<const std::uint8_t> payload() const {
    return std::span(bytes).subspan(std::min(kVectorHeaderSize, bytes.size()));
  }
};

struct VectorFile {
  std::string message;
  std::uint8_t type = 0;
  std::string owner;
  std::vector<Vector> vectors;

  const Vector& get(const std::string& name) const {
    for (const auto& vector : vectors) {
      if (vector.name == name) return vector;
    }
    throw std::runtime_error("no vector named " + name + " for " + message);
  }
};

inline std::vector<std::uint8_t> bytes_from_hex(const std::string& hex) {
  std::vector<std::uint8_t> out;
  if (hex.size() % 2 != 0) throw std::runtime_error("odd hex: " + hex);
  for (std::size_t i = 0; i < hex.size(); i += 2) {
    std::size_t used = 0;
    out.push_back(static_cast<std::uint8_t>(std::stoul(hex.substr(i, 2), &used, 16)));
    if (used != 2) throw std::runtime_error("not hex: " + hex);
  }
  return out;
}

inline std::string vector_path(const std::string& file) {
  return std::string(ATLAS_SOURCE_DIR) + "/tests/vectors/" + file;
}

inline nlohmann::json load_vector_json(const std::string& file) {
  std::ifstream in(vector_path(file));
  if (!in) throw std::runtime_error("cannot open " + vector_path(file));
  return nlohmann::json::parse(in);
}

inline std::vector<std::uint8_t> join_pieces(const nlohmann::json& pieces) {
  std::vector<std::uint8_t> out;
  for (const auto& piece : pieces) {
    const auto bytes = bytes_from_hex(piece.at(0).get<std::string>());
    out.insert(out.end(), bytes.begin(), bytes.end());
  }
  return out;
}

inline VectorFile load_vectors(const std::string& file) {
  const nlohmann::json json = load_vector_json(file);
  VectorFile out;
  out.message = json.at("message");
  out.type = bytes_from_hex(json.at("type")).at(0);
  out.owner = json.at("owner");
  for (const auto& entry : json.at("vectors")) {
    Vector vector;
    vector.name = entry.at("name");
    const std::string kind = entry.at("kind");
    vector.bytes = join_pieces(entry.at("pieces"));
    if (kind == "refuses") {
      vector.kind = Vector::Kind::kRefuses;
      vector.at = entry.at("at");
      vector.code = entry.at("code");
    } else {
      if (kind != "exact" && kind != "accepts") throw std::runtime_error("unknown kind " + kind);
      vector.kind = kind == "exact" ? Vector::Kind::kExact : Vector::Kind::kAccepts;
      vector.fields = entry.at("fields");
    }
    if (kind != "exact") vector.why = entry.at("why");
    out.vectors.push_back(std::move(vector));
  }
  return out;
}

inline bool is_bytes_field(const nlohmann::json& field) {
  return field.is_object() && field.contains("$bytes");
}
inline std::vector<std::uint8_t> bytes_of(const nlohmann::json& field) {
  return bytes_from_hex(field.at("$bytes"));
}

// Does a decoded value mean what the vector file says? Map entries that the file does not list are let through.
inline bool means(const msgpack::View& value, const nlohmann::json& field) {
  if (field.is_null()) return value.present() && value.is_nil();
  if (field.is_boolean()) return value.boolean() == field.get<bool>();
  if (field.is_string()) return value.text() == field.get<std::string>();
  if (field.is_number_unsigned()) return value.u64() == field.get<std::uint64_t>();
  if (field.is_number_integer()) return value.i64() == field.get<std::int64_t>();
  if (is_bytes_field(field)) {
    std::vector<std::uint8_t> bytes;
    return value.bytes(bytes, 1u << 24) && bytes == bytes_of(field);
  }
  if (field.is_array()) {
    if (value.kind() != msgpack::Kind::kArray || value.array().size() != field.size()) return false;
    std::size_t at = 0;
    for (const auto element : value.array()) {
      if (!means(element, field[at++])) return false;
    }
    return true;
  }
  if (value.kind() != msgpack::Kind::kMap) return false;
  for (const auto& [key, expected] : field.items()) {
    if (!means(value.map().find(key), expected)) return false;
  }
  return true;
}

}  // namespace atlas::test
