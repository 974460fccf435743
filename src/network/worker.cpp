#include "network/worker.hpp"

#include "base/error.hpp"
#include "base/file.hpp"
#include "config/network_message.hpp"
#include "network/address_watch.hpp"
#include "network/confine.hpp"
#include "network/managed_service.hpp"
#include "network/port_service.hpp"
#include "network/service.hpp"

#include <memory>
#include <vector>

#include <fcntl.h>

namespace nspawn {

namespace {

class Worker : public Reporter {
public:
    explicit Worker(PacketSocket nspawn)
        : nspawn_(std::move(nspawn)), loop_(EventLoop::create().or_throw("event loop")),
          host_(open_at(AT_FDCWD, "/proc/self/ns/net", O_RDONLY).or_throw("/proc/self/ns/net")) {}

    void run() {
        NetworkRequest request;
        if (!hear_request(request)) {
            return;
        }
        confine_network_worker(request.managed.link.empty() ? NetworkDuty::ports : NetworkDuty::managed);
        make_services(request);
        const bool began = attempt([this] { begin(); });
        if (began) {
            // What is said from now on is not waited for by anybody.
            loop_.run().or_throw("waiting");
        }
        end();
    }

    void notice(std::string_view text) override { say(NetworkMessageKind::notice, text); }
    void warning(std::string_view text) override { say(NetworkMessageKind::warning, text); }

private:
    // Not waited for: nspawn may be stopped in the middle of its start, with nobody who listens.
    void say(NetworkMessageKind kind, std::string_view text) {
        (void)nspawn_.send(as_packet(kind, text.substr(0, kLongestText)), -1, true);
    }

    bool hear_request(NetworkRequest& request) {
        for (;;) {
            const auto packet = nspawn_.receive().or_throw("hearing nspawn");
            const auto message = packet ? parse_packet(packet->text) : std::nullopt;
            if (message && message->kind == NetworkMessageKind::begin) {
                return true;
            }
            if (!message || message->kind != NetworkMessageKind::ask || !add_to_request(request, message->text)) {
                return false;
            }
        }
    }

    void make_services(const NetworkRequest& request) {
        const Surroundings surroundings{loop_, *this};
        if (!request.ports.empty()) {
            services_.push_back(
                std::make_unique<PortService>(surroundings, request.machine, request.ports, host_.get()));
        }
        if (!request.managed.link.empty()) { // whose addresses the others need
            services_.insert(services_.begin(), std::make_unique<ManagedService>(surroundings, request.machine,
                                                                                 request.managed, request.again));
        }
    }

    // False: it failed, and nspawn knows why.
    template <typename Action>
    bool attempt(Action&& action) {
        try {
            action();
            return true;
        } catch (const Error& error) {
            say(NetworkMessageKind::failed,
                error.hint().empty() ? error.message() : error.message() + "\n" + error.hint());
            return false;
        }
    }

    void begin() {
        for (const auto& service : services_) {
            begun_.push_back(service.get());
            service->begin();
        }
        loop_.watch(nspawn_.fd(), EPOLLIN, [this](uint32_t) { hear(); }).or_throw("nspawn");
    }

    void hear() {
        auto received = nspawn_.receive(true);
        if (received.error() == EAGAIN) {
            return;
        }
        std::optional<PacketSocket::Packet> packet;
        if (received.ok()) {
            packet = std::move(received).value();
        }
        const auto message = packet ? parse_packet(packet->text) : std::nullopt;
        if (!message || message->kind != NetworkMessageKind::namespace_of_container || !packet->fd || container_ ||
            !attempt([&] { enter(std::move(packet->fd)); })) {
            loop_.stop();
        }
    }

    void enter(UniqueFd container) {
        container_ = std::move(container);
        addresses_ = std::make_unique<AddressWatch>(container_.get());
        for (const auto& service : services_) {
            service->enter(container_.get());
        }
        watch_addresses();
        nspawn_.send(as_packet(NetworkMessageKind::ready)).or_throw("nspawn");
        look_at_addresses();
        for (const auto& service : services_) {
            service->settled();
        }
    }

    void watch_addresses() {
        loop_.watch(addresses_->fd(), EPOLLIN, [this](uint32_t) { on_address_change(); }).or_throw("addresses");
    }

    // Not more often than now and then: a container that changes its addresses all the time would otherwise have us,
    // and the kernel's packet filter, at work all the time.
    void on_address_change() {
        constexpr EventLoop::Duration kRest(100);
        loop_.forget(addresses_->fd());
        look_at_addresses();
        loop_.start_timer(kRest, [this] { watch_addresses(); }).or_throw("addresses");
    }

    void look_at_addresses() {
        const ContainerAddresses now = addresses_->look();
        for (const auto& service : services_) {
            try {
                service->addresses_changed(now);
            } catch (const Error& error) {
                warning(error.message());
            }
        }
    }

    void end() {
        addresses_.reset();
        container_.reset(); // its links go with it, and that is not to wait for us
        for (auto service = begun_.rbegin(); service != begun_.rend(); ++service) {
            try {
                (*service)->end();
            } catch (const Error& error) {
                warning(error.message());
            }
        }
    }

    static constexpr size_t kLongestText = 2048;

    PacketSocket nspawn_;
    EventLoop loop_;
    UniqueFd host_;
    UniqueFd container_;
    std::unique_ptr<AddressWatch> addresses_;
    std::vector<std::unique_ptr<Service>> services_;
    std::vector<Service*> begun_;
};

} // namespace

void run_network_worker(PacketSocket nspawn) { Worker(std::move(nspawn)).run(); }

} // namespace nspawn
