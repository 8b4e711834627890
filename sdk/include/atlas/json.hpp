// atlas/json.hpp - JSON text (RFC 8259): a small writer for the output of commands, and conversion between JSON text
// and MessagePack for values that people type and read. C++20, header-only.
//
//   json::Object, json::Array     builders; every string is escaped, bytes that are no UTF-8 become U+FFFD
//   json::from_msgpack(bytes)     MessagePack to JSON text
//   json::to_msgpack(text)        JSON text to MessagePack, strict and bounded
//
// Threads: plain values and pure functions; any thread. Nothing recurses; memory is bounded by the input's size.
#pragma once

#include "json/from_msgpack.hpp"
#include "json/to_msgpack.hpp"
#include "json/writer.hpp"
