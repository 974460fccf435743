// file_system_user.hpp — creating files that belong to somebody else from their first moment on.
//
// While it lasts, what this process creates belongs to the given user and group; it keeps all its capabilities, and is
// itself who it was in every other respect. Forgets PR_SET_PDEATHSIG, as every change of ids does.
// Source: setfsuid(2), capabilities(7) "Effect of user ID changes on capabilities", SECBIT_NO_SETUID_FIXUP.
#pragma once

#include <sys/types.h>

namespace nspawn {

class FileSystemUser {
public:
    FileSystemUser(uid_t user, gid_t group);
    FileSystemUser(const FileSystemUser&) = delete;
    FileSystemUser& operator=(const FileSystemUser&) = delete;
    ~FileSystemUser();
    // It is for good.
    void keep() { changed_ = false; }

private:
    bool changed_ = false;
    uid_t user_; // before
    gid_t group_;
    long secure_bits_ = 0;
};

} // namespace nspawn
