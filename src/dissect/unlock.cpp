#include "dissect/unlock.hpp"

#include "base/base64.hpp"
#include "base/error.hpp"
#include "base/file.hpp"
#include "base/text.hpp"

#include <fmt/format.h>

#include <cerrno>
#include <cstdlib>
#include <utility>

#include <fcntl.h>
#include <unistd.h>

namespace nspawn {

namespace {

// What the library has to say would go to the terminal of whoever started us.
void forget(int /*level*/, const char* /*message*/, void* /*context*/) {}

using Context = std::unique_ptr<crypt_device, decltype(&crypt_free)>;

void require_device_mapper() {
    const Result<std::string> list = read_file(AT_FDCWD, "/proc/misc", 65536);
    const bool registered = list.ok() && list.value().find("device-mapper") != std::string::npos;
    // Opening the node loads the module where there is one.
    if (!registered && !open_at(AT_FDCWD, "/dev/mapper/control", O_RDWR).ok()) {
        throw Error("this kernel has no device-mapper, which encrypted and verity-protected images need",
                    "modprobe dm_mod, and dm_crypt or dm_verity.");
    }
    if (access("/run/udev/control", F_OK) < 0) {
        setenv("DM_DISABLE_UDEV", "1", 1); // nobody would answer: the library makes the nodes itself
    }
}

std::string hash_bytes(std::string_view hex) {
    std::string bytes;
    for (size_t at = 0; at + 1 < hex.size(); at += 2) {
        const auto byte = parse_unsigned(hex.substr(at, 2), 16);
        if (!byte) {
            throw Error("the root hash is not in hexadecimal digits");
        }
        bytes += static_cast<char>(*byte);
    }
    return bytes;
}

Context open_context(const Cryptsetup& library, const std::string& device, const char* type, const char* what) {
    crypt_device* raw = nullptr;
    library.set_log_callback(nullptr, forget, nullptr);
    const int opened = library.init(&raw, device.c_str());
    Context context(raw, library.free);
    const int loaded = opened < 0 ? opened : library.load(context.get(), type, nullptr);
    if (loaded < 0) {
        throw Error(fmt::format("{} cannot be read: {}", what, error_text(-loaded))).with_code(-loaded);
    }
    return context;
}

int open_luks(const Cryptsetup& library, const UnlockRequest& request) {
    const Context context = open_context(library, request.device, CRYPT_LUKS, "its LUKS header");
    const uint32_t flags = CRYPT_ACTIVATE_ALLOW_DISCARDS | (request.read_only ? CRYPT_ACTIVATE_READONLY : 0U);
    return library.activate_by_passphrase(context.get(), request.name.c_str(), CRYPT_ANY_SLOT,
                                          request.passphrase.data(), request.passphrase.size(), flags);
}

int open_verity(const Cryptsetup& library, const UnlockRequest& request) {
    const Context context = open_context(library, request.hash_device, CRYPT_VERITY, "its verity data");
    if (const int set = library.set_data_device(context.get(), request.device.c_str()); set < 0) {
        return set;
    }
    const std::string hash = hash_bytes(request.root_hash);
    const std::string signature = from_base64(request.signature).value_or("");
    int done = -ENOKEY;
    if (!signature.empty()) {
        done = library.activate_by_signed_key(context.get(), request.name.c_str(), hash.data(), hash.size(),
                                              signature.data(), signature.size(), CRYPT_ACTIVATE_READONLY);
    }
    if (done < 0 && !request.need_signature) {
        done = library.activate_by_volume_key(context.get(), request.name.c_str(), hash.data(), hash.size(),
                                              CRYPT_ACTIVATE_READONLY);
    }
    return done;
}

[[noreturn]] void throw_failed(const UnlockRequest& request, int code) {
    if (request.hash_device.empty()) {
        throw Error(fmt::format("it cannot be decrypted: {}", error_text(code))).with_code(code);
    }
    if (request.need_signature) {
        throw Error(fmt::format("no key that this kernel trusts has signed its root hash ({})", error_text(code)),
                    "Nor has anybody with a certificate in /etc/verity.d (NAME.crt).")
            .with_code(code);
    }
    if (code == EPERM || code == EINVAL || code == EIO) {
        throw Error("its data does not belong to the root hash").with_code(code);
    }
    throw Error(fmt::format("verity cannot be set up: {}", error_text(code))).with_code(code);
}

} // namespace

MappedDevice::MappedDevice(MappedDevice&& other) noexcept
    : cryptsetup_(other.cryptsetup_), name_(std::exchange(other.name_, {})) {}

MappedDevice::~MappedDevice() {
    if (!name_.empty()) {
        cryptsetup_.deactivate_by_name(nullptr, name_.c_str(), CRYPT_DEACTIVATE_DEFERRED);
    }
}

MappedDevice MappedDevice::open(const UnlockRequest& request, UnlockAnswer& answer) {
    MappedDevice device(Cryptsetup::load_library());
    require_device_mapper();
    const bool luks = request.hash_device.empty();
    const int done = luks ? open_luks(device.cryptsetup_, request) : open_verity(device.cryptsetup_, request);
    if (luks && done == -EPERM) {
        answer = {UnlockOutcome::wrong_passphrase, {}};
        return device;
    }
    if (done < 0) {
        throw_failed(request, -done);
    }
    device.name_ = request.name;
    answer = {UnlockOutcome::opened, "/dev/mapper/" + request.name};
    return device;
}

} // namespace nspawn
