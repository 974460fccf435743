#include "linux/resource_limit.hpp"

#include "base/text.hpp"

#include <fmt/format.h>

#include <algorithm>

namespace nspawn {

namespace {

constexpr std::string_view kNamePrefix = "RLIMIT_";
constexpr uint64_t kMebibyte = 1ULL << 20;

enum class UnitKind { number, bytes, seconds, microseconds, nice };

struct Resource {
    std::string_view name;
    int number;
    UnitKind unit;
};

// In the order of systemd-nspawn(1) --rlimit=help.
constexpr Resource kResources[] = {
    {"CPU", RLIMIT_CPU, UnitKind::seconds},         {"FSIZE", RLIMIT_FSIZE, UnitKind::bytes},
    {"DATA", RLIMIT_DATA, UnitKind::bytes},         {"STACK", RLIMIT_STACK, UnitKind::bytes},
    {"CORE", RLIMIT_CORE, UnitKind::bytes},         {"RSS", RLIMIT_RSS, UnitKind::bytes},
    {"NPROC", RLIMIT_NPROC, UnitKind::number},      {"NOFILE", RLIMIT_NOFILE, UnitKind::number},
    {"MEMLOCK", RLIMIT_MEMLOCK, UnitKind::bytes},   {"AS", RLIMIT_AS, UnitKind::bytes},
    {"LOCKS", RLIMIT_LOCKS, UnitKind::number},      {"SIGPENDING", RLIMIT_SIGPENDING, UnitKind::number},
    {"MSGQUEUE", RLIMIT_MSGQUEUE, UnitKind::bytes}, {"NICE", RLIMIT_NICE, UnitKind::nice},
    {"RTPRIO", RLIMIT_RTPRIO, UnitKind::number},    {"RTTIME", RLIMIT_RTTIME, UnitKind::microseconds},
};
static_assert(std::size(kResources) == RLIM_NLIMITS);

const Resource* find_resource(int number) {
    const auto* found = std::find_if(std::begin(kResources), std::end(kResources),
                                     [number](const Resource& resource) { return resource.number == number; });
    return found == std::end(kResources) ? nullptr : found;
}

struct Unit {
    std::string_view name;
    uint64_t factor;
};

// Largest first: in "1G512M" each unit must be smaller than the one before.
constexpr Unit kByteUnits[] = {
    {"E", 1ULL << 60}, {"P", 1ULL << 50}, {"T", 1ULL << 40}, {"G", 1ULL << 30},
    {"M", 1ULL << 20}, {"K", 1ULL << 10}, {"B", 1},          {"", 1},
};

constexpr uint64_t kMillisecond = 1000;
constexpr uint64_t kSecond = 1000 * kMillisecond;
constexpr uint64_t kMinute = 60 * kSecond;
constexpr uint64_t kHour = 60 * kMinute;
constexpr uint64_t kDay = 24 * kHour;
constexpr uint64_t kYear = 31557600 * kSecond; // 365.25 days
constexpr Unit kTimeUnits[] = {
    {"years", kYear},     {"year", kYear},      {"y", kYear},        {"months", kYear / 12}, {"month", kYear / 12},
    {"M", kYear / 12},    {"weeks", 7 * kDay},  {"week", 7 * kDay},  {"w", 7 * kDay},        {"days", kDay},
    {"day", kDay},        {"d", kDay},          {"hours", kHour},    {"hour", kHour},        {"hr", kHour},
    {"h", kHour},         {"minutes", kMinute}, {"minute", kMinute}, {"min", kMinute},       {"m", kMinute},
    {"seconds", kSecond}, {"second", kSecond},  {"sec", kSecond},    {"s", kSecond},         {"msec", kMillisecond},
    {"ms", kMillisecond}, {"usec", 1},          {"us", 1},           {"\u00b5s", 1},         {"\u03bcs", 1},
};

bool is_digit(char c) { return c >= '0' && c <= '9'; }
bool is_blank(char c) { return c == ' ' || c == '\t'; }

std::string_view take_while(std::string_view& text, bool (*wanted)(char)) {
    size_t length = 0;
    while (length < text.size() && wanted(text[length])) {
        ++length;
    }
    const std::string_view taken = text.substr(0, length);
    text.remove_prefix(length);
    return taken;
}

// floor(unit * 0.digits), exact: from the last digit to the first the remainder stays below `unit` (at most 2^60).
uint64_t fraction_of(uint64_t unit, std::string_view digits) {
    uint64_t value = 0;
    for (size_t at = digits.size(); at > 0; --at) {
        value = (value + static_cast<uint64_t>(digits[at - 1] - '0') * unit) / 10;
    }
    return value;
}

// "1.5" of some unit, not yet multiplied.
struct Quantity {
    uint64_t whole = 0;
    std::string_view fraction;
};

std::optional<Quantity> take_quantity(std::string_view& text) {
    const std::string_view whole = take_while(text, is_digit);
    Quantity quantity;
    if (text.starts_with('.')) {
        text.remove_prefix(1);
        quantity.fraction = take_while(text, is_digit);
        if (quantity.fraction.empty()) {
            return std::nullopt;
        }
    }
    const auto number = parse_unsigned(whole);
    if (!number) {
        return std::nullopt;
    }
    quantity.whole = *number;
    return quantity;
}

// Adds quantity * factor to `sum`; false on overflow.
bool add_scaled(uint64_t& sum, const Quantity& quantity, uint64_t factor) {
    uint64_t product = 0;
    return !__builtin_mul_overflow(quantity.whole, factor, &product) && !__builtin_add_overflow(sum, product, &sum) &&
           !__builtin_add_overflow(sum, fraction_of(factor, quantity.fraction), &sum);
}

// "512M", "1.5G", "1G 512M".
std::optional<uint64_t> parse_bytes(std::string_view text) {
    uint64_t sum = 0;
    size_t first_allowed = 0;
    do {
        const auto quantity = take_quantity(text);
        take_while(text, is_blank);
        if (!quantity) {
            return std::nullopt;
        }
        size_t at = first_allowed;
        while (at < std::size(kByteUnits) && !text.starts_with(kByteUnits[at].name)) {
            ++at;
        }
        if (at == std::size(kByteUnits) || !add_scaled(sum, *quantity, kByteUnits[at].factor)) {
            return std::nullopt;
        }
        text.remove_prefix(kByteUnits[at].name.size());
        take_while(text, is_blank);
        first_allowed = at + 1;
    } while (!text.empty());
    return sum;
}

bool is_unit_character(char c) { return !is_digit(c) && !is_blank(c) && c != '.'; }

} // namespace

std::optional<uint64_t> parse_time_span(std::string_view text, uint64_t default_unit) {
    uint64_t sum = 0;
    do {
        const auto quantity = take_quantity(text);
        take_while(text, is_blank);
        const std::string_view name = take_while(text, is_unit_character);
        take_while(text, is_blank);
        uint64_t factor = default_unit;
        if (!name.empty()) {
            const auto* unit = std::find_if(std::begin(kTimeUnits), std::end(kTimeUnits),
                                            [name](const Unit& candidate) { return candidate.name == name; });
            if (unit == std::end(kTimeUnits)) {
                return std::nullopt;
            }
            factor = unit->factor;
        }
        if (!quantity || !add_scaled(sum, *quantity, factor)) {
            return std::nullopt;
        }
    } while (!text.empty());
    return sum;
}

namespace {

constexpr int64_t kNiceBase = 20;

// A signed number is a nice level, -20 to +19; an unsigned one is the kernel's own scale, 20 minus the level.
std::optional<uint64_t> parse_nice(std::string_view text) {
    const bool is_level = text.starts_with('-') || text.starts_with('+');
    const auto number = parse_signed(text);
    if (!number || *number > 2 * kNiceBase) {
        return std::nullopt;
    }
    if (!is_level) {
        return static_cast<uint64_t>(*number);
    }
    if (*number < -kNiceBase || *number >= kNiceBase) {
        return std::nullopt;
    }
    return static_cast<uint64_t>(kNiceBase - *number);
}

// As the original reads plain numbers: decimal, 0x… or, with a leading zero, octal.
std::optional<uint64_t> parse_plain(std::string_view text) {
    if (text.starts_with('+')) {
        text.remove_prefix(1);
    }
    if (starts_with_ignoring_case(text, "0x")) {
        return parse_unsigned(text.substr(2), 16);
    }
    return parse_unsigned(text, text.starts_with('0') ? 8 : 10);
}

std::optional<uint64_t> parse_finite(UnitKind kind, std::string_view text) {
    switch (kind) {
    case UnitKind::number:
        return parse_plain(text);
    case UnitKind::bytes:
        return parse_bytes(text);
    case UnitKind::nice:
        return parse_nice(text);
    case UnitKind::microseconds:
        return parse_time_span(text, 1);
    case UnitKind::seconds: {
        // Rounded up, so that a small limit does not become none at all.
        const auto span = parse_time_span(text, kSecond);
        return span ? std::optional<uint64_t>(*span / kSecond + (*span % kSecond != 0 ? 1 : 0)) : std::nullopt;
    }
    }
    return std::nullopt;
}

std::optional<uint64_t> parse_value(UnitKind kind, std::string_view text) {
    if (text == "infinity" && kind != UnitKind::nice) {
        return RLIM64_INFINITY;
    }
    const auto value = parse_finite(kind, text);
    return value == RLIM64_INFINITY ? std::nullopt : value; // the kernel would read that number as "infinity"
}

Result<rlimit64> read_limit(pid_t pid, int resource) {
    rlimit64 limit{};
    const auto which = static_cast<__rlimit_resource>(resource);
    if (auto done = check(prlimit64(pid, which, nullptr, &limit), "prlimit"); !done.ok()) {
        return done.system_error();
    }
    return limit;
}

Result<void> write_limit(int resource, const rlimit64& limit) {
    return check(prlimit64(0, static_cast<__rlimit_resource>(resource), &limit, nullptr), "prlimit");
}

// PID 1 belongs to root: without privileges only our own copy of the value can be seen.
Result<rlimit64> limit_of_first_process(int resource) {
    auto limit = read_limit(1, resource);
    return limit.error() == EPERM ? read_limit(0, resource) : limit;
}

std::string format_value(uint64_t value) { return value == RLIM64_INFINITY ? "infinity" : fmt::format("{}", value); }

} // namespace

std::optional<int> parse_resource_name(std::string_view text) {
    if (text.starts_with(kNamePrefix)) {
        text.remove_prefix(kNamePrefix.size());
    }
    for (const Resource& resource : kResources) {
        if (resource.name == text) {
            return resource.number;
        }
    }
    return std::nullopt;
}

std::string_view resource_name(int resource) {
    const Resource* found = find_resource(resource);
    return found != nullptr ? found->name : "";
}

std::optional<rlimit64> parse_resource_limit(int resource, std::string_view text) {
    const Resource* known = find_resource(resource);
    if (known == nullptr) {
        return std::nullopt;
    }
    const size_t colon = text.find(':');
    const auto soft = parse_value(known->unit, text.substr(0, colon));
    const auto hard = colon == std::string_view::npos ? soft : parse_value(known->unit, text.substr(colon + 1));
    if (!soft || !hard || *soft > *hard) {
        return std::nullopt;
    }
    return rlimit64{*soft, *hard};
}

std::string format_resource_limit(const rlimit64& limit) {
    if (limit.rlim_cur == limit.rlim_max) {
        return format_value(limit.rlim_cur);
    }
    return fmt::format("{}:{}", format_value(limit.rlim_cur), format_value(limit.rlim_max));
}

Result<ResourceLimitSet> default_resource_limits() {
    ResourceLimitSet limits;
    limits.fill({RLIM64_INFINITY, RLIM64_INFINITY});
    limits[RLIMIT_CORE].rlim_cur = 0;
    limits[RLIMIT_STACK].rlim_cur = 8 * kMebibyte;
    limits[RLIMIT_MEMLOCK] = {8 * kMebibyte, 8 * kMebibyte};
    limits[RLIMIT_MSGQUEUE] = {819200, 819200};
    limits[RLIMIT_NICE] = {0, 0};
    limits[RLIMIT_RTPRIO] = {0, 0};
    limits[RLIMIT_NOFILE] = {1024, 524288};
    for (const int resource : {RLIMIT_NPROC, RLIMIT_SIGPENDING}) {
        auto limit = limit_of_first_process(resource);
        if (!limit.ok()) {
            return limit.system_error();
        }
        limits[static_cast<size_t>(resource)] = limit.value();
    }
    return limits;
}

Result<void> allow_resource_limit(int resource, rlim64_t hard) {
    const auto present = read_limit(0, resource);
    if (!present.ok() || present.value().rlim_max >= hard) {
        return present.system_error();
    }
    const Result<void> raised = write_limit(resource, {present.value().rlim_cur, hard});
    return raised.error() == EPERM ? Result<void>() : raised;
}

Result<rlimit64> apply_resource_limit(int resource, const rlimit64& wanted) {
    if (auto done = write_limit(resource, wanted); done.ok()) {
        return wanted;
    } else if (done.error() != EPERM) {
        return done.system_error();
    }
    auto present = read_limit(0, resource);
    if (!present.ok()) {
        return present;
    }
    const uint64_t hard = std::min(wanted.rlim_max, present.value().rlim_max);
    const rlimit64 nearest{std::min(wanted.rlim_cur, hard), hard};
    if (auto done = write_limit(resource, nearest); !done.ok()) {
        return done.system_error();
    }
    return nearest;
}

} // namespace nspawn
