#include "lease/host_setting.hpp"

#include "base/directory.hpp"
#include "base/file.hpp"
#include "base/text.hpp"
#include "lease/lease_table.hpp"
#include "linux/network_namespace.hpp"

#include <algorithm>
#include <vector>

#include <fcntl.h>
#include <unistd.h>

namespace nspawn {

namespace {

constexpr size_t kLargestSetting = 256;
constexpr char kSlash = ':'; // which no name of an interface has in it

// NAMESPACE:net:ipv4:…, since every network namespace has settings of its own under the same names.
std::string file_of(const std::string& name) {
    std::string file = std::to_string(own_network_namespace()) + kSlash + name;
    std::replace(file.begin(), file.end(), '/', kSlash);
    return file;
}

std::string path_of(std::string name) {
    std::replace(name.begin(), name.end(), kSlash, '/');
    return "/proc/sys/" + name;
}

Result<std::string> read_setting(const std::string& path) {
    Result<std::string> content = read_file(AT_FDCWD, path.c_str(), kLargestSetting);
    return content.ok() ? Result<std::string>(std::string(trim(content.value()))) : content;
}

void restore(const std::string& record, const std::string& path) {
    const Result<std::string> content = read_file(AT_FDCWD, record.c_str(), kLargestSetting * 3);
    std::string_view text = content.ok() ? std::string_view(content.value()) : std::string_view();
    const std::string_view before = take_until(text, '\n');
    const std::string_view ours = take_until(text, '\n');
    if (!before.empty()) {
        const Result<std::string> now = read_setting(path);
        if (now.ok() && now.value() == ours) {
            (void)write_existing(AT_FDCWD, path.c_str(), before);
        }
    }
    ::unlink(record.c_str());
}

} // namespace

Result<void> change_setting(const std::string& directory, const std::string& name, const std::string& value) {
    const std::string path = path_of(name);
    const Result<std::string> before = read_setting(path);
    if (!before.ok()) {
        return before.system_error();
    }
    if (before.value() == value) {
        return {};
    }
    const std::string record = directory + "/" + file_of(name);
    // One that is there already knows better what was before us all.
    const Result<UniqueFd> file = open_at(AT_FDCWD, record.c_str(), O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW, 0600);
    if (!file.ok() && file.error() != EEXIST) {
        return file.system_error();
    }
    if (file.ok()) {
        const std::string text = before.value() + "\n" + value + "\n";
        if (const Result<void> written = write_all(file.value().get(), text); !written.ok()) {
            ::unlink(record.c_str());
            return written;
        }
    }
    return write_existing(AT_FDCWD, path.c_str(), value);
}

bool is_recorded(const std::string& directory, const std::string& name) {
    return access((directory + "/" + file_of(name)).c_str(), F_OK) == 0;
}

void restore_settings(const std::string& directory) {
    const Result<UniqueFd> fd = open_at(AT_FDCWD, directory.c_str(), O_RDONLY | O_DIRECTORY | O_NOFOLLOW);
    if (!fd.ok()) {
        return;
    }
    std::vector<std::string> files;
    (void)for_each_entry(fd.value().get(), [&](const dirent64& entry) {
        files.emplace_back(static_cast<const char*>(entry.d_name));
        return true;
    });
    // "all" after what it changes in passing: its interfaces.
    std::sort(files.begin(), files.end(), [](const std::string& a, const std::string& b) {
        return (a.find(":all:") != std::string::npos) > (b.find(":all:") != std::string::npos);
    });
    for (const std::string& file : files) {
        std::string_view name = file;
        const uint64_t number = parse_unsigned(take_until(name, kSlash)).value_or(0);
        const std::string record = directory + "/" + file;
        if (number == own_network_namespace()) {
            restore(record, path_of(std::string(name)));
        } else if (!network_namespace_exists(number)) {
            ::unlink(record.c_str());
        }
    }
}

} // namespace nspawn
