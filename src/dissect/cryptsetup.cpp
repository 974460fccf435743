#include "dissect/cryptsetup.hpp"

#include "dissect/optional_library.hpp"

namespace nspawn {

namespace {

constexpr const char* kLibrary = "libcryptsetup.so.12";

} // namespace

Cryptsetup Cryptsetup::load_library() {
    const OptionalLibrary library(kLibrary, "encrypted and verity-protected images need", "cryptsetup");
    Cryptsetup functions;
    library.find("crypt_init", functions.init);
    library.find("crypt_free", functions.free);
    library.find("crypt_load", functions.load);
    library.find("crypt_set_data_device", functions.set_data_device);
    library.find("crypt_set_log_callback", functions.set_log_callback);
    library.find("crypt_activate_by_passphrase", functions.activate_by_passphrase);
    library.find("crypt_activate_by_volume_key", functions.activate_by_volume_key);
    library.find("crypt_activate_by_signed_key", functions.activate_by_signed_key);
    library.find("crypt_deactivate_by_name", functions.deactivate_by_name);
    return functions;
}

} // namespace nspawn
