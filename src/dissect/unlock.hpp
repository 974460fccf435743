// unlock.hpp — opening an encrypted partition, or one that is protected by verity, as a mapped device.
//
// The device removes itself with its last user: that is said as soon as somebody else holds it, so nothing is left
// behind whoever dies. Never asks for anything and never mounts. Source: libcryptsetup API reference, dm-verity and
// dm-crypt in the kernel's documentation.
#pragma once

#include "dissect/cryptsetup.hpp"
#include "image/unlock_request.hpp"

#include <string>

namespace nspawn {

class MappedDevice {
public:
    // Throws Error. `answer` says how it went.
    static MappedDevice open(const UnlockRequest& request, UnlockAnswer& answer);
    MappedDevice(MappedDevice&& other) noexcept;
    MappedDevice& operator=(MappedDevice&&) = delete;
    // Removes the device, now or when the last one who has it open is gone.
    ~MappedDevice();

private:
    explicit MappedDevice(Cryptsetup library) : cryptsetup_(library) {}
    Cryptsetup cryptsetup_;
    std::string name_; // empty: there is none
};

} // namespace nspawn
