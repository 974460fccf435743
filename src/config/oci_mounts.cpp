// The "mounts" of a bundle: OCI runtime specification, config.md "Mounts".
#include "base/path.hpp"
#include "base/text.hpp"
#include "config/oci_reader.hpp"

#include <fmt/format.h>

#include <algorithm>

#include <linux/mount.h>

namespace nspawn::oci {

namespace {

// What every container has there anyway, made by us with flags of our own.
constexpr std::string_view kOwnPlaces[] = {"/dev", "/dev/mqueue", "/dev/pts", "/dev/shm",        "/proc",
                                           "/run", "/sys",        "/tmp",     "/sys/fs/selinux", "/sys/fs/cgroup"};

bool is_own_place(const std::string& path) {
    return std::find(std::begin(kOwnPlaces), std::end(kOwnPlaces), path) != std::end(kOwnPlaces) ||
           is_within(path, "/sys/fs/cgroup");
}

constexpr struct {
    std::string_view word;
    uint64_t set;
    uint64_t cleared;
} kFlags[] = {
    {"ro", MOUNT_ATTR_RDONLY, 0},     {"rw", 0, MOUNT_ATTR_RDONLY},   {"nosuid", MOUNT_ATTR_NOSUID, 0},
    {"suid", 0, MOUNT_ATTR_NOSUID},   {"nodev", MOUNT_ATTR_NODEV, 0}, {"dev", 0, MOUNT_ATTR_NODEV},
    {"noexec", MOUNT_ATTR_NOEXEC, 0}, {"exec", 0, MOUNT_ATTR_NOEXEC}, {"nosymfollow", MOUNT_ATTR_NOSYMFOLLOW, 0},
};

// Propagation is always what the container's separation needs; times of access are the kernel's default.
constexpr std::string_view kWithoutEffect[] = {"private",  "rprivate", "slave",   "rslave",
                                               "relatime", "async",    "defaults"};

class MountReader {
public:
    MountReader(OciBundle& bundle, const OciValue& value) : bundle_(bundle), value_(value) {}

    void read() {
        value_.members([&](std::string_view key, const OciValue& member) { read_member(key, member); });
        mount_.destination = value_.require("destination").path();
        if (is_own_place(mount_.destination)) {
            return;
        }
        if (type_ == "tmpfs") {
            read_tmpfs();
        } else if (type_.empty() || type_ == "bind" || type_ == "none" || binds_) {
            read_bind();
        } else {
            value_.require("type").fail(fmt::format("mounting '{}' is not supported", printable(type_)));
        }
        bundle_.mounts.push_back(std::move(mount_));
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
        } else if (key == "options") {
            member.each([&](const OciValue& option) { read_option(option); });
        } else if (key == "uidMappings" || key == "gidMappings") {
            member.fail("is not supported");
        } else {
            member.fail("unknown key");
        }
    }

    void read_option(const OciValue& option) {
        const std::string& word = option.text();
        if (word == "bind" || word == "rbind") {
            binds_ = true;
            mount_.recursive = word == "rbind";
            return;
        }
        if (word.find(',') != std::string::npos) {
            option.fail("has a comma");
        }
        for (const auto& flag : kFlags) {
            if (flag.word == word) {
                mount_.attributes = (mount_.attributes | flag.set) & ~flag.cleared;
                return;
            }
        }
        if (std::find(std::begin(kWithoutEffect), std::end(kWithoutEffect), word) != std::end(kWithoutEffect)) {
            return;
        }
        data_.append(data_.empty() ? "" : ",").append(word);
    }

    void read_bind() {
        if (!data_.empty()) {
            value_.fail(fmt::format("options '{}' are not supported for a bind", printable(data_)));
        }
        if (source_.empty()) {
            value_.fail("a bind needs a source");
        }
        mount_.kind = CustomMountKind::bind;
        mount_.read_only = (mount_.attributes & MOUNT_ATTR_RDONLY) != 0;
        const std::string path = is_absolute(source_) ? source_ : join(bundle_.runtime.bundle, source_);
        mount_.sources = {{.path = simplified(path), .in_tree = false}};
    }

    void read_tmpfs() {
        mount_.kind = CustomMountKind::tmpfs;
        mount_.options = data_;
        for (const auto& flag : kFlags) {
            if (flag.set != 0 && (mount_.attributes & flag.set) != 0) {
                mount_.options.append(mount_.options.empty() ? "" : ",").append(flag.word);
            }
        }
        mount_.attributes = 0;
    }

    OciBundle& bundle_;
    const OciValue& value_;
    CustomMount mount_;
    std::string type_;
    std::string source_;
    std::string data_;
    bool binds_ = false;
};

} // namespace

void read_mounts(OciBundle& bundle, const OciValue& value) {
    value.each([&](const OciValue& mount) { MountReader(bundle, mount).read(); });
}

} // namespace nspawn::oci
