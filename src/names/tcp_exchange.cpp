#include "names/tcp_exchange.hpp"

namespace nspawn {

namespace {

constexpr std::chrono::seconds kPatience{5}; // for each step
constexpr size_t kTries = 3;
constexpr size_t kPrefix = 2;

Bytes behind_prefix(const std::vector<uint8_t>& frame) { return Bytes(frame).subspan(kPrefix); }

} // namespace

TcpExchange::TcpExchange(UniqueFd client, const Peer& peer, Clock::time_point now)
    : client_(std::move(client)), peer_(peer), deadline_(now + kPatience) {}

pollfd TcpExchange::waits_for() const {
    switch (state_) {
    case State::read_query:
        return {client_.get(), POLLIN, 0};
    case State::send_query:
        return {server_.get(), POLLOUT, 0};
    case State::read_reply:
        return {server_.get(), POLLIN, 0};
    case State::send_reply:
        break;
    }
    return {client_.get(), POLLOUT, 0};
}

void TcpExchange::enter(State state, Clock::time_point now) {
    state_ = state;
    deadline_ = now + kPatience;
    if (state == State::read_query || state == State::read_reply) {
        frame_ = {};
    }
    if (state == State::read_query || state == State::send_reply) {
        server_.reset();
    }
}

TcpExchange::Progress TcpExchange::read_frame(int fd, Frame& frame) {
    const size_t wanted = frame.done < kPrefix ? kPrefix : kPrefix + (frame.bytes[0] << 8 | frame.bytes[1]);
    frame.bytes.resize(wanted);
    const ssize_t got = recv(fd, frame.bytes.data() + frame.done, wanted - frame.done, MSG_DONTWAIT);
    if (got <= 0) {
        return got < 0 && (errno == EAGAIN || errno == EINTR) ? Progress::more : Progress::over;
    }
    frame.done += static_cast<size_t>(got);
    if (frame.done < wanted) {
        return Progress::more;
    }
    // Of the length alone it is known now how much follows; nothing would be no message.
    const bool only_length = wanted == kPrefix;
    if (only_length && frame.bytes[0] == 0 && frame.bytes[1] == 0) {
        return Progress::over;
    }
    return only_length ? Progress::more : Progress::complete;
}

TcpExchange::Progress TcpExchange::write_frame(int fd, Frame& frame) {
    const ssize_t put =
        send(fd, frame.bytes.data() + frame.done, frame.bytes.size() - frame.done, MSG_DONTWAIT | MSG_NOSIGNAL);
    if (put < 0) {
        return errno == EAGAIN || errno == EINTR ? Progress::more : Progress::over;
    }
    frame.done += static_cast<size_t>(put);
    return frame.done < frame.bytes.size() ? Progress::more : Progress::complete;
}

void TcpExchange::answer_with(Bytes message, Clock::time_point now) {
    frame_ = {};
    frame_.bytes = {static_cast<uint8_t>(message.size() >> 8), static_cast<uint8_t>(message.size())};
    frame_.bytes.insert(frame_.bytes.end(), message.begin(), message.end());
    enter(State::send_reply, now);
}

void TcpExchange::connect_to_next_server(NameDesk& desk, Clock::time_point now) {
    const std::span<const Resolver> resolvers = desk.resolvers();
    while (!resolvers.empty() && tries_ < kTries) {
        const Peer server = peer_of(resolvers[tries_++ % resolvers.size()], desk.resolver_port());
        server_.reset(socket(server.address.ss_family, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0));
        if (server_ && (connect(server_.get(), reinterpret_cast<const sockaddr*>(&server.address), server.size) == 0 ||
                        errno == EINPROGRESS)) {
            frame_ = {query_, 0};
            enter(State::send_query, now);
            return;
        }
    }
    answer_with(make_dns_error(behind_prefix(query_), dns::Outcome::server_failed), now);
}

bool TcpExchange::on_query(NameDesk& desk, Clock::time_point now) {
    query_ = std::move(frame_.bytes);
    tries_ = 0;
    const Bytes message = behind_prefix(query_);
    const std::optional<DnsQuery> query = parse_dns_query(message);
    if (const auto answer = desk.answer(message, query, now)) {
        if (answer->empty()) {
            return false;
        }
        answer_with(*answer, now);
    } else {
        connect_to_next_server(desk, now);
    }
    return true;
}

bool TcpExchange::proceed(NameDesk& desk, Clock::time_point now) {
    switch (state_) {
    case State::read_query: {
        const Progress progress = read_frame(client_.get(), frame_);
        return progress == Progress::complete ? on_query(desk, now) : progress == Progress::more;
    }
    case State::send_query: {
        const Progress progress = write_frame(server_.get(), frame_);
        if (progress == Progress::over) {
            connect_to_next_server(desk, now);
        } else if (progress == Progress::complete) {
            enter(State::read_reply, now);
        }
        return true;
    }
    case State::read_reply: {
        const Progress progress = read_frame(server_.get(), frame_);
        if (progress == Progress::over) {
            connect_to_next_server(desk, now);
        } else if (progress == Progress::complete) {
            const std::vector<uint8_t> reply = std::move(frame_.bytes);
            answer_with(behind_prefix(reply), now);
        }
        return true;
    }
    case State::send_reply:
        break;
    }
    const Progress progress = write_frame(client_.get(), frame_);
    if (progress == Progress::complete) {
        enter(State::read_query, now);
    }
    return progress != Progress::over;
}

} // namespace nspawn
