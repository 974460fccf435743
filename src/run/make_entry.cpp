#include "run/make_entry.hpp"

#include "base/file.hpp"

#include <fcntl.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <unistd.h>

namespace nspawn {

Result<void> make_entry(int at, const char* path, const MakeDirectory& what) {
    return check(mkdirat(at, path, what.mode), "mkdir");
}

Result<void> make_entry(int at, const char* path, const MakeFile& what) {
    Result<UniqueFd> file = open_at(at, path, O_CREAT | O_EXCL | O_WRONLY | O_NOFOLLOW, what.mode);
    if (!file.ok()) {
        return file.system_error();
    }
    const int fd = file.value().release();
    return what.content.empty() ? Result<void>() : write_all(fd, what.content);
}

Result<void> make_entry(int at, const char* path, const MakeSymlink& what) {
    return check(symlinkat(what.target.c_str(), at, path), "symlink");
}

Result<void> make_entry(int at, const char* path, const MakeNode& what) {
    const Result<void> made = check(mknodat(at, path, what.mode, makedev(what.major, what.minor)), "mknod");
    if (!made.ok() || (what.uid == 0 && what.gid == 0)) {
        return made;
    }
    return check(fchownat(at, path, what.uid, what.gid, AT_SYMLINK_NOFOLLOW), "lchown");
}

} // namespace nspawn
