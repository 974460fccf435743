// nspawn-dissect — looks into a disk image for nspawn, which is static and starts this when it meets an image.
//
// "probe": standard input is the image, open for reading; the answer on standard output is the text of disk_layout.hpp.

#include "base/error.hpp"
#include "base/file.hpp"
#include "dissect/confine.hpp"
#include "dissect/probe.hpp"

#include <cstdlib>
#include <string_view>

#include <unistd.h>

namespace nspawn {
namespace {

std::string probe() {
    try {
        confine_reader();
        return layout_as_text(probe_image(STDIN_FILENO));
    } catch (const Error& error) {
        return layout_error_as_text(error.message());
    }
}

} // namespace
} // namespace nspawn

int main(int argc, char** argv) {
    try {
        if (argc == 2 && std::string_view(argv[1]) == "probe") {
            nspawn::write_all(STDOUT_FILENO, nspawn::probe()).or_throw("standard output");
            return EXIT_SUCCESS;
        }
    } catch (const std::exception&) {
        return EXIT_FAILURE; // no output: nspawn says so
    }
    return EXIT_FAILURE;
}
