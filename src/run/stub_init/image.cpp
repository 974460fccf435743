#include "image.hpp"

asm(".pushsection .rodata, \"a\"\n"
    ".balign 16\n"
    ".globl nspawn_stub_init_begin\n"
    "nspawn_stub_init_begin:\n"
    ".incbin \"" NSPAWN_STUB_INIT_FILE "\"\n"
    ".globl nspawn_stub_init_end\n"
    "nspawn_stub_init_end:\n"
    ".byte 0\n"
    ".popsection\n");
