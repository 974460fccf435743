// siphash.hpp — a short keyed hash whose values are part of what others expect: interface names, addresses, id ranges
// that follow from a machine's name. Not for secrets.
// Source: Aumasson and Bernstein, "SipHash: a fast short-input PRF", SipHash-2-4.
#pragma once

#include <array>
#include <cstdint>
#include <string_view>

namespace nspawn {

using SipHashKey = std::array<uint8_t, 16>;

uint64_t siphash24(std::string_view data, const SipHashKey& key);

} // namespace nspawn
