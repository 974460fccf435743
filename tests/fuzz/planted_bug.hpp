// planted_bug.hpp — proof that a fuzzer can find something.
//
// Each fuzzer is built twice. In the twin, planted_bug() reads one byte beyond a copy of `data` once `reached` is true,
// and the test fails unless the fuzzer finds that. `reached` should need input that the code under test understood, so
// that a fuzzer that is stuck at the first check is found out too. In the real fuzzer it does nothing.
#pragma once

#include <cstdio>
#include <string_view>
#include <vector>

namespace nspawn::fuzz {

#ifdef NSPAWN_FUZZ_PLANTED_BUG
inline void planted_bug(bool reached, std::string_view data) {
    if (reached) {
        std::fputs("planted bug reached\n", stderr);
        const std::vector<char> copy(data.begin(), data.end());
        const volatile char* beyond = copy.data() + copy.size();
        static_cast<void>(*beyond); // the sanitizer reports a heap-buffer-overflow
    }
}
#else
inline void planted_bug(bool /*reached*/, std::string_view /*data*/) {}
#endif

} // namespace nspawn::fuzz
