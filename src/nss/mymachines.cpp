// libnss_mymachines.so.2 — "hosts: mymachines files dns" in nsswitch.conf(5): machines by their names, and back.
//
// Loaded into programs that know nothing of it: no exception leaves it, errno is the caller's own afterwards, nothing
// is kept between calls and no lock is taken. Reads the leases of living machines (lease/live_leases.hpp) and nothing
// else. Source: the GNU C library's manual, "NSS Modules Interface".

#include "base/text.hpp"
#include "lease/live_leases.hpp"
#include "nss/answer_buffer.hpp"

#include <algorithm>
#include <cerrno>
#include <cstring>

#include <netdb.h>
#include <nss.h>
#include <sys/socket.h>

namespace nspawn {
namespace {

struct Errors {
    int* errnop;
    int* h_errnop;

    [[nodiscard]] nss_status not_found() const { return answer(NSS_STATUS_NOTFOUND, ENOENT, HOST_NOT_FOUND); }
    [[nodiscard]] nss_status no_address() const { return answer(NSS_STATUS_NOTFOUND, ENOENT, NO_DATA); }
    [[nodiscard]] nss_status too_small() const { return answer(NSS_STATUS_TRYAGAIN, ERANGE, NETDB_INTERNAL); }
    [[nodiscard]] nss_status failed() const { return answer(NSS_STATUS_UNAVAIL, ENOMEM, NETDB_INTERNAL); }
    [[nodiscard]] nss_status found() const { return answer(NSS_STATUS_SUCCESS, 0, NETDB_SUCCESS); }

private:
    [[nodiscard]] nss_status answer(nss_status status, int code, int host_code) const {
        *errnop = code;
        *h_errnop = host_code;
        return status;
    }
};

// Programs do not expect that asking for a name throws, nor that it changes errno when it went well.
template <typename Action>
nss_status guarded(const Errors& errors, Action action) {
    const int before = errno;
    nss_status status = NSS_STATUS_UNAVAIL;
    try {
        status = action();
    } catch (...) {
        status = errors.failed();
    }
    errno = before;
    return status;
}

std::optional<LeaseRecord> find_machine(std::string_view name) {
    if (name.ends_with('.')) {
        name.remove_suffix(1);
    }
    for (LeaseRecord& lease : read_live_leases()) {
        if (equal_ignoring_case(lease.machine, name)) {
            return std::move(lease);
        }
    }
    return std::nullopt;
}

std::vector<IpAddress> addresses_of(const LeaseRecord& lease, int family) {
    std::vector<IpAddress> addresses;
    for (const IpAddress& each : all_addresses(lease)) {
        if (family == AF_UNSPEC || each.family == family) {
            addresses.push_back(each);
        }
    }
    return addresses;
}

std::span<const uint8_t> octets_of(const IpAddress& address) { return {address.octets.data(), address.size()}; }

nss_status fill(hostent* result, AnswerBuffer buffer, const std::string& name, const std::vector<IpAddress>& addresses,
                const Errors& errors) {
    char* const own_name = buffer.text(name);
    char** const aliases = buffer.array<char*>(1);
    char** const list = buffer.array<char*>(addresses.size() + 1);
    if (own_name == nullptr || aliases == nullptr || list == nullptr) {
        return errors.too_small();
    }
    aliases[0] = nullptr;
    for (size_t i = 0; i < addresses.size(); ++i) {
        list[i] = buffer.bytes(octets_of(addresses[i]));
        if (list[i] == nullptr) {
            return errors.too_small();
        }
    }
    list[addresses.size()] = nullptr;
    result->h_name = own_name;
    result->h_aliases = aliases;
    result->h_addrtype = addresses.front().family;
    result->h_length = static_cast<int>(addresses.front().size());
    result->h_addr_list = list;
    return errors.found();
}

nss_status by_name(const char* name, int family, hostent* result, AnswerBuffer buffer, const Errors& errors) {
    if (family != AF_INET && family != AF_INET6) {
        return errors.not_found();
    }
    const auto machine = find_machine(name);
    if (!machine) {
        return errors.not_found();
    }
    const std::vector<IpAddress> addresses = addresses_of(*machine, family);
    return addresses.empty() ? errors.no_address() : fill(result, buffer, machine->machine, addresses, errors);
}

nss_status by_name_in_any_family(const char* name, gaih_addrtuple** result, AnswerBuffer buffer, const Errors& errors) {
    const auto machine = find_machine(name);
    if (!machine) {
        return errors.not_found();
    }
    const std::vector<IpAddress> addresses = addresses_of(*machine, AF_UNSPEC);
    char* const own_name = buffer.text(machine->machine);
    auto* const tuples = buffer.array<gaih_addrtuple>(addresses.size());
    if (own_name == nullptr || tuples == nullptr) {
        return addresses.empty() ? errors.no_address() : errors.too_small();
    }
    for (size_t i = 0; i < addresses.size(); ++i) {
        tuples[i] = {};
        tuples[i].next = i + 1 < addresses.size() ? tuples + i + 1 : nullptr;
        tuples[i].name = own_name;
        tuples[i].family = addresses[i].family;
        std::memcpy(tuples[i].addr, addresses[i].octets.data(), addresses[i].size());
    }
    if (addresses.empty()) {
        return errors.no_address();
    }
    if (*result != nullptr) { // the caller has a place for the first one
        **result = tuples[0];
    } else {
        *result = tuples;
    }
    return errors.found();
}

nss_status by_address(const void* address, socklen_t size, int family, hostent* result, AnswerBuffer buffer,
                      const Errors& errors) {
    IpAddress wanted{.family = family};
    if (wanted.size() == 0 || size < wanted.size()) {
        return errors.not_found();
    }
    std::memcpy(wanted.octets.data(), address, wanted.size());
    for (const LeaseRecord& lease : read_live_leases()) {
        const std::vector<IpAddress> addresses = addresses_of(lease, family);
        if (std::find(addresses.begin(), addresses.end(), wanted) != addresses.end()) {
            return fill(result, buffer, lease.machine, {wanted}, errors);
        }
    }
    return errors.not_found();
}

} // namespace
} // namespace nspawn

// Names and types are the C library's.
extern "C" {

#define ENTRY __attribute__((visibility("default"))) nss_status

ENTRY _nss_mymachines_gethostbyname4_r(const char* name, gaih_addrtuple** result, char* buffer, size_t size,
                                       int* errnop, int* h_errnop, int32_t* ttl) {
    const nspawn::Errors errors{errnop, h_errnop};
    return nspawn::guarded(errors, [&] {
        if (ttl != nullptr) {
            *ttl = 0;
        }
        return nspawn::by_name_in_any_family(name, result, {buffer, size}, errors);
    });
}

ENTRY _nss_mymachines_gethostbyname3_r(const char* name, int family, hostent* result, char* buffer, size_t size,
                                       int* errnop, int* h_errnop, int32_t* ttl, char** canonical) {
    const nspawn::Errors errors{errnop, h_errnop};
    return nspawn::guarded(errors, [&] {
        const nss_status status =
            nspawn::by_name(name, family == AF_UNSPEC ? AF_INET : family, result, {buffer, size}, errors);
        if (status == NSS_STATUS_SUCCESS && ttl != nullptr) {
            *ttl = 0;
        }
        if (status == NSS_STATUS_SUCCESS && canonical != nullptr) {
            *canonical = result->h_name;
        }
        return status;
    });
}

ENTRY _nss_mymachines_gethostbyname2_r(const char* name, int family, hostent* result, char* buffer, size_t size,
                                       int* errnop, int* h_errnop) {
    return _nss_mymachines_gethostbyname3_r(name, family, result, buffer, size, errnop, h_errnop, nullptr, nullptr);
}

ENTRY _nss_mymachines_gethostbyname_r(const char* name, hostent* result, char* buffer, size_t size, int* errnop,
                                      int* h_errnop) {
    return _nss_mymachines_gethostbyname3_r(name, AF_INET, result, buffer, size, errnop, h_errnop, nullptr, nullptr);
}

ENTRY _nss_mymachines_gethostbyaddr2_r(const void* address, socklen_t length, int family, hostent* result, char* buffer,
                                       size_t size, int* errnop, int* h_errnop, int32_t* ttl) {
    const nspawn::Errors errors{errnop, h_errnop};
    return nspawn::guarded(errors, [&] {
        if (ttl != nullptr) {
            *ttl = 0;
        }
        return nspawn::by_address(address, length, family, result, {buffer, size}, errors);
    });
}

ENTRY _nss_mymachines_gethostbyaddr_r(const void* address, socklen_t length, int family, hostent* result, char* buffer,
                                      size_t size, int* errnop, int* h_errnop) {
    return _nss_mymachines_gethostbyaddr2_r(address, length, family, result, buffer, size, errnop, h_errnop, nullptr);
}

#undef ENTRY
}
