#include "dissect/cryptsetup.hpp"

#include "base/error.hpp"

#include <fmt/format.h>

#include <dlfcn.h>

namespace nspawn {

namespace {

constexpr const char* kLibrary = "libcryptsetup.so.12";

template <typename Function>
void find(void* library, const char* name, Function& function) {
    function = reinterpret_cast<Function>(dlsym(library, name));
    if (function == nullptr) {
        throw Error(fmt::format("{} has no {}", kLibrary, name), "Install a newer version of cryptsetup.");
    }
}

} // namespace

Cryptsetup Cryptsetup::load_library() {
    void* const library = dlopen(kLibrary, RTLD_NOW);
    if (library == nullptr) {
        throw Error(fmt::format("encrypted and verity-protected images need {}, which is not installed", kLibrary));
    }
    Cryptsetup functions;
    find(library, "crypt_init", functions.init);
    find(library, "crypt_free", functions.free);
    find(library, "crypt_load", functions.load);
    find(library, "crypt_set_data_device", functions.set_data_device);
    find(library, "crypt_set_log_callback", functions.set_log_callback);
    find(library, "crypt_activate_by_passphrase", functions.activate_by_passphrase);
    find(library, "crypt_activate_by_volume_key", functions.activate_by_volume_key);
    find(library, "crypt_activate_by_signed_key", functions.activate_by_signed_key);
    find(library, "crypt_deactivate_by_name", functions.deactivate_by_name);
    return functions;
}

} // namespace nspawn
