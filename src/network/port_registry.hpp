// port_registry.hpp — who publishes which port, and what each has put into the packet filter.
//
// Owns a file in /run/nspawn/ports for this worker, held by its flock(2): a file that nobody holds belongs to a worker
// that was killed, and whoever comes next takes back what it lists. Files are about one network namespace of the host;
// those of others are left alone. Changes to what is shared happen under the directory's lock, so that two workers
// never make or remove a table at the same time. Knows nothing of the packet filter itself.
#pragma once

#include "base/unique_fd.hpp"
#include "config/network_message.hpp"
#include "network/nat_rules.hpp"

#include <cstdint>
#include <functional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace nspawn {

// What one file says.
struct PortRecord {
    uint64_t network_namespace = 0;
    std::string machine;
    std::vector<PublishedPort> ports;
    std::vector<NatElement> elements;
};
std::string as_text(const PortRecord& record);
PortRecord parse_port_record(std::string_view text); // lines that mean nothing are left out

class PortRegistry {
public:
    using TakeBack = std::function<void(std::span<const NatElement> elements)>;

    // Throws Error.
    static PortRegistry open(const std::string& directory = std::string(kPortRecords));
    PortRegistry(PortRegistry&&) = default;
    PortRegistry& operator=(PortRegistry&&) = delete;
    ~PortRegistry() = default; // what was not released stays, for the next one

    // Held by whoever changes what is shared.
    class Lock {
    public:
        explicit Lock(const PortRegistry& registry);

    private:
        UniqueFd file_;
    };

    // Under the lock: what dead workers left is given to `take_back` and forgotten.
    void reclaim(const TakeBack& take_back);
    // Under the lock. Throws Error with the name of the container that has one of the ports.
    void claim(const std::string& machine, std::span<const PublishedPort> ports);
    // Under the lock. To be written down before they are made, and after they are gone.
    void set_elements(std::vector<NatElement> elements);
    // Under the lock: the file goes. True: no other living worker is there.
    bool release();

    // Under the lock: which tables are ours to remove.
    void remember_table(NatTable table, Family family);
    [[nodiscard]] bool is_ours(NatTable table, Family family) const;
    void forget_table(NatTable table, Family family);

private:
    PortRegistry(UniqueFd directory, uint64_t network_namespace)
        : directory_(std::move(directory)), network_namespace_(network_namespace) {}
    struct Other {
        std::string name;
        PortRecord record;
        bool alive = false;
    };
    [[nodiscard]] std::vector<Other> others() const;
    void write();
    [[nodiscard]] std::string table_file(NatTable table, Family family) const;

    UniqueFd directory_;
    uint64_t network_namespace_;
    std::string name_; // of our file; empty: none
    UniqueFd file_;
    PortRecord own_;
};

} // namespace nspawn
