// atlas/msgpack.hpp - a strict and bounded MessagePack codec. C++20, header-only, needs only the standard library.
//
//   check(bytes)      one pass over untrusted bytes: structure, depth, duplicate keys, UTF-8, trailing bytes
//   View, MapView     typed reading without copies, straight from the checked bytes
//   Writer            writing, smallest encodings first, with an optional ceiling
//
// Threads: everything here is a plain value or a pure function; any thread.
// Ownership: a view borrows the bytes it was made from. A Writer owns its buffer.
// Cost: check() is O(n log n) and builds no tree; nothing here recurses. Up to 256 keys of maps that are open at once
// are compared without any allocation; beyond that, each key that has really arrived costs 4 bytes of scratch.
#pragma once

#include "msgpack/check.hpp"
#include "msgpack/head.hpp"
#include "msgpack/view.hpp"
#include "msgpack/writer.hpp"
