#include "base/path.hpp"

#include "base/text.hpp"

namespace nspawn {

bool is_absolute(std::string_view path) { return path.starts_with('/'); }

std::string simplified(std::string_view path) {
    std::string result;
    for (const std::string_view component : split_any(path, "/")) {
        if (component == ".") {
            continue;
        }
        if (!result.empty() || is_absolute(path)) {
            result += '/';
        }
        result += component;
    }
    if (result.empty()) {
        return is_absolute(path) ? "/" : ".";
    }
    return result;
}

bool is_normalized(std::string_view path) {
    if (path.empty() || simplified(path) != path) {
        return false;
    }
    for (const std::string_view component : split_any(path, "/")) {
        if (component == "..") {
            return false;
        }
    }
    return true;
}

bool is_within(std::string_view path, std::string_view directory) {
    if (directory == "/") {
        return is_absolute(path);
    }
    return path.starts_with(directory) && (path.size() == directory.size() || path[directory.size()] == '/');
}

std::string_view base_name(std::string_view path) {
    while (path.ends_with('/')) {
        path.remove_suffix(1);
    }
    const size_t slash = path.rfind('/');
    return slash == std::string_view::npos ? path : path.substr(slash + 1);
}

std::string parent_of(std::string_view path) {
    while (path.size() > 1 && path.ends_with('/')) {
        path.remove_suffix(1);
    }
    const size_t slash = path.rfind('/');
    if (slash == std::string_view::npos) {
        return ".";
    }
    return std::string(slash == 0 ? "/" : path.substr(0, slash));
}

std::string join(std::string_view directory, std::string_view name) {
    std::string result(directory);
    if (!result.ends_with('/')) {
        result += '/';
    }
    while (name.starts_with('/')) {
        name.remove_prefix(1);
    }
    return result.append(name);
}

} // namespace nspawn
