// image_policy.hpp — what is demanded of the partitions of a disk image before they are used (--image-policy=).
//
// Pure text and bits: which protections a partition may have, whether it may be missing, whether it may be there and
// left alone. Never looks at an image. Grammar: systemd.image-policy(7):
//     POLICY = "*" | "-" | "~" | RULE [":" RULE]…       RULE = [PARTITION] "=" FLAG ["+" FLAG]…
// A rule without a partition is for all that no other rule names; without one those are ignored.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

namespace nspawn {

enum class PartitionRole : uint8_t {
    root,
    usr,
    home,
    srv,
    esp,
    xbootldr,
    swap,
    root_verity,
    root_verity_sig,
    usr_verity,
    usr_verity_sig,
    tmp,
    var,
};
inline constexpr size_t kPartitionRoles = 13;

// "root", "usr-verity-sig", …
std::string_view partition_role_name(PartitionRole role);

using PolicyFlags = uint16_t;
namespace policy {
inline constexpr PolicyFlags kVerity = 1 << 0;
inline constexpr PolicyFlags kSigned = 1 << 1; // verity, and its root hash is signed
inline constexpr PolicyFlags kEncrypted = 1 << 2;
inline constexpr PolicyFlags kUnprotected = 1 << 3;
inline constexpr PolicyFlags kUnused = 1 << 4; // it may be there and is not used
inline constexpr PolicyFlags kAbsent = 1 << 5;
inline constexpr PolicyFlags kReadOnlyOff = 1 << 6;
inline constexpr PolicyFlags kReadOnlyOn = 1 << 7;
inline constexpr PolicyFlags kGrowfsOff = 1 << 8;
inline constexpr PolicyFlags kGrowfsOn = 1 << 9;

inline constexpr PolicyFlags kUses = kVerity | kSigned | kEncrypted | kUnprotected;
inline constexpr PolicyFlags kIgnore = kUnused | kAbsent;
inline constexpr PolicyFlags kOpen = kUses | kIgnore;
inline constexpr PolicyFlags kReadOnlyEither = kReadOnlyOff | kReadOnlyOn;
inline constexpr PolicyFlags kGrowfsEither = kGrowfsOff | kGrowfsOn;
} // namespace policy

class ImagePolicy {
public:
    // What a container may use unless told otherwise.
    static ImagePolicy for_containers();
    // Throws Error with the reason alone.
    static ImagePolicy parse(std::string_view text);

    // Complete: one of each pair at least, and a use, unused or absent.
    [[nodiscard]] PolicyFlags of(PartitionRole role) const { return flags_[static_cast<size_t>(role)]; }
    // A policy that parse() reads as this one.
    [[nodiscard]] std::string text() const;
    bool operator==(const ImagePolicy&) const = default;

private:
    std::array<PolicyFlags, kPartitionRoles> flags_{};
};

} // namespace nspawn
