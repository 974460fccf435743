// open_directories.hpp — the directories of one or more trees of the same shape that are on the way, of which only so
// many are open at once: a tree may be deeper, and wider, than a process may have descriptors.
//
// Safe for several threads. A directory that was closed meanwhile is opened again from the nearest one above that still
// is; one that is by then another than it was is ESTALE. Never follows links or crosses into mounts.
#pragma once

#include "base/file.hpp"
#include "base/result.hpp"
#include "base/unique_fd.hpp"

#include <algorithm>
#include <array>
#include <deque>
#include <memory>
#include <mutex>
#include <string>
#include <utility>
#include <vector>

#include <fcntl.h>
#include <sys/resource.h>
#include <sys/stat.h>

namespace nspawn {

template <size_t trees>
class OpenDirectories {
public:
    using Fds = std::array<UniqueFd, trees>;

    // One directory, in each of the trees. Lives as long as something below it is to be visited.
    class Node {
    public:
        Node(std::shared_ptr<Node> parent, std::string name) : parent_(std::move(parent)), name_(std::move(name)) {}
        Node(const Node&) = delete;
        Node& operator=(const Node&) = delete;
        // One after the other: a chain of a hundred thousand would be too deep for the stack.
        ~Node() {
            for (std::shared_ptr<Node> next = std::move(parent_); next && next.use_count() == 1;) {
                next = std::move(next->parent_);
            }
        }
        // Below the top; empty: the top itself.
        [[nodiscard]] std::string path() const {
            std::vector<const Node*> way;
            for (const Node* at = this; at->parent_; at = at->parent_.get()) {
                way.push_back(at);
            }
            std::string path;
            for (size_t i = way.size(); i-- > 0;) {
                path.append(path.empty() ? "" : "/").append(way[i]->name_);
            }
            return path;
        }

    private:
        friend OpenDirectories;
        std::shared_ptr<Node> parent_; // null: the top
        std::string name_;
        std::weak_ptr<const Fds> open_;
        std::array<std::pair<dev_t, ino_t>, trees> identity_{};
    };
    using Place = std::shared_ptr<Node>;
    using Held = std::shared_ptr<const Fds>;

    // As many as this process may open, and some for its other needs.
    OpenDirectories() {
        constexpr rlim_t kOthers = 40;
        constexpr size_t kLeast = 4;
        constexpr size_t kMost = 256;
        rlimit limit{};
        if (getrlimit(RLIMIT_NOFILE, &limit) == 0 && limit.rlim_cur > kOthers) {
            most_ = std::clamp<size_t>((limit.rlim_cur - kOthers) / trees, kLeast, kMost);
        }
    }

    // A directory that was just opened. Without a parent it is the top, which stays open.
    std::pair<Place, Held> add(Place parent, std::string name, Fds fds) {
        const bool top = !parent;
        auto place = std::make_shared<Node>(std::move(parent), std::move(name));
        auto held = std::make_shared<const Fds>(std::move(fds));
        for (size_t i = 0; i < trees; ++i) {
            place->identity_[i] = identity_of((*held)[i].get());
        }
        const std::lock_guard lock(mutex_);
        if (top) {
            top_ = held;
        }
        remember(*place, held);
        return {std::move(place), std::move(held)};
    }

    // Open for as long as the caller keeps it.
    Result<Held> open(const Place& place) {
        const std::lock_guard lock(mutex_);
        std::vector<Node*> way;
        Node* at = place.get();
        Held held = at->open_.lock();
        while (!held) {
            way.push_back(at);
            at = at->parent_.get();
            held = at->open_.lock();
        }
        while (!way.empty()) {
            Result<Held> next = open_below(*held, *way.back());
            if (!next.ok()) {
                return next;
            }
            held = std::move(next).value();
            remember(*way.back(), held);
            way.pop_back();
        }
        return held;
    }

private:
    static std::pair<dev_t, ino_t> identity_of(int fd) {
        struct stat status {};
        return fstat(fd, &status) == 0 ? std::pair(status.st_dev, status.st_ino) : std::pair(dev_t{0}, ino_t{0});
    }

    static Result<Held> open_below(const Fds& parent, const Node& node) {
        Fds fds;
        for (size_t i = 0; i < trees; ++i) {
            Result<UniqueFd> opened = open_beneath(parent[i].get(), node.name_.c_str(), O_RDONLY | O_DIRECTORY);
            if (!opened.ok()) {
                return opened.system_error();
            }
            fds[i] = std::move(opened).value();
            if (identity_of(fds[i].get()) != node.identity_[i]) {
                return SystemError{ESTALE, "openat2"};
            }
        }
        return Held(std::make_shared<const Fds>(std::move(fds)));
    }

    void remember(Node& node, const Held& held) {
        node.open_ = held;
        recent_.push_back(held);
        if (recent_.size() > most_) {
            recent_.pop_front();
        }
    }

    std::mutex mutex_;
    size_t most_ = 4;
    Held top_;
    std::deque<Held> recent_; // what keeps them open
};

} // namespace nspawn
