// assignment.hpp — one thing that some source said: an option, its value, and where it was said.
//
// Every source (command line, settings file, environment) is turned into a list of these; resolve() alone decides
// which of them hold. Never interprets the value.
#pragma once

#include <string>
#include <string_view>
#include <vector>

namespace nspawn {

struct Option;

struct Origin {
    enum class Kind { built_in, implied, environment, settings_file, bundle, command_line };
    Kind kind = Kind::command_line;
    std::string
        file; // settings file, the environment variable's name, the option that implied it, or the place in a bundle
    unsigned line = 0;   // 1-based; 0: none
    bool trusted = true; // false: a file that came with the image

    // "command line", "/etc/systemd/nspawn/web.nspawn:7", "$SYSTEMD_…", "implied by --boot", "built-in default".
    [[nodiscard]] std::string describe() const;
};

struct Assignment {
    const Option* option = nullptr;
    std::string spelled; // as written: "--bind", "-D", "Exec.User"
    std::string value;   // empty when the option takes none
    bool has_value = false;
    Origin origin;

    // The value for a message: printable, shortened, without secrets.
    [[nodiscard]] std::string shown_value() const;
    // How to point at it in a message: "--rlimit=NOFILE=x", "-D x", "/etc/x.nspawn:7: LimitNOFILE=x".
    [[nodiscard]] std::string describe() const;
};

} // namespace nspawn
