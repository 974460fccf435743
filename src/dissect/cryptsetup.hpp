// cryptsetup.hpp — libcryptsetup, loaded when it is needed: most images are neither encrypted nor protected by verity.
//
// Owns nothing but the way to the library's functions; they are never unloaded. Source: libcryptsetup API reference.
#pragma once

#include <memory>

#include <libcryptsetup.h>

namespace nspawn {

struct Cryptsetup {
    decltype(&crypt_init) init = nullptr;
    decltype(&crypt_free) free = nullptr;
    decltype(&crypt_load) load = nullptr;
    decltype(&crypt_set_data_device) set_data_device = nullptr;
    decltype(&crypt_set_log_callback) set_log_callback = nullptr;
    decltype(&crypt_activate_by_passphrase) activate_by_passphrase = nullptr;
    decltype(&crypt_activate_by_volume_key) activate_by_volume_key = nullptr;
    decltype(&crypt_activate_by_signed_key) activate_by_signed_key = nullptr;
    decltype(&crypt_deactivate_by_name) deactivate_by_name = nullptr;

    // Throws Error when the library is not installed.
    static Cryptsetup load_library();
};

} // namespace nspawn
