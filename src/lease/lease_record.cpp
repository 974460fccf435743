#include "lease/lease_record.hpp"

#include "base/text.hpp"

#include <algorithm>

namespace nspawn {

namespace {

constexpr size_t kLongestName = 64;
constexpr size_t kLongestLink = 15;

bool is_plain(std::string_view text, size_t longest) {
    const auto is_odd = [](unsigned char c) { return c <= 0x20 || c == 0x7f || c == '/'; };
    return !text.empty() && text.size() <= longest && std::none_of(text.begin(), text.end(), is_odd);
}

template <typename T>
bool add(std::vector<T>& list, std::optional<T> value) {
    if (!value || list.size() == kMostLeasedAddresses) {
        return false;
    }
    list.push_back(*value);
    return true;
}

// "LINK ADDRESS/LENGTH"
std::optional<FixedAddress> parse_fixed(std::string_view text) {
    const std::string_view link = take_until(text, ' ');
    const auto prefix = parse_ip_prefix(text);
    return is_plain(link, kLongestLink) && prefix ? std::optional(FixedAddress{std::string(link), *prefix})
                                                  : std::nullopt;
}

bool read_line(LeaseRecord& record, std::string_view key, std::string_view value) {
    if (key == "MACHINE") {
        record.machine = value;
        return is_plain(value, kLongestName);
    }
    if (key == "LINK") {
        record.link = value;
        return is_plain(value, kLongestLink);
    }
    if (key == "NETWORK_NAMESPACE") {
        const auto number = parse_unsigned(value);
        record.network_namespace = number.value_or(0);
        return number.has_value();
    }
    if (key == "GATEWAY") {
        return add(record.gateways, parse_ip_address(value));
    }
    if (key == "ADDRESS") {
        return add(record.addresses, parse_ip_prefix(value));
    }
    if (key == "FIXED") {
        return add(record.fixed, parse_fixed(value));
    }
    return true; // of a later version
}

} // namespace

std::string lease_as_text(const LeaseRecord& record) {
    const std::string link = record.is_managed() ? "\nLINK=" + record.link : "";
    std::string text =
        "MACHINE=" + record.machine + link + "\nNETWORK_NAMESPACE=" + std::to_string(record.network_namespace) + "\n";
    for (const IpAddress& gateway : record.gateways) {
        text += "GATEWAY=" + format_ip_address(gateway) + "\n";
    }
    for (const IpPrefix& address : record.addresses) {
        text += "ADDRESS=" + format_ip_prefix(address) + "\n";
    }
    for (size_t i = 0; i < std::min(record.fixed.size(), kMostLeasedAddresses); ++i) {
        text += "FIXED=" + record.fixed[i].link + " " + format_ip_prefix(record.fixed[i].prefix) + "\n";
    }
    return text;
}

std::optional<LeaseRecord> parse_lease(std::string_view text) {
    LeaseRecord record;
    if (text.size() > kLargestLease || !text.ends_with('\n')) {
        return std::nullopt;
    }
    while (!text.empty()) {
        std::string_view line = take_until(text, '\n');
        const std::string_view key = take_until(line, '=');
        if (!read_line(record, key, line)) {
            return std::nullopt;
        }
    }
    return record.machine.empty() ? std::nullopt : std::optional(std::move(record));
}

namespace {

template <typename IsWanted>
std::vector<IpAddress> addresses_where(const LeaseRecord& record, IsWanted&& is_wanted) {
    std::vector<IpAddress> addresses;
    for (const IpPrefix& each : record.addresses) {
        if (is_wanted(record.link)) {
            addresses.push_back(each.address);
        }
    }
    for (const FixedAddress& each : record.fixed) {
        if (is_wanted(each.link)) {
            addresses.push_back(each.prefix.address);
        }
    }
    return addresses;
}

} // namespace

std::vector<IpAddress> addresses_on_link(const LeaseRecord& record, std::string_view link) {
    return addresses_where(record, [&](const std::string& each) { return each == link; });
}

std::vector<IpAddress> all_addresses(const LeaseRecord& record) {
    return addresses_where(record, [](const std::string&) { return true; });
}

} // namespace nspawn
