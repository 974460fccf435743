#include "image/select_partitions.hpp"

#include "base/error.hpp"
#include "base/text.hpp"
#include "base/version_compare.hpp"
#include "image/partition_type.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <array>

namespace nspawn {

namespace {

constexpr uint64_t kEspNotForUs = uint64_t{1} << 1; // UEFI: firmware makes no block device of it
constexpr PartitionRole kMounted[] = {PartitionRole::root, PartitionRole::usr,      PartitionRole::home,
                                      PartitionRole::srv,  PartitionRole::var,      PartitionRole::tmp,
                                      PartitionRole::esp,  PartitionRole::xbootldr, PartitionRole::swap};

struct Candidate {
    const DiskPartition* part = nullptr;
    unsigned distance = 0; // of its architecture
    std::string_view architecture;
};

bool has_versions(PartitionRole role) { return role == PartitionRole::root || role == PartitionRole::usr; }

PartitionRole verity_of(PartitionRole role) {
    return role == PartitionRole::usr ? PartitionRole::usr_verity : PartitionRole::root_verity;
}

PartitionRole signature_of(PartitionRole role) {
    return role == PartitionRole::usr ? PartitionRole::usr_verity_sig : PartitionRole::root_verity_sig;
}

// "partition 3 (home)"
std::string name_of(const DiskPartition& part, PartitionRole role) {
    return part.number == 0 ? "the file system"
                            : fmt::format("partition {} ({})", part.number, partition_role_name(role));
}

std::string_view protection_word(Protection protection) {
    switch (protection) {
    case Protection::none:
        return "unprotected";
    case Protection::encrypted:
        return "encrypted";
    case Protection::verity:
        return "protected by verity without a signature";
    case Protection::signed_verity:
        return "protected by signed verity";
    }
    return "";
}

class Selection {
public:
    Selection(const DiskLayout& layout, const ImagePolicy& policy, const VerityWish& wish)
        : layout_(layout), policy_(policy), wish_(wish) {}

    std::vector<ChosenPartition> run() {
        switch (layout_.table) {
        case PartitionTable::none:
            consider(PartitionRole::root, layout_.whole, {});
            break;
        case PartitionTable::mbr:
            sort_mbr();
            break;
        case PartitionTable::gpt:
            sort_gpt();
            break;
        }
        for (const PartitionRole role : kMounted) {
            choose(role);
        }
        require_a_tree();
        check_places();
        std::for_each(chosen_.begin(), chosen_.end(), [&](const auto& choice) { require_content(choice); });
        return std::move(chosen_);
    }

private:
    std::vector<Candidate>& of(PartitionRole role) { return candidates_[static_cast<size_t>(role)]; }

    void consider(PartitionRole role, const DiskPartition& part, std::string_view architecture) {
        of(role).push_back({&part, architecture_distance(architecture), architecture});
    }

    void sort_mbr() {
        std::vector<const DiskPartition*> generic;
        for (const DiskPartition& part : layout_.partitions) {
            if (part.type == "0x83" && (part.flags & kMbrActive) != 0) {
                generic.push_back(&part);
            } else if (part.type == "0xea") {
                consider(PartitionRole::xbootldr, part, {});
            }
        }
        use_generic(generic, "Linux partition (0x83) that is marked bootable");
    }

    void sort_gpt() {
        std::vector<const DiskPartition*> generic;
        for (const DiskPartition& part : layout_.partitions) {
            const auto type = partition_type(part.type);
            const bool is_esp = type && type->role == PartitionRole::esp;
            if ((part.flags & (is_esp ? kEspNotForUs : kPartitionNoAuto)) != 0) {
                continue;
            }
            if (type) {
                consider(type->role, part, type->architecture);
            } else if (is_generic_partition_type(part.type)) {
                generic.push_back(&part);
            }
        }
        if (of(PartitionRole::root).empty() && of(PartitionRole::usr).empty()) {
            use_generic(generic, "partition of the generic Linux type");
        }
    }

    void use_generic(const std::vector<const DiskPartition*>& generic, std::string_view what) {
        if (generic.size() > 1) {
            throw Error(
                fmt::format("there are {} partitions that could be the root, as each is a {}", generic.size(), what),
                "Give the root partition its own type, e.g. with sfdisk --part-type.")
                .with_code(ENOTUNIQ);
        }
        if (!generic.empty()) {
            consider(PartitionRole::root, *generic.front(), {});
        }
    }

    // What this machine runs before what it does not, the newer version before the older, the first of equals.
    static bool is_better(PartitionRole role, const Candidate& a, const Candidate& b) {
        if (a.distance != b.distance) {
            return a.distance < b.distance;
        }
        return has_versions(role) && compare_versions(a.part->label, b.part->label) > 0;
    }

    [[nodiscard]] const Candidate* best(PartitionRole role) {
        const Candidate* found = nullptr;
        for (const Candidate& candidate : of(role)) {
            if (found == nullptr || is_better(role, candidate, *found)) {
                found = &candidate;
            }
        }
        return found;
    }

    // The first and the second half of a root hash are the names of the two partitions that belong to it.
    static bool has_uuid(const DiskPartition& part, std::string_view hex) {
        std::string digits = part.uuid;
        std::erase(digits, '-');
        return digits.size() == 32 && digits == hex;
    }

    const DiskPartition* find_named(PartitionRole role, std::string_view hex) {
        for (const Candidate& candidate : of(role)) {
            if (has_uuid(*candidate.part, hex)) {
                return candidate.part;
            }
        }
        return nullptr;
    }

    struct Found {
        const DiskPartition* data = nullptr;
        const DiskPartition* hash_tree = nullptr;
        std::string root_hash; // empty: no verity
        std::string signature;
    };

    [[nodiscard]] bool policy_knows(PartitionRole role, PolicyFlags use) const { return (policy_.of(role) & use) != 0; }

    Found find_by_wish(PartitionRole role) {
        Found found;
        found.root_hash = wish_.root_hash;
        found.signature = wish_.signature;
        const std::string_view hash = wish_.root_hash;
        if (layout_.table == PartitionTable::none) {
            found.data = &layout_.whole;
            if (!wish_.separate_data) {
                throw Error(
                    "a root hash was given, but there is neither a partition table nor a file with the hash tree",
                    "Name the file with --verity-data=, or put it beside the image as NAME.verity.");
            }
            return found;
        }
        found.data = find_named(role, hash.substr(0, 32));
        found.hash_tree = find_named(verity_of(role), hash.substr(hash.size() - 32));
        if (found.data == nullptr || found.hash_tree == nullptr) {
            throw Error(fmt::format("no {} partition belongs to the root hash {}…",
                                    partition_role_name(found.data == nullptr ? role : verity_of(role)),
                                    hash.substr(0, 16)),
                        "The hash is of another image, or the partitions do not have its halves as their UUIDs.")
                .with_code(ENXIO);
        }
        return found;
    }

    // A signature partition says itself which root hash it signs.
    Found find_by_itself(PartitionRole role) {
        Found found;
        const Candidate* const data = best(role);
        found.data = data == nullptr ? nullptr : data->part;
        const Candidate* const signature = best(signature_of(role));
        if (signature == nullptr || !wish_.use_embedded || !policy_knows(role, policy::kSigned | policy::kVerity)) {
            return found;
        }
        const std::string& hash = signature->part->root_hash;
        if (hash.size() < 32) {
            throw Error(fmt::format("{} holds no signature", name_of(*signature->part, signature_of(role))));
        }
        const DiskPartition* const named = find_named(role, std::string_view(hash).substr(0, 32));
        const DiskPartition* const tree = find_named(verity_of(role), std::string_view(hash).substr(hash.size() - 32));
        if (named != nullptr && tree != nullptr) {
            found = {named, tree, hash, signature->part->signature};
        }
        return found;
    }

    // What the policy allows of what the partition has; nothing: it is to be left alone.
    std::optional<Protection> protection_of(PartitionRole role, const Found& found) const {
        const PolicyFlags allowed = policy_.of(role);
        const bool verity = !found.root_hash.empty();
        const bool encrypted = found.data->content == "crypto_LUKS";
        if (verity && !found.signature.empty() && (allowed & policy::kSigned) != 0) {
            return Protection::signed_verity;
        }
        if (verity && (allowed & policy::kVerity) != 0) {
            return Protection::verity;
        }
        const bool demanded = verity && !wish_.root_hash.empty();
        if (!demanded && encrypted && (allowed & policy::kEncrypted) != 0) {
            return Protection::encrypted;
        }
        if (!demanded && !encrypted && (allowed & policy::kUnprotected) != 0) {
            return Protection::none;
        }
        if ((allowed & policy::kUnused) != 0 && !demanded) {
            return std::nullopt;
        }
        const Protection is = verity ? Protection::verity : encrypted ? Protection::encrypted : Protection::none;
        throw Error(fmt::format("{} is {}, which the image policy does not allow", name_of(*found.data, role),
                                protection_word(is)),
                    "See --image-policy=.")
            .with_code(ERFKILL);
    }

    void check_flag(PartitionRole role, const DiskPartition& part, bool is_set, PolicyFlags on, PolicyFlags off,
                    std::string_view name) const {
        const PolicyFlags allowed = policy_.of(role);
        if ((allowed & (is_set ? on : off)) == 0) {
            throw Error(fmt::format("{} has its {} flag {}, which the image policy does not allow", name_of(part, role),
                                    name, is_set ? "set" : "not set"),
                        "See --image-policy=.")
                .with_code(ERFKILL);
        }
    }

    void choose(PartitionRole role) {
        const bool wished = wish_.role == role && !wish_.root_hash.empty();
        const Found found = wished ? find_by_wish(role) : find_by_itself(role);
        const PolicyFlags allowed = policy_.of(role);
        if (found.data == nullptr) {
            if ((allowed & policy::kAbsent) == 0) {
                throw Error(
                    fmt::format("there is no {} partition, which the image policy demands", partition_role_name(role)),
                    "See --image-policy=.")
                    .with_code(ERFKILL);
            }
            return;
        }
        const std::optional<Protection> protection = protection_of(role, found);
        if (!protection || role == PartitionRole::swap) {
            return;
        }
        ChosenPartition choice;
        choice.role = role;
        choice.part = *found.data;
        choice.protection = *protection;
        const bool flagged = layout_.table == PartitionTable::gpt;
        const bool read_only = flagged && (choice.part.flags & kPartitionReadOnly) != 0;
        choice.grow = flagged && (choice.part.flags & kPartitionGrow) != 0;
        check_flag(role, choice.part, read_only, policy::kReadOnlyOn, policy::kReadOnlyOff, "read-only");
        check_flag(role, choice.part, choice.grow, policy::kGrowfsOn, policy::kGrowfsOff, "grow-file-system");
        choice.read_only = read_only;
        if (*protection == Protection::verity || *protection == Protection::signed_verity) {
            choice.read_only = true;
            choice.root_hash = found.root_hash;
            choice.signature = *protection == Protection::signed_verity ? found.signature : "";
            if (found.hash_tree != nullptr) {
                choice.hash_tree = *found.hash_tree;
            }
        }
        chosen_.push_back(std::move(choice));
    }

    void require_content(const ChosenPartition& choice) const {
        if (choice.part.ambiguous) {
            throw Error(
                fmt::format("{} has the signatures of several file systems at once", name_of(choice.part, choice.role)),
                "Remove the stale one with wipefs(8).")
                .with_code(EUCLEAN);
        }
        if (!choice.part.content.empty()) {
            return;
        }
        if (layout_.table == PartitionTable::none) {
            throw Error("there is neither a file system nor a partition table in it").with_code(ENOPKG);
        }
        throw Error(fmt::format("{} holds no file system that is known", name_of(choice.part, choice.role)))
            .with_code(ENOPKG);
    }

    void require_a_tree() const {
        const auto is = [&](PartitionRole role) {
            return std::any_of(chosen_.begin(), chosen_.end(), [&](const auto& choice) { return choice.role == role; });
        };
        if (!is(PartitionRole::root) && !is(PartitionRole::usr)) {
            throw Error(
                layout_.partitions.empty() ? "its partition table is empty"
                                           : "none of its partitions is a root or /usr file system",
                "A root partition is told by its type (Discoverable Partitions Specification), or it is the only "
                "generic Linux one.")
                .with_code(ENXIO);
        }
        const bool root_has_verity = !chosen_.front().root_hash.empty() && chosen_.front().role == PartitionRole::root;
        if (root_has_verity && is(PartitionRole::usr)) {
            throw Error("the root file system is protected by verity, but /usr is a partition of its own")
                .with_code(EADDRNOTAVAIL);
        }
    }

    void check_places() const {
        std::vector<const DiskPartition*> used;
        for (const ChosenPartition& choice : chosen_) {
            used.push_back(&choice.part);
            if (choice.hash_tree) {
                used.push_back(&*choice.hash_tree);
            }
        }
        std::sort(used.begin(), used.end(), [](const auto* a, const auto* b) { return a->offset < b->offset; });
        uint64_t end = 0;
        for (const DiskPartition* part : used) {
            if (part->size == 0 || part->offset > layout_.size || part->size > layout_.size - part->offset) {
                throw Error(fmt::format("partition {} reaches beyond the end of the image ({} bytes): it was cut off",
                                        part->number, layout_.size))
                    .with_code(EUCLEAN);
            }
            if (part->offset < end) {
                throw Error(fmt::format("partition {} overlaps another one", part->number)).with_code(EUCLEAN);
            }
            end = part->offset + part->size;
        }
    }

    const DiskLayout& layout_;
    const ImagePolicy& policy_;
    const VerityWish& wish_;
    std::array<std::vector<Candidate>, kPartitionRoles> candidates_;
    std::vector<ChosenPartition> chosen_;
};

} // namespace

std::vector<ChosenPartition> select_partitions(const DiskLayout& layout, const ImagePolicy& policy,
                                               const VerityWish& wish) {
    return Selection(layout, policy, wish).run();
}

const char* mount_point_of(PartitionRole role) {
    switch (role) {
    case PartitionRole::root:
        return "/";
    case PartitionRole::usr:
        return "/usr";
    case PartitionRole::home:
        return "/home";
    case PartitionRole::srv:
        return "/srv";
    case PartitionRole::var:
        return "/var";
    case PartitionRole::tmp:
        return "/var/tmp";
    default:
        return nullptr;
    }
}

} // namespace nspawn
