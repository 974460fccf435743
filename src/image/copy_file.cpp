#include "image/copy_file.hpp"

#include "linux/termination.hpp"

#include <algorithm>

#include <linux/fs.h>
#include <sys/ioctl.h>
#include <unistd.h>

namespace nspawn {

namespace {

constexpr off_t kBlock = 512;                 // what st_blocks counts in
constexpr off_t kPiece = off_t{16} << 20;     // after each we listen for signals
constexpr off_t kWorthTheKernel = 256 * 1024; // below, reading and writing is faster than a splice

bool is_not_supported(int error) {
    return error == EOPNOTSUPP || error == ENOTTY || error == EXDEV || error == ENOSYS || error == EINVAL;
}

} // namespace

Result<void> FileCopier::copy(int from, const struct stat& status, int to) {
    if (status.st_size == 0) {
        return {};
    }
    Result<void> failure;
    if (abilities_.reflink && try_reflink(from, to, failure)) {
        return failure;
    }
    if (status.st_blocks * kBlock < status.st_size) {
        return copy_sparse(from, status.st_size, to);
    }
    return copy_range(from, 0, status.st_size, to);
}

// False: blocks cannot be shared here.
bool FileCopier::try_reflink(int from, int to, Result<void>& failure) {
    if (ioctl(to, FICLONE, from) == 0) {
        return true;
    }
    // Anything but EINVAL (an inline or compressed file, a swap file) holds for all files of the two file systems.
    if (errno == EOPNOTSUPP || errno == ENOTTY || errno == EXDEV || errno == ENOSYS) {
        abilities_.reflink = false;
        return false;
    }
    if (errno == ENOSPC || errno == EDQUOT || errno == EIO) {
        failure = last_error("FICLONE");
        return true;
    }
    return false;
}

Result<void> FileCopier::copy_sparse(int from, off_t size, int to) {
    for (off_t position = 0; position < size;) {
        const off_t data = lseek(from, position, SEEK_DATA);
        if (data < 0 && errno == ENXIO) {
            break; // a hole to the end
        }
        const off_t hole = data < 0 ? -1 : lseek(from, data, SEEK_HOLE);
        if (data < 0 || hole < 0) {
            if (!is_not_supported(errno)) {
                return last_error("lseek");
            }
            return copy_range(from, 0, size, to);
        }
        if (const Result<void> done = copy_range(from, data, std::min(hole, size), to); !done.ok()) {
            return done;
        }
        position = hole;
    }
    return check(ftruncate(to, size), "ftruncate");
}

Result<void> FileCopier::copy_range(int from, off_t start, off_t end, int to) {
    loff_t in = start;
    loff_t out = start;
    while (abilities_.copy_range && end - in >= kWorthTheKernel) {
        const auto piece = static_cast<size_t>(std::min<off_t>(end - in, kPiece));
        const ssize_t copied = copy_file_range(from, &in, to, &out, piece, 0);
        if (copied < 0 && !is_not_supported(errno)) {
            return last_error("copy_file_range");
        }
        if (copied < 0) {
            abilities_.copy_range = false;
        }
        if (copied <= 0) {
            break; // it became shorter meanwhile, or is of a kind that only read(2) tells the end of
        }
        if (is_termination_requested()) {
            return SystemError{EINTR, "copy_file_range"};
        }
    }
    return copy_by_hand(from, in, end, to);
}

Result<void> FileCopier::copy_by_hand(int from, off_t start, off_t end, int to) {
    off_t listened = start;
    while (start < end) {
        const auto piece = std::min(buffer_.size(), static_cast<size_t>(end - start));
        const ssize_t got = pread(from, buffer_.data(), piece, start);
        if (got <= 0) {
            return got == 0 ? Result<void>() : last_error("read");
        }
        for (ssize_t written = 0; written < got;) {
            const ssize_t more =
                pwrite(to, buffer_.data() + written, static_cast<size_t>(got - written), start + written);
            if (more < 0) {
                return last_error("write");
            }
            written += more;
        }
        start += got;
        if (start - listened >= kPiece) {
            listened = start;
            if (is_termination_requested()) {
                return SystemError{EINTR, "read"};
            }
        }
    }
    return {};
}

} // namespace nspawn
