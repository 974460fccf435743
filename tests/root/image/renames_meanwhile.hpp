// renames_meanwhile.hpp — a process's renames in a tree while it is being walked, as a payload could do. Test helper
// only.
#pragma once

#include <atomic>
#include <string>
#include <thread>

#include <fcntl.h>
#include <stdio.h>

namespace nspawn {

// Until it is dropped, exchanges the directories home/d0, home/d1 … of `tree` with home/link and the files etc/f0,
// etc/f1 … with etc/link, and back.
class RenamesMeanwhile {
public:
    RenamesMeanwhile(std::string tree, int count)
        : tree_(std::move(tree)), count_(count), thread_([this] { exchange_until_stopped(); }) {}
    RenamesMeanwhile(const RenamesMeanwhile&) = delete;
    RenamesMeanwhile& operator=(const RenamesMeanwhile&) = delete;
    ~RenamesMeanwhile() {
        stop_ = true;
        thread_.join();
    }

private:
    void exchange(const std::string& name, const std::string& link) const {
        renameat2(AT_FDCWD, (tree_ + name).c_str(), AT_FDCWD, (tree_ + link).c_str(), RENAME_EXCHANGE);
    }
    void exchange_until_stopped() const {
        for (int number = 0; !stop_; number = (number + 1) % count_) {
            for (int turn = 0; turn < 2; ++turn) {
                exchange("/home/d" + std::to_string(number), "/home/link");
                exchange("/etc/f" + std::to_string(number), "/etc/link");
            }
        }
    }

    std::string tree_;
    int count_;
    std::atomic<bool> stop_ = false;
    std::thread thread_; // last: it uses the others
};

} // namespace nspawn
