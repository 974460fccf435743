#include "plan/address_pool.hpp"

#include "base/siphash.hpp"

#include <algorithm>
#include <array>

#include <sys/socket.h>

namespace nspawn {

namespace {

constexpr SipHashKey kNameKey = {0x5d, 0x1e, 0x2c, 0x90, 0x07, 0x6b, 0x4e, 0x3f,
                                 0x9a, 0x44, 0xd2, 0x18, 0x6e, 0x73, 0xc1, 0x05};
constexpr SipHashKey kHostKey = {0xb4, 0x0f, 0x6d, 0x3b, 0x9e, 0x21, 0x45, 0x8c,
                                 0x81, 0xf7, 0x5a, 0x02, 0xcc, 0x39, 0x60, 0xee};

IpPrefix nth_subnet(const IpPrefix& pool, unsigned length, uint64_t index) {
    IpPrefix subnet = network_of(pool);
    for (unsigned bit = length; bit-- > pool.length; index >>= 1) {
        uint8_t& octet = subnet.address.octets.at(bit / 8);
        octet = static_cast<uint8_t>(octet | (index & 1U) << (7 - bit % 8));
    }
    subnet.length = length;
    return subnet;
}

bool overlap(const IpPrefix& a, const IpPrefix& b) {
    return a.length <= b.length ? contains(a, b.address) : contains(b, a.address);
}

class PoolSearch {
public:
    PoolSearch(const SubnetRequest& request, const IpPrefix& pool)
        : request_(request), pool_(pool), length_(std::max(request.length, pool.length)),
          width_(std::min(length_ - pool.length, 62U)) {}

    [[nodiscard]] std::optional<IpPrefix> run() const {
        const uint64_t count = uint64_t{1} << width_;
        const uint64_t start = request_.seed % count;
        for (uint64_t step = 0; step < count;) {
            const uint64_t index = (start + step) % count;
            const IpPrefix subnet = nth_subnet(pool_, length_, index);
            const IpPrefix* const taken = obstacle(subnet);
            if (taken == nullptr) {
                return subnet;
            }
            step += distance_past(*taken, index);
        }
        return std::nullopt;
    }

private:
    [[nodiscard]] const IpPrefix* obstacle(const IpPrefix& subnet) const {
        for (const IpPrefix& each : request_.leased) {
            if (overlap(each, subnet)) {
                return &each;
            }
        }
        for (const IpPrefix& each : request_.on_host) {
            const bool is_known = each.length == 0 || (request_.pool_is_given && each.length < pool_.length);
            if (!is_known && overlap(each, subnet)) {
                return &each;
            }
        }
        return nullptr;
    }

    // From subnet `index`, which lies in what is taken, to the first one behind it.
    [[nodiscard]] uint64_t distance_past(const IpPrefix& taken, uint64_t index) const {
        if (taken.length >= length_) {
            return 1;
        }
        if (taken.length <= pool_.length) {
            return uint64_t{1} << width_;
        }
        const uint64_t size = uint64_t{1} << (length_ - taken.length);
        return size - index % size;
    }

    const SubnetRequest& request_;
    const IpPrefix& pool_;
    unsigned length_;
    unsigned width_; // bits that number the pool's subnets
};

} // namespace

std::span<const IpPrefix> default_ipv4_pools() {
    static constexpr std::array<IpPrefix, 3> pools = {IpPrefix{{AF_INET, {10, 160}}, 11},
                                                      IpPrefix{{AF_INET, {172, 28}}, 14},
                                                      IpPrefix{{AF_INET, {192, 168, 224}}, 19}};
    return pools;
}

IpPrefix ipv6_pool_of_host(const Id128& machine_id) {
    const std::string_view id(reinterpret_cast<const char*>(machine_id.bytes.data()), machine_id.bytes.size());
    const uint64_t global_id = siphash24(id, kHostKey);
    IpPrefix pool{{AF_INET6, {0xfd}}, 48};
    for (size_t i = 0; i < 5; ++i) {
        pool.address.octets.at(i + 1) = static_cast<uint8_t>(global_id >> (8 * i));
    }
    return pool;
}

uint64_t address_seed(std::string_view name) { return siphash24(name, kNameKey); }

std::optional<IpPrefix> choose_subnet(const SubnetRequest& request) {
    for (const IpPrefix& pool : request.pools) {
        if (const auto subnet = PoolSearch(request, pool).run()) {
            return subnet;
        }
    }
    return std::nullopt;
}

IpAddress address_in(const IpPrefix& subnet, uint64_t offset) {
    IpAddress address = network_of(subnet).address;
    uint64_t carry = 0;
    for (size_t i = 0; i < std::min<size_t>(address.size(), 8); ++i) {
        uint8_t& octet = address.octets.at(address.size() - 1 - i);
        const uint64_t sum = octet + (offset >> (8 * i) & 0xff) + carry;
        octet = static_cast<uint8_t>(sum);
        carry = sum >> 8;
    }
    return address;
}

IpAddress gateway_of(const IpPrefix& subnet) { return address_in(subnet, 1); }

std::optional<uint64_t> choose_member(const IpPrefix& ipv4_subnet, uint64_t seed, std::span<const IpAddress> taken) {
    constexpr uint64_t kFirst = 2; // behind the network's own address and the gateway
    const uint64_t size = uint64_t{1} << (32 - std::min(ipv4_subnet.length, 32U));
    if (size <= kFirst + 1) {
        return std::nullopt;
    }
    const uint64_t count = size - 1 - kFirst; // the last address is the broadcast's
    for (uint64_t step = 0; step < std::min<uint64_t>(count, taken.size() + 1); ++step) {
        const uint64_t offset = kFirst + (seed + step) % count;
        if (std::find(taken.begin(), taken.end(), address_in(ipv4_subnet, offset)) == taken.end()) {
            return offset;
        }
    }
    return std::nullopt;
}

} // namespace nspawn
