#include "run/network_worker.hpp"

#include "base/error.hpp"
#include "base/log.hpp"
#include "base/text.hpp"
#include "image/worker_program.hpp"

#include <fmt/format.h>

#include <csignal>
#include <utility>

#include <fcntl.h>
#include <poll.h>
#include <unistd.h>

namespace nspawn {

namespace {

constexpr const char* kName = "nspawn-network";
constexpr int kPatience = 30'000;   // milliseconds to get ready: other starts may be at the same tables
constexpr int kLastPatience = 5000; // … and to take back

// It speaks over its socket only, so that nobody who reads our output waits for its end.
[[noreturn]] void become_worker(const std::string& path, int socket) {
    const int high = fcntl(socket, F_DUPFD, 10);
    const int nothing = open("/dev/null", O_RDWR | O_CLOEXEC);
    if (dup2(nothing, STDOUT_FILENO) >= 0 && dup2(nothing, STDERR_FILENO) >= 0 && dup2(high, STDIN_FILENO) >= 0 &&
        close_range(STDERR_FILENO + 1, ~0U, 0) == 0) {
        const char* const arguments[] = {kName, "serve", nullptr};
        const char* const environment[] = {nullptr};
        execve(path.c_str(), const_cast<char**>(arguments), const_cast<char**>(environment));
    }
    _exit(127);
}

std::string first_line(std::string_view text) { return printable(text.substr(0, text.find('\n'))); }

[[noreturn]] void throw_failure(const NetworkMessage& message) {
    const size_t end = message.text.find('\n');
    throw Error(first_line(message.text), end == std::string::npos ? "" : printable(message.text.substr(end + 1)));
}

} // namespace

NetworkWorker::NetworkWorker(const NetworkRequest& request, ScratchRecord& record, bool quiet) : quiet_(quiet) {
    const std::string path = find_worker(kName, "published ports and managed networks");
    auto ends = PacketSocket::create().or_throw("nspawn-network");
    record.add(ScratchKind::ports, of_this_network(kPortRecords));
    process_ = clone_process({}).or_throw("starting nspawn-network");
    if (!process_.valid()) {
        become_worker(path, ends.second.fd());
    }
    socket_ = std::move(ends.first);
    ends.second.close(); // so that its end can be seen
    for_each_packet(request, [this](const std::string& packet) {
        const Result<void> sent = socket_.send(packet);
        if (sent.error() != EPIPE && sent.error() != ECONNRESET) { // await_ready() will know why
            sent.or_throw("nspawn-network");
        }
    });
}

NetworkWorker& NetworkWorker::operator=(NetworkWorker&& other) noexcept {
    (void)end();
    quiet_ = other.quiet_;
    socket_ = std::exchange(other.socket_, PacketSocket());
    process_ = std::exchange(other.process_, Pidfd());
    return *this;
}

void NetworkWorker::enter(const UniqueFd& container) const {
    const Result<void> sent = socket_.send(as_packet(NetworkMessageKind::namespace_of_container), container.get());
    if (sent.error() != EPIPE && sent.error() != ECONNRESET) {
        sent.or_throw("nspawn-network");
    }
}

void NetworkWorker::await_ready() {
    for (;;) {
        pollfd waiting{socket_.fd(), POLLIN, 0};
        const int ready = poll(&waiting, 1, kPatience);
        if (ready < 0 && errno == EINTR) {
            continue;
        }
        if (ready == 0) {
            throw Error(fmt::format("{} is not ready within {} seconds", kName, kPatience / 1000));
        }
        const auto packet = socket_.receive().or_throw("hearing nspawn-network");
        const auto message = packet ? parse_packet(packet->text) : std::nullopt;
        if (!message) {
            throw Error(fmt::format("{} has ended without a word", kName), "Is its library libnftables installed?");
        }
        if (message->kind == NetworkMessageKind::failed) {
            throw_failure(*message);
        }
        if (message->kind == NetworkMessageKind::ready) {
            return;
        }
        pass_on(*message);
    }
}

void NetworkWorker::pass_on(const NetworkMessage& message) const {
    if (message.kind != NetworkMessageKind::notice) {
        log::warning("{}", first_line(message.text));
    } else if (!quiet_) {
        log::notice("{}", first_line(message.text));
    }
}

bool NetworkWorker::hear() {
    for (;;) {
        const Result<std::optional<PacketSocket::Packet>> packet = socket_.receive(true);
        if (packet.error() == EAGAIN) {
            return true;
        }
        const auto message = packet.ok() && packet.value() ? parse_packet(packet.value()->text) : std::nullopt;
        if (!message) {
            return false;
        }
        if (message->kind != NetworkMessageKind::ready) { // of one that was started again
            pass_on(*message);
        }
    }
}

bool NetworkWorker::end() {
    socket_.close();
    if (!process_.valid()) {
        return true;
    }
    pollfd waiting{process_.get(), POLLIN, 0};
    while (poll(&waiting, 1, kLastPatience) < 0 && errno == EINTR) {
    }
    if ((waiting.revents & POLLIN) == 0) {
        (void)process_.send_signal(SIGKILL);
    }
    const Result<ProcessEnd> end = std::exchange(process_, Pidfd()).wait();
    return end.ok() && end.value().exited && end.value().status == 0;
}

} // namespace nspawn
