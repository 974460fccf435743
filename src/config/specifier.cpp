#include "config/specifier.hpp"

#include "base/error.hpp"
#include "base/file.hpp"
#include "base/id128.hpp"
#include "base/text.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <cstdio>
#include <memory>
#include <optional>
#include <string>

#include <fcntl.h>
#include <pwd.h>
#include <sys/utsname.h>

namespace nspawn {

namespace {

constexpr Specifier kSpecifiers[] = {
    {'i', false, "Name of the machine, as for --machine="},
    {'%', false, "A percent sign"},
    {'a', true, "Architecture of the host, as uname -m prints it"},
    {'b', true, "Boot id of the host, 32 hexadecimal digits"},
    {'h', true, "Home directory of the user who runs nspawn"},
    {'H', true, "Host name of the host"},
    {'l', true, "Host name of the host up to the first dot"},
    {'m', true, "Machine id of the host, 32 hexadecimal digits"},
    {'u', true, "Name of the user who runs nspawn"},
    {'U', true, "Numeric id of the user who runs nspawn"},
    {'v', true, "Kernel release, as uname -r prints it"},
};

std::string id_from(const char* path) {
    const std::string text = read_file(AT_FDCWD, path, 128).or_throw(fmt::format("reading {}", path));
    const auto id = Id128::parse(trim(text));
    if (!id || id->is_null()) {
        throw Error(fmt::format("{} holds no id", path));
    }
    return id->plain();
}

utsname kernel_names() {
    utsname names{};
    check(uname(&names), "uname").or_throw("asking for the kernel's names");
    return names;
}

struct User {
    std::string name;
    std::string home;
};

std::optional<User> find_user(FILE* database, uid_t id) {
    while (const passwd* entry = database != nullptr ? fgetpwent(database) : nullptr) {
        if (entry->pw_uid == id) {
            return User{entry->pw_name, entry->pw_dir};
        }
    }
    return std::nullopt;
}

// Not getpwuid(3): it loads the name service's libraries, which a static program does without. Users that only the name
// service knows come from getent(1).
User caller() {
    const uid_t id = getuid();
    if (id == 0) {
        return {"root", "/root"};
    }
    const std::unique_ptr<FILE, int (*)(FILE*)> local(fopen("/etc/passwd", "re"), fclose);
    if (auto user = find_user(local.get(), id)) {
        return *std::move(user);
    }
    const std::string query = fmt::format("getent passwd {}", id);
    const std::unique_ptr<FILE, int (*)(FILE*)> service(popen(query.c_str(), "re"), pclose);
    if (auto user = find_user(service.get(), id)) {
        return *std::move(user);
    }
    throw Error(fmt::format("user {} has no entry in the user database", id));
}

std::string host_fact(char letter) {
    switch (letter) {
    case 'a':
        return kernel_names().machine;
    case 'b':
        return id_from("/proc/sys/kernel/random/boot_id");
    case 'h':
        return caller().home;
    case 'H':
        return kernel_names().nodename;
    case 'l':
        return std::string(split(kernel_names().nodename, '.').front());
    case 'm':
        return id_from("/etc/machine-id");
    case 'u':
        return caller().name;
    case 'U':
        return fmt::to_string(getuid());
    case 'v':
        return kernel_names().release;
    default:
        throw Error(fmt::format("no fact belongs to %{}", letter));
    }
}

const Specifier* find_specifier(char letter) {
    const auto* found = std::find_if(std::begin(kSpecifiers), std::end(kSpecifiers),
                                     [&](const Specifier& each) { return each.letter == letter; });
    return found == std::end(kSpecifiers) ? nullptr : found;
}

// What stands for "%<letter>", or the problem with it (and then the text stays as it is).
struct Replacement {
    std::string text;
    std::string problem;
};

Replacement replace(char letter, bool trusted, const SpecifierFacts& facts) {
    const Specifier* specifier = find_specifier(letter);
    const std::string written = std::string("%") + letter;
    if (specifier == nullptr) {
        // The letter is not shown: it may be half of a character.
        return {written, "a % that starts no specifier is kept as it is (write %% for a percent sign)"};
    }
    if (specifier->tells_about_host && !trusted) {
        return {written, fmt::format("{} tells about the host; it is not replaced in an untrusted file", written)};
    }
    if (letter == '%') {
        return {"%", {}};
    }
    try {
        return {facts(letter), {}};
    } catch (const Error& error) {
        return {written, fmt::format("{} is kept as it is: {}", written, error.message())};
    }
}

} // namespace

std::span<const Specifier> specifiers() { return kSpecifiers; }

Expansion expand_specifiers(std::string_view text, bool trusted, const SpecifierFacts& facts) {
    Expansion result;
    for (size_t at = text.find('%'); at != std::string_view::npos; at = text.find('%')) {
        result.text += text.substr(0, at);
        text.remove_prefix(at + 1);
        Replacement replacement =
            text.empty() ? Replacement{"%", "a % at the end is kept as it is (write %% for a percent sign)"}
                         : replace(text.front(), trusted, facts);
        result.text += replacement.text;
        if (!replacement.problem.empty()) {
            result.problems.push_back(std::move(replacement.problem));
        }
        text.remove_prefix(std::min<size_t>(1, text.size()));
    }
    result.text += text;
    return result;
}

SpecifierFacts host_specifier_facts(std::string machine) {
    return [machine = std::move(machine)](char letter) { return letter == 'i' ? machine : host_fact(letter); };
}

} // namespace nspawn
