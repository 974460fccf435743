#include "network/port_registry.hpp"

#include "base/directory.hpp"
#include "base/error.hpp"
#include "base/file.hpp"
#include "base/text.hpp"
#include "linux/network_namespace.hpp"

#include <fmt/format.h>

#include <array>

#include <fcntl.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

namespace nspawn {

namespace {

constexpr size_t kMaxRecord = size_t{4} << 20;
constexpr std::string_view kPrefix = "worker-";

void make_directory(const std::string& path) {
    if (mkdir(path.c_str(), 0700) < 0 && errno != EEXIST) {
        throw_system_error(errno, "mkdir", path);
    }
}

} // namespace

std::string as_text(const PortRecord& record) {
    std::string text = fmt::format("namespace {}\nmachine {}\n", record.network_namespace, record.machine);
    for (const PublishedPort& port : record.ports) {
        text += fmt::format("port {}\n", format_port(port));
    }
    for (const NatElement& element : record.elements) {
        text += fmt::format("element {}\n", as_line(element));
    }
    return text;
}

PortRecord parse_port_record(std::string_view text) {
    PortRecord record;
    while (!text.empty()) {
        std::string_view line = take_until(text, '\n');
        const std::string_view keyword = take_until(line, ' ');
        if (keyword == "namespace") {
            record.network_namespace = parse_unsigned(line).value_or(0);
        } else if (keyword == "machine") {
            record.machine = printable(line);
        } else if (keyword == "port") {
            try {
                record.ports.push_back(parse_port(line));
            } catch (const Error&) { // of a line that was cut off
            }
        } else if (const auto element = keyword == "element" ? parse_element(line) : std::nullopt) {
            record.elements.push_back(*element);
        }
    }
    return record;
}

PortRegistry PortRegistry::open(const std::string& directory) {
    make_directory(directory.substr(0, directory.rfind('/')));
    make_directory(directory);
    UniqueFd fd = open_at(AT_FDCWD, directory.c_str(), O_RDONLY | O_DIRECTORY | O_NOFOLLOW).or_throw(directory);
    struct stat status {};
    check(fstat(fd.get(), &status), "fstat").or_throw(directory);
    if (status.st_uid != geteuid() || (status.st_mode & 0022) != 0) {
        throw Error(fmt::format("{}: others can write there", directory));
    }
    return {std::move(fd), own_network_namespace_number().or_throw("/proc/self/ns/net")};
}

PortRegistry::Lock::Lock(const PortRegistry& registry)
    : file_(open_at(registry.directory_.get(), ".", O_RDONLY | O_DIRECTORY).or_throw("lock of ports")) {
    int done = 0;
    do {
        done = flock(file_.get(), LOCK_EX);
    } while (done < 0 && errno == EINTR);
    check(done, "flock").or_throw("lock of ports");
}

std::vector<PortRegistry::Other> PortRegistry::others() const {
    std::vector<Other> found;
    const UniqueFd from_the_start = open_at(directory_.get(), ".", O_RDONLY | O_DIRECTORY).or_throw(kPortRecords);
    (void)for_each_entry(from_the_start.get(), [&](const dirent64& entry) {
        const std::string name(static_cast<const char*>(entry.d_name));
        if (!name.starts_with(kPrefix) || name == name_) {
            return true;
        }
        const Result<UniqueFd> file = open_at(directory_.get(), name.c_str(), O_RDWR | O_NOFOLLOW | O_NONBLOCK);
        const Result<std::string> text =
            file.ok() ? read_all(file.value().get(), kMaxRecord) : Result<std::string>(file.system_error());
        if (!text.ok()) {
            return true;
        }
        PortRecord record = parse_port_record(text.value());
        if (record.network_namespace == network_namespace_) {
            found.push_back({name, std::move(record), flock(file.value().get(), LOCK_EX | LOCK_NB) < 0});
        }
        return true;
    });
    return found;
}

void PortRegistry::reclaim(const TakeBack& take_back) {
    for (const Other& other : others()) {
        if (!other.alive) {
            take_back(other.record.elements);
            (void)unlinkat(directory_.get(), other.name.c_str(), 0);
        }
    }
}

void PortRegistry::claim(const std::string& machine, std::span<const PublishedPort> ports) {
    for (const Other& other : others()) {
        for (const PublishedPort& theirs : other.record.ports) {
            for (const PublishedPort& port : ports) {
                if (overlap(port, theirs)) {
                    throw Error(fmt::format("--port={}: published already by container {} ({})", format_port(port),
                                            other.record.machine, format_port(theirs)),
                                "Choose another port of the host.");
                }
            }
        }
    }
    own_ = {network_namespace_, machine, {ports.begin(), ports.end()}, {}};
    name_ = fmt::format("{}{}-{}", kPrefix, network_namespace_, getpid());
    write();
}

// Whole and held before it has its name, so that whoever is killed here leaves the old one or the new one.
void PortRegistry::write() {
    constexpr const char* kUnfinished = "unfinished";
    const auto doing = "record of ports";
    UniqueFd file =
        open_at(directory_.get(), kUnfinished, O_RDWR | O_CREAT | O_TRUNC | O_NOFOLLOW, 0600).or_throw(doing);
    check(flock(file.get(), LOCK_EX | LOCK_NB), "flock").or_throw(doing);
    write_all(file.get(), as_text(own_)).or_throw(doing);
    check(renameat(directory_.get(), kUnfinished, directory_.get(), name_.c_str()), "renameat").or_throw(doing);
    file_ = std::move(file);
}

void PortRegistry::set_elements(std::vector<NatElement> elements) {
    own_.elements = std::move(elements);
    write();
}

bool PortRegistry::release() {
    if (!name_.empty()) {
        (void)unlinkat(directory_.get(), name_.c_str(), 0);
        name_.clear();
        file_.reset();
    }
    return others().empty();
}

std::string PortRegistry::table_file(NatTable table, Family family) const {
    return fmt::format("table-{}-{}-{}", network_namespace_, family_word(family), table_name(table));
}

void PortRegistry::remember_table(NatTable table, Family family) {
    (void)open_at(directory_.get(), table_file(table, family).c_str(), O_WRONLY | O_CREAT | O_NOFOLLOW, 0600)
        .or_throw("record of ports");
}

bool PortRegistry::is_ours(NatTable table, Family family) const {
    return faccessat(directory_.get(), table_file(table, family).c_str(), F_OK, AT_SYMLINK_NOFOLLOW) == 0;
}

void PortRegistry::forget_table(NatTable table, Family family) {
    (void)unlinkat(directory_.get(), table_file(table, family).c_str(), 0);
}

} // namespace nspawn
