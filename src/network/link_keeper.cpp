#include "network/link_keeper.hpp"

#include "base/error.hpp"
#include "base/file.hpp"
#include "base/text.hpp"
#include "lease/lease_table.hpp"
#include "names/name_server.hpp"
#include "network/conflicts.hpp"
#include "network/dhcp_server.hpp"
#include "network/nft.hpp"

#include <fmt/format.h>

#include <array>
#include <csignal>
#include <ctime>

#include <fcntl.h>
#include <poll.h>
#include <sys/file.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

namespace nspawn {

namespace {

constexpr const char* kResolvConf = "/etc/resolv.conf";
constexpr std::string_view kReady = "ready\n";
constexpr int kPatience = 10'000; // milliseconds for another keeper to get ready
constexpr timespec kMoment = {.tv_sec = 0, .tv_nsec = 5'000'000};
constexpr int kMomentsToTakeOver = 400; // what a dying keeper has is given back in no fixed order
constexpr size_t kLargestMessage = 8192;
constexpr uint16_t kDnsPort = 53;

// The keeper's own side of its life.
class Keeper {
public:
    Keeper(const ManagedNetwork& network, UniqueFd channel, pid_t worker)
        : network_(network), channel_(std::move(channel)), worker_(worker) {}

    void run() {
        lock_ = open_at(AT_FDCWD, link_lock_file(network_.link).c_str(), O_RDWR | O_CREAT | O_NOFOLLOW, 0644)
                    .or_throw("the lock of the link");
        if (flock(lock_.get(), LOCK_EX | LOCK_NB) == 0) {
            check(ftruncate(lock_.get(), 0), "ftruncate").or_throw("");
            hear_go();
            serve_by_dhcp();
            take_over();
            say();
        } else {
            hear_go();
            serve_by_dhcp();
            wait_for_keeper();
        }
        serve();
    }

private:
    void hear_go() {
        std::array<char, kLargestMessage> text{};
        const ssize_t got = recv(channel_.get(), text.data(), text.size(), 0);
        if (got <= 0) {
            _exit(EXIT_SUCCESS); // the start has failed elsewhere
        }
        for (const std::string_view name : split_any({text.data(), static_cast<size_t>(got)}, "\n")) {
            opened_.emplace_back(name);
        }
    }

    // Everything is said in one packet: lines of which each is a notice. The first one says that all is well.
    void say() {
        std::string text = "ready";
        for (const std::string& notice : notices_) {
            text += "\n" + notice;
        }
        (void)send(channel_.get(), text.data(), std::min(text.size(), kLargestMessage), MSG_NOSIGNAL);
        channel_.reset();
    }

    void wait_for_keeper() {
        const std::string path = link_lock_file(network_.link);
        for (int waited = 0; waited < kPatience; waited += 5) {
            if (flock(lock_.get(), LOCK_EX | LOCK_NB) == 0) {
                take_over();
                say();
                return;
            }
            if (read_file(AT_FDCWD, path.c_str(), 64).value_or("") == kReady) {
                break;
            }
            nanosleep(&kMoment, nullptr);
        }
        say();
        while (flock(lock_.get(), LOCK_EX) < 0 && errno == EINTR) {
        }
        take_over();
    }

    // Whoever keeps the link: a later container may be the first one that asks for it.
    void serve_by_dhcp() {
        if (network_.dhcp) {
            dhcp_ = start_dhcp_server(network_, dhcp_hosts_directory(network_.link));
        }
    }

    void take_over() {
        make_rules();
        listen();
        (void)pwrite(lock_.get(), kReady.data(), kReady.size(), 0);
    }

    template <typename Attempt>
    static int attempt_while_busy(Attempt attempt) {
        int code = attempt();
        for (int moment = 0;
             moment < kMomentsToTakeOver && (code == EBUSY || code == EADDRINUSE || code == EPERM || code == EEXIST);
             ++moment) {
            nanosleep(&kMoment, nullptr);
            code = attempt();
        }
        return code;
    }

    void make_rules() {
        ManagedRules rules{.link = network_.link, .networks = network_.gateways, .opened = opened_};
        (void)nft_.run(delete_managed_table(network_.link)); // of a keeper before Linux 5.12 that was killed
        const int code = attempt_while_busy([&] {
            const int owned = nft_.run(make_managed_table(rules, true));
            return owned == EOPNOTSUPP || owned == EINVAL ? nft_.run(make_managed_table(rules, false)) : owned;
        });
        if (code != 0) {
            throw Error(fmt::format("NAT for {} cannot be set: {}", network_.link,
                                    nft_.last_error().empty() ? std::string(error_text(code)) : nft_.last_error()),
                        code == EPERM ? "It takes CAP_NET_ADMIN in the network namespace that nspawn was started in."
                                      : "It takes a kernel with nf_tables, nft_masq and nft_ct (for IPv4 and IPv6).");
        }
        for (const std::string& chain : dropping_chains(nft_.list("list chains"))) {
            notices_.push_back(fmt::format(
                "another firewall drops forwarded packets (chain {}, policy drop): the container reaches the host, but "
                "others only after a rule there accepts {}",
                chain, network_.link));
        }
    }

    void listen() {
        desk_ = {.link = network_.link,
                 .network_namespace = own_network_namespace(),
                 .gateways = network_.gateways,
                 .lease_directory = kLeaseDirectory,
                 .resolv_conf = kResolvConf};
        const int code = attempt_while_busy([&] {
            udp_.clear();
            tcp_.clear();
            return NameServer::bind(desk_, kDnsPort, udp_, tcp_).error();
        });
        if (code != 0) {
            udp_.clear();
            tcp_.clear();
            notices_.push_back(fmt::format("names of containers are not answered on {}: port 53: {}{}", network_.link,
                                           error_text(code),
                                           code == EADDRINUSE ? " (a name server of the host listens on all addresses; "
                                                                "the container asks that one)"
                                                              : ""));
        }
    }

    [[noreturn]] void serve() {
        confine_name_server().or_throw("confining the name server");
        // Another user now, which has made the kernel forget whom we die with.
        if (prctl(PR_SET_PDEATHSIG, SIGKILL) < 0 || getppid() != worker_) {
            _exit(EXIT_FAILURE);
        }
        NameServer server(desk_, std::move(udp_), std::move(tcp_));
        for (;;) {
            server.serve_once(-1);
        }
    }

    ManagedNetwork network_;
    UniqueFd channel_;
    pid_t worker_;
    std::vector<std::string> opened_;
    std::vector<std::string> notices_;
    UniqueFd lock_;
    Nft nft_; // its socket owns the table
    NameDeskOptions desk_;
    std::vector<UniqueFd> udp_;
    std::vector<UniqueFd> tcp_;
    Pidfd dhcp_;
};

[[noreturn]] void run_keeper(const ManagedNetwork& network, UniqueFd channel, pid_t worker) {
    // Nothing of the worker's: its end has to be seen, by nspawn too.
    const int own = dup2(channel.get(), STDIN_FILENO);
    (void)channel.release();
    if (own < 0 || close_range(STDERR_FILENO + 1, ~0U, 0) < 0 || prctl(PR_SET_PDEATHSIG, SIGKILL) < 0 ||
        getppid() != worker) {
        _exit(EXIT_FAILURE);
    }
    const UniqueFd spare(fcntl(own, F_DUPFD_CLOEXEC, 3));
    try {
        Keeper(network, UniqueFd(fcntl(own, F_DUPFD_CLOEXEC, 3)), worker).run();
    } catch (const Error& error) {
        const std::string text = "failed\n" + error.message() + "\n" + error.hint();
        (void)send(spare.get(), text.data(), std::min(text.size(), kLargestMessage), MSG_NOSIGNAL);
    } catch (const std::exception&) { // out of memory: the end is seen
    }
    _exit(EXIT_FAILURE);
}

} // namespace

LinkKeeper::LinkKeeper(const ManagedNetwork& network) {
    std::array<int, 2> ends{-1, -1};
    check(socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, ends.data()), "socketpair").or_throw("");
    channel_.reset(ends[0]);
    UniqueFd other(ends[1]);
    const pid_t worker = getpid();
    process_ = clone_process({}).or_throw("starting the keeper of the link");
    if (!process_.valid()) {
        run_keeper(network, std::move(other), worker);
    }
}

LinkKeeper& LinkKeeper::operator=(LinkKeeper&& other) noexcept {
    stop();
    channel_ = std::move(other.channel_);
    process_ = std::exchange(other.process_, Pidfd());
    return *this;
}

std::vector<std::string> LinkKeeper::go(const std::vector<std::string>& opened) {
    std::string text = "\n";
    for (const std::string& name : opened) {
        text += name + "\n";
    }
    std::array<char, kLargestMessage> buffer{};
    ssize_t got = send(channel_.get(), text.data(), text.size(), MSG_NOSIGNAL);
    if (got >= 0) {
        got = recv(channel_.get(), buffer.data(), buffer.size(), 0);
    }
    std::string_view answer(buffer.data(), static_cast<size_t>(std::max<ssize_t>(got, 0)));
    channel_.reset();
    const std::string_view word = take_until(answer, '\n');
    if (word != "ready") {
        const std::string_view message = take_until(answer, '\n');
        throw Error(message.empty() ? "the keeper of the managed network has ended without a word"
                                    : std::string(message),
                    std::string(answer));
    }
    std::vector<std::string> notices;
    for (const std::string_view notice : split_any(answer, "\n")) {
        notices.emplace_back(notice);
    }
    return notices;
}

void LinkKeeper::stop() {
    channel_.reset();
    if (process_.valid()) {
        (void)process_.send_signal(SIGKILL);
        (void)std::exchange(process_, Pidfd()).wait();
    }
}

} // namespace nspawn
