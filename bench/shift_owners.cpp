// shift_owners TREE BASE — gives a tree to an id range, and nothing else: what a start with private users does before
// it where the kernel cannot map the owners.

#include "base/log.hpp"
#include "base/text.hpp"
#include "image/shift_ownership.hpp"

#include <cstdlib>

#include <fcntl.h>

int main(int argc, char** argv) {
    const auto base = nspawn::parse_unsigned(argc == 3 ? argv[2] : "");
    const int tree = argc == 3 ? open(argv[1], O_RDONLY | O_DIRECTORY | O_CLOEXEC) : -1;
    if (tree < 0 || !base || *base > UINT32_MAX) {
        nspawn::log::error("usage: shift_owners TREE BASE");
        return EXIT_FAILURE;
    }
    try {
        nspawn::shift_ownership(tree, argv[1], static_cast<uint32_t>(*base));
    } catch (const nspawn::Error& error) {
        nspawn::log::failure(error);
        return EXIT_FAILURE;
    }
    return EXIT_SUCCESS;
}
