// optional_library.hpp — a shared library that is needed for some images only: loaded when it is, never linked.
//
// Stays loaded until the process ends. Source: dlopen(3).
#pragma once

#include "base/error.hpp"

#include <fmt/format.h>

#include <dlfcn.h>

namespace nspawn {

class OptionalLibrary {
public:
    // `purpose` needs it, for who does not have it; `package` has it in a newer version, for who has an old one.
    OptionalLibrary(const char* name, const char* purpose, const char* package)
        : name_(name), package_(package), handle_(dlopen(name, RTLD_NOW)) {
        if (handle_ == nullptr) {
            throw Error(fmt::format("{} {}, which is not installed", purpose, name));
        }
    }

    template <typename Function>
    void find(const char* symbol, Function& function) const {
        function = reinterpret_cast<Function>(dlsym(handle_, symbol));
        if (function == nullptr) {
            throw Error(fmt::format("{} has no {}", name_, symbol),
                        fmt::format("Install a newer version of {}.", package_));
        }
    }

private:
    const char* name_;
    const char* package_;
    void* handle_;
};

} // namespace nspawn
