#include "config/image_policy.hpp"

#include "base/error.hpp"
#include "base/text.hpp"

#include <fmt/format.h>

#include <algorithm>

namespace nspawn {

namespace {

using namespace policy;

constexpr std::string_view kRoleNames[kPartitionRoles] = {
    "root",           "usr", "home", "srv", "esp", "xbootldr", "swap", "root-verity", "root-verity-sig", "usr-verity",
    "usr-verity-sig", "tmp", "var",
};

constexpr struct {
    std::string_view name;
    PolicyFlags flags;
} kFlagNames[] = {
    {"open", kOpen}, // before its parts: a complete set is written with one word
    {"ignore", kIgnore},
    {"verity", kVerity},
    {"signed", kSigned},
    {"encrypted", kEncrypted},
    {"unprotected", kUnprotected},
    {"unused", kUnused},
    {"absent", kAbsent},
    {"read-only-off", kReadOnlyOff},
    {"read-only-on", kReadOnlyOn},
    {"growfs-off", kGrowfsOff},
    {"growfs-on", kGrowfsOn},
};

PolicyFlags with_both_where_none(PolicyFlags flags, PolicyFlags pair) {
    return (flags & pair) == 0 ? static_cast<PolicyFlags>(flags | pair) : flags;
}

// What a rule does not speak of is free.
PolicyFlags completed(PolicyFlags flags) {
    if ((flags & kOpen) == 0) {
        flags |= kOpen;
    }
    return with_both_where_none(with_both_where_none(flags, kReadOnlyEither), kGrowfsEither);
}

PolicyFlags parse_flags(std::string_view text) {
    PolicyFlags flags = 0;
    for (const std::string_view word : split(text, '+')) {
        const std::string_view name = trim(word);
        const auto* const found = std::find_if(std::begin(kFlagNames), std::end(kFlagNames),
                                               [&](const auto& known) { return known.name == name; });
        if (found == std::end(kFlagNames)) {
            throw Error(fmt::format("'{}' is no flag of an image policy", printable(name)));
        }
        flags |= found->flags;
    }
    return completed(flags);
}

size_t parse_role(std::string_view name) {
    const auto* const found = std::find(std::begin(kRoleNames), std::end(kRoleNames), name);
    if (found == std::end(kRoleNames)) {
        throw Error(fmt::format("'{}' is no partition that an image policy knows", printable(name)));
    }
    return static_cast<size_t>(found - std::begin(kRoleNames));
}

// Hash and signature partitions belong to what they protect: they are free where that may be protected so, and ignored
// elsewhere.
PolicyFlags derived(PolicyFlags protected_flags, PolicyFlags use) {
    return completed((protected_flags & use) != 0 ? kUnprotected | kIgnore : kIgnore);
}

std::string flags_text(PolicyFlags flags) {
    std::string text;
    const auto add = [&](std::string_view name) { text.append(text.empty() ? "" : "+").append(name); };
    PolicyFlags left = flags;
    for (const PolicyFlags pair : {kReadOnlyEither, kGrowfsEither}) {
        if ((left & pair) == pair) {
            left &= static_cast<PolicyFlags>(~pair); // says nothing
        }
    }
    for (const auto& known : kFlagNames) {
        const bool whole_set = known.flags == kOpen || known.flags == kIgnore;
        if (whole_set ? (left & kOpen) == known.flags : (left & known.flags) == known.flags) {
            add(known.name);
            left &= static_cast<PolicyFlags>(~known.flags);
        }
    }
    return text;
}

} // namespace

std::string_view partition_role_name(PartitionRole role) { return kRoleNames[static_cast<size_t>(role)]; }

ImagePolicy ImagePolicy::for_containers() {
    return parse("root=verity+signed+encrypted+unprotected+absent:usr=verity+signed+encrypted+unprotected+absent:"
                 "home=encrypted+unprotected+absent:srv=encrypted+unprotected+absent:"
                 "tmp=encrypted+unprotected+absent:var=encrypted+unprotected+absent:"
                 "esp=unprotected+absent:xbootldr=unprotected+absent");
}

ImagePolicy ImagePolicy::parse(std::string_view text) {
    ImagePolicy result;
    if (text == "*" || text == "-" || text == "~") {
        result.flags_.fill(completed(text == "*" ? kOpen : text == "-" ? kIgnore : kAbsent));
        return result;
    }
    std::array<std::optional<PolicyFlags>, kPartitionRoles> named;
    std::optional<PolicyFlags> others;
    for (const std::string_view rule : text.empty() ? std::vector<std::string_view>{} : split(text, ':')) {
        const size_t equals = rule.find('=');
        if (equals == std::string_view::npos) {
            throw Error(fmt::format("'{}' is not of the form PARTITION=FLAG+FLAG…", printable(rule)));
        }
        const std::string_view name = trim(rule.substr(0, equals));
        std::optional<PolicyFlags>& place = name.empty() ? others : named[parse_role(name)];
        if (place) {
            throw Error(fmt::format("'{}' is named twice", name.empty() ? "=" : printable(name)));
        }
        const std::string_view flags = trim(rule.substr(equals + 1));
        place = flags.empty() ? completed(kOpen) : parse_flags(flags);
    }
    for (size_t role = 0; role < kPartitionRoles; ++role) {
        result.flags_[role] = named[role].value_or(others.value_or(completed(kIgnore)));
    }
    const auto derive = [&](PartitionRole part, PartitionRole whole, PolicyFlags use) {
        if (!named[static_cast<size_t>(part)]) {
            result.flags_[static_cast<size_t>(part)] = derived(result.of(whole), use);
        }
    };
    derive(PartitionRole::root_verity, PartitionRole::root, kVerity | kSigned);
    derive(PartitionRole::root_verity_sig, PartitionRole::root, kSigned);
    derive(PartitionRole::usr_verity, PartitionRole::usr, kVerity | kSigned);
    derive(PartitionRole::usr_verity_sig, PartitionRole::usr, kSigned);
    return result;
}

std::string ImagePolicy::text() const {
    for (const std::string_view word : {"*", "-", "~"}) {
        if (*this == parse(word)) {
            return std::string(word);
        }
    }
    std::string text;
    for (size_t role = 0; role < kPartitionRoles; ++role) {
        fmt::format_to(std::back_inserter(text), "{}{}={}", text.empty() ? "" : ":", kRoleNames[role],
                       flags_text(flags_[role]));
    }
    return text;
}

} // namespace nspawn
