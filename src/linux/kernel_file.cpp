#include "linux/kernel_file.hpp"

#include "base/file.hpp"

#include <array>

#include <fcntl.h>

namespace nspawn {

Result<std::string> read_kernel_file(int directory, const char* path, size_t limit) {
    const Result<UniqueFd> file = open_at(directory, path, O_RDONLY);
    if (!file.ok()) {
        return file.system_error();
    }
    std::array<char, 4096> buffer; // NOLINT(cppcoreguidelines-pro-type-member-init): filled by read
    std::string content;
    for (;;) {
        const ssize_t got = ::read(file.value().get(), buffer.data(), buffer.size());
        if (got < 0) {
            return last_error("read");
        }
        content.append(buffer.data(), static_cast<size_t>(got));
        if (content.size() > limit) {
            return SystemError{EFBIG, "read"};
        }
        if (static_cast<size_t>(got) < buffer.size()) {
            return content;
        }
    }
}

} // namespace nspawn
