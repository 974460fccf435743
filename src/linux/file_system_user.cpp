#include "linux/file_system_user.hpp"

#include <linux/securebits.h>
#include <sys/fsuid.h>
#include <sys/prctl.h>

namespace nspawn {

namespace {

// An id that does not exist changes nothing; the answer is what was there before.
constexpr auto kNoChange = static_cast<uid_t>(-1);

} // namespace

FileSystemUser::FileSystemUser(uid_t user, gid_t group)
    : user_(static_cast<uid_t>(setfsuid(kNoChange))), group_(static_cast<gid_t>(setfsgid(kNoChange))) {
    if (user == user_ && group == group_) {
        return;
    }
    changed_ = true;
    // Where this is not allowed, making a file in a directory that is not the new owner's fails, which is said then.
    secure_bits_ = prctl(PR_GET_SECUREBITS);
    prctl(PR_SET_SECUREBITS, secure_bits_ | SECBIT_NO_SETUID_FIXUP);
    setfsgid(group);
    setfsuid(user);
}

FileSystemUser::~FileSystemUser() {
    if (changed_) {
        setfsuid(user_);
        setfsgid(group_);
        prctl(PR_SET_SECUREBITS, secure_bits_);
    }
}

} // namespace nspawn
