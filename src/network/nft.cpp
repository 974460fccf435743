#include "network/nft.hpp"

#include "base/error.hpp"
#include "base/text.hpp"
#include "base/unique_fd.hpp"

#include <fmt/format.h>

#include <array>
#include <cerrno>

#include <linux/netlink.h>
#include <nftables/libnftables.h>
#include <sys/socket.h>

namespace nspawn {

void Nft::Release::operator()(nft_ctx* context) const { nft_ctx_free(context); }

// libnftables ends the whole program, with a word to nobody, where the kernel has no such socket.
bool Nft::make_context() {
    if (context_) {
        return true;
    }
    if (const UniqueFd socket(::socket(AF_NETLINK, SOCK_RAW | SOCK_CLOEXEC, NETLINK_NETFILTER)); !socket) {
        error_ = fmt::format("a socket for it: {}", error_text(errno));
        return false;
    }
    context_.reset(nft_ctx_new(NFT_CTX_DEFAULT));
    if (!context_ || nft_ctx_buffer_output(context_.get()) != 0 || nft_ctx_buffer_error(context_.get()) != 0) {
        throw Error("libnftables: no context");
    }
    return true;
}

int error_number(std::string_view printed) {
    constexpr std::array kErrors = {ENOENT, EEXIST, EPERM, EACCES, EOPNOTSUPP, EBUSY, ENOMEM, EINVAL, ENOBUFS};
    for (const int code : kErrors) {
        if (printed.find(error_text(code)) != std::string_view::npos) {
            return code;
        }
    }
    return EIO;
}

int Nft::execute(const std::string& commands, bool as_json) {
    if (!make_context()) {
        return -1;
    }
    nft_ctx_output_set_flags(context_.get(), as_json ? NFT_CTX_OUTPUT_JSON : 0);
    const int failed = nft_run_cmd_from_buffer(context_.get(), commands.c_str());
    const char* const printed = nft_ctx_get_error_buffer(context_.get());
    error_ = printed == nullptr ? "" : printed;
    return failed;
}

int Nft::run(const std::string& commands) {
    const int failed = execute(commands, false);
    if (context_) {
        (void)nft_ctx_get_output_buffer(context_.get()); // reading it is what empties it
    }
    if (failed == 0) {
        return 0;
    }
    const int code = error_number(error_);
    error_ = printable(trim(std::string_view(error_).substr(0, error_.find('\n'))));
    return code;
}

std::string Nft::list(const std::string& command) {
    const int failed = execute(command, true);
    const char* const printed = context_ ? nft_ctx_get_output_buffer(context_.get()) : nullptr;
    return failed != 0 || printed == nullptr ? "" : printed;
}

} // namespace nspawn
