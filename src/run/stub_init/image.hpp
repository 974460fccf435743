// image.hpp — the stub init's program file as bytes inside nspawn. Data only; made by the build.
#pragma once

// NOLINTBEGIN(readability-identifier-naming): names of the assembler
extern "C" {
extern const char nspawn_stub_init_begin[];
extern const char nspawn_stub_init_end[];
}
// NOLINTEND(readability-identifier-naming)
