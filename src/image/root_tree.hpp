// root_tree.hpp — the directory tree that becomes the container's "/", from being named to being locked and held.
//
// Owns the tree's descriptor or its disk image, its lock and, for --ephemeral, the throw-away copy; dropping it
// releases all of them in reverse order. Never follows a symbolic link out of the tree and never writes into it except
// for the missing top-level directories that spec C.1 lists.
#pragma once

#include "base/unique_fd.hpp"
#include "config/config.hpp"
#include "config/environment_switches.hpp"
#include "image/image_facts.hpp"
#include "image/private_users.hpp"
#include "image/template.hpp"
#include "linux/mount_fd.hpp"

#include <memory>
#include <optional>
#include <string>
#include <vector>

namespace nspawn {

// What the command line alone says about the tree; settled before any settings file is read (spec B).
struct RootSelection {
    UniqueFd directory;             // open for reading; the path is not looked up again; invalid for an image
    UniqueFd image;                 // a disk image, open for reading
    std::string path;               // absolute, symbolic links resolved
    std::string machine;            // without the ephemeral suffix: names the settings file
    std::string machine_suffix;     // "-%016x" for --ephemeral without --machine, else empty
    bool image_read_only = false;   // the pool's image is marked read-only (-M)
    std::string settings_directory; // where an untrusted NAME.nspawn may lie; empty: nowhere
    // --template= and nothing at `path` yet: `directory` is the template until the tree is made of it.
    std::optional<MissingTree> missing;
    std::string template_path; // empty: none was named
};

// `directory` and `image` as given with --directory= and --image= (may be relative; empty: not given), `machine` as
// given with --machine=. Nothing: the working directory. Only a machine: its tree or image in the image pool. With a
// template only the machine's place in the pool, and a tree that is missing there is an answer too.
RootSelection select_root(const std::string& directory, const std::string& image, const std::string& machine,
                          bool ephemeral, const std::string& template_path = {});

class RootTree {
public:
    // Locks or copies as `config` says, checks that it is an OS tree, makes missing top-level directories.
    static RootTree open(const Config& config, const EnvironmentSwitches& switches, RootSelection selection);

    RootTree(RootTree&&) noexcept;
    RootTree& operator=(RootTree&&) noexcept;
    ~RootTree();
    // Gives the lock back and removes the copy, as the destructor; nothing else may be called afterwards.
    void release();

    // Descriptor of the directory that becomes "/": of the tree itself, or for an overlay of the detached mount.
    [[nodiscard]] int fd() const;
    // The tree's own root directory when --pivot-root= puts another one in its place, else -1. Clone it.
    [[nodiscard]] int old_root() const;
    // True when fd() is the root of a detached mount that is to be attached as it is, once per start (see renew());
    // false: clone it with open_tree(2).
    [[nodiscard]] bool is_detached_mount() const;
    // An overlay over the tree: with private users it lies on an id-mapped mount, and needs no map of its own.
    [[nodiscard]] bool is_overlay() const;
    // Puts the image's partitions that fd() does not show yet below `root`, the detached mount that becomes "/"; with
    // /usr when that is to be seen in it and is not (a new layer over the tree).
    // Answers which ones were left out and why, one line each.
    std::vector<std::string> attach_partitions(MountFd& root, bool with_usr) const;
    // To be called before the container is started once more with the same tree, as it does after a reboot inside.
    void renew();

    // Whose users the container's are. While it starts, none may be added to the host: to be told when it runs.
    [[nodiscard]] const PrivateUsers& users() const;
    void unlock_user_database();

    [[nodiscard]] const std::string& path() const;
    // The machine's name, with the suffix of an ephemeral one.
    [[nodiscard]] std::string machine() const;
    // The tree may not be written: --read-only, --volatile=, or an image that is marked so.
    [[nodiscard]] bool read_only() const;
    [[nodiscard]] bool ephemeral() const;
    // A disk image: no device node in it is to be of use.
    [[nodiscard]] bool is_image() const;
    // How the ephemeral copy was made, for the status line: "btrfs snapshot", "overlay, changes in /x"; empty when not.
    [[nodiscard]] const std::string& ephemeral_description() const;

private:
    struct State;
    explicit RootTree(std::unique_ptr<State> state);
    std::unique_ptr<State> state_;
};

// Reads machine id, user, init and versions from the tree.
ImageFacts read_image_facts(const Config& config, const RootTree& tree);

} // namespace nspawn
