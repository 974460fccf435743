// capability.hpp — capability sets as the kernel has them. Source: capabilities(7); names from libcap.
#pragma once

#include <cstdint>

namespace nspawn {

// Bit N is capability number N.
using CapabilityMask = uint64_t;

} // namespace nspawn
