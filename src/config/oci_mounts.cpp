// The "mounts" of a bundle: OCI runtime specification, config.md "Mounts".
#include "base/path.hpp"
#include "base/text.hpp"
#include "config/oci_reader.hpp"
#include "linux/mount_words.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <iterator>

#include <linux/mount.h>

namespace nspawn::oci {

namespace {

constexpr uint64_t kQuiet = MOUNT_ATTR_NOSUID | MOUNT_ATTR_NODEV | MOUNT_ATTR_NOEXEC;

// What every container has there anyway, made by us. A bundle can restrict it, and change what is a matter of taste.
struct OwnPlace {
    std::string_view path;
    std::string_view types[2]; // of file systems, as a bundle names what we mount there
    uint64_t kept = 0;         // MOUNT_ATTR_* that stay
    bool options = false;      // of the file system can be said
    bool bindable = false;     // a directory of the host can be shown instead
};
constexpr OwnPlace kOwnPlaces[] = {
    {"/dev", {"tmpfs", ""}, 0, true, false},
    {"/dev/mqueue", {"mqueue", ""}, kQuiet, false, false},
    {"/dev/pts", {"devpts", ""}, MOUNT_ATTR_NOSUID | MOUNT_ATTR_NOEXEC, true, false},
    {"/dev/shm", {"tmpfs", ""}, 0, true, true},
    {"/proc", {"proc", ""}, kQuiet, true, false},
    {"/run", {"tmpfs", ""}, 0, true, false},
    {"/sys", {"sysfs", ""}, kQuiet | MOUNT_ATTR_RDONLY, false, false},
    {"/sys/fs/cgroup", {"cgroup", "cgroup2"}, kQuiet, false, false},
    {"/sys/fs/selinux", {"selinuxfs", ""}, MOUNT_ATTR_RDONLY, false, false},
    {"/tmp", {"tmpfs", ""}, 0, true, true},
};

const OwnPlace* find_own_place(const std::string& path) {
    const auto* const found = std::find_if(std::begin(kOwnPlaces), std::end(kOwnPlaces),
                                           [&](const OwnPlace& place) { return place.path == path; });
    return found == std::end(kOwnPlaces) ? nullptr : found;
}

constexpr struct {
    std::string_view word;
    Propagation propagation;
} kPropagations[] = {{"private", Propagation::private_}, {"rprivate", Propagation::private_},
                     {"slave", Propagation::slave},      {"rslave", Propagation::slave},
                     {"shared", Propagation::shared},    {"rshared", Propagation::shared}};

// Of the file system behind a mount, which a bind leaves as it is.
constexpr std::string_view kOfFileSystem[] = {"async",      "sync",   "dirsync", "lazytime", "nolazytime",
                                              "mand",       "nomand", "acl",     "noacl",    "iversion",
                                              "noiversion", "silent", "loud"};

template <typename Table>
bool is_in(const Table& table, std::string_view word) {
    return std::find(std::begin(table), std::end(table), word) != std::end(table);
}

// "rro" and its like: also of the mounts below, which is what ours do anyway.
const MountWord* find_word(std::string_view word) {
    const MountWord* const known = find_mount_word(word);
    return known == nullptr && word.starts_with('r') ? find_mount_word(word.substr(1)) : known;
}

class MountReader {
public:
    MountReader(OciBundle& bundle, const OciValue& value) : bundle_(bundle), value_(value) {}

    void read() {
        value_.members([&](std::string_view key, const OciValue& member) { read_member(key, member); });
        const std::string path = value_.require("destination").path();
        mount_.destination = path;
        const OwnPlace* const own = find_own_place(path);
        if (own != nullptr && !(binds_ && own->bindable)) {
            read_own(*own);
        } else if (is_within(path, "/sys/fs/cgroup")) {
            leave_out(bundle_, value_, path); // what is there depends on the kernel's control groups alone
        } else if (type_ == "tmpfs" && !binds_) {
            read_tmpfs();
        } else if (type_.empty() || type_ == "bind" || type_ == "none" || binds_) {
            read_bind();
        } else {
            value_.require("type").fail(fmt::format("mounting '{}' is not supported", printable(type_)));
        }
    }

private:
    void read_member(std::string_view key, const OciValue& member) {
        if (key == "destination") {
            return;
        }
        if (key == "source") {
            source_ = member.text();
        } else if (key == "type") {
            type_ = member.text();
            binds_ = binds_ || type_ == "bind";
        } else if (key == "options") {
            member.each([&](const OciValue& option) { read_option(option); });
        } else if (key == "uidMappings") {
            mount_.exact_map.users = read_id_ranges(member);
            maps_owners_ = true;
        } else if (key == "gidMappings") {
            mount_.exact_map.groups = read_id_ranges(member);
            maps_owners_ = true;
        } else {
            member.fail("unknown key");
        }
    }

    void read_option(const OciValue& option) {
        const std::string& word = option.text();
        if (word == "bind" || word == "rbind") {
            binds_ = true;
            mount_.recursive = word == "rbind";
        } else if (word == "idmap" || word == "ridmap") {
            maps_owners_ = true;
            maps_below_ = word == "ridmap";
        } else if (word == "unbindable" || word == "runbindable") {
            option.fail("is not supported");
        } else if (word.find(',') != std::string::npos) {
            option.fail("has a comma");
        } else if (word != "defaults") {
            sort(option);
        }
    }

    // Without mappings of its own such a mount has the container's.
    void settle_owners() {
        const IdMap& map = mount_.exact_map;
        if (map.users.empty() != map.groups.empty()) {
            value_.fail("uidMappings and gidMappings belong together");
        }
        if (maps_owners_) {
            mount_.mapping = map.empty() ? BindMapping::same : BindMapping::exact;
            mount_.maps_submounts = maps_below_;
        }
    }

    void refuse_map() const {
        if (maps_owners_) {
            value_.fail("the owners of nothing but a bind can be mapped");
        }
    }

    void sort(const OciValue& option) {
        if (is_propagation(option)) {
            propagations_.push_back(option);
            return;
        }
        words_.push_back(option);
        (find_word(option.text()) != nullptr ? flags_ : data_).push_back(option);
    }

    bool is_propagation(const OciValue& option) {
        for (const auto& known : kPropagations) {
            if (known.word == option.text()) {
                mount_.propagation = known.propagation;
                return true;
            }
        }
        return false;
    }

    void read_bind() {
        for (const OciValue& option : data_) {
            if (!is_in(kOfFileSystem, option.text())) {
                option.fail(fmt::format("'{}' is not supported for a bind", printable(option.text())));
            }
            leave_out(bundle_, option, option.text());
        }
        if (source_.empty()) {
            value_.fail("a bind needs a source");
        }
        settle_owners();
        mount_.kind = CustomMountKind::bind;
        for (const OciValue& flag : flags_) {
            mount_.change.add(*find_word(flag.text()));
        }
        mount_.read_only = (mount_.change.set & MOUNT_ATTR_RDONLY) != 0;
        const std::string path = is_absolute(source_) ? source_ : join(bundle_.runtime.bundle, source_);
        mount_.sources = {{.path = simplified(path), .in_tree = false}};
        bundle_.mounts.push_back(std::move(mount_));
    }

    // Whom it propagates to is no question: nobody else has this one.
    void read_tmpfs() {
        refuse_map();
        mount_.kind = CustomMountKind::tmpfs;
        mount_.propagation = Propagation::unchanged;
        for (const OciValue& option : words_) {
            const MountWord* const flag = find_word(option.text());
            mount_.options.append(mount_.options.empty() ? "" : ",").append(flag ? flag->word : option.text());
        }
        bundle_.mounts.push_back(std::move(mount_));
    }

    void read_own(const OwnPlace& own) {
        if (!is_in(own.types, type_) || type_.empty()) {
            leave_out(bundle_, value_, fmt::format("{} on {}", type_.empty() ? "bind" : type_, own.path));
            return;
        }
        refuse_map();
        OciOwnMount mount;
        mount.target = own.path;
        for (const OciValue& flag : flags_) {
            const MountWord& word = *find_word(flag.text());
            if ((word.clear & own.kept) != 0) {
                leave_out(bundle_, flag, flag.text());
            } else {
                mount.change.add(word);
            }
        }
        for (const OciValue& option : data_) {
            if (own.options) {
                const std::string& text = option.text();
                const size_t equals = text.find('=');
                mount.options.push_back(
                    {text.substr(0, equals), equals == std::string::npos ? "" : text.substr(equals + 1)});
            } else {
                leave_out(bundle_, option, option.text());
            }
        }
        for (const OciValue& option : propagations_) {
            if (option.text().ends_with("shared")) {
                leave_out(bundle_, option, option.text());
            }
        }
        bundle_.runtime.own_mounts.push_back(std::move(mount));
    }

    OciBundle& bundle_;
    const OciValue& value_;
    CustomMount mount_;
    std::string type_;
    std::string source_;
    std::vector<OciValue> flags_; // what a mount can be
    std::vector<OciValue> propagations_;
    std::vector<OciValue> data_;  // the file system's
    std::vector<OciValue> words_; // both of these, as they came
    bool binds_ = false;
    bool maps_owners_ = false;
    bool maps_below_ = false; // the mounts below it, too
};

} // namespace

void read_mounts(OciBundle& bundle, const OciValue& value) {
    value.each([&](const OciValue& mount) { MountReader(bundle, mount).read(); });
}

} // namespace nspawn::oci
