#include "network/nft.hpp"

#include "base/error.hpp"
#include "base/text.hpp"

#include <array>
#include <cerrno>

#include <nftables/libnftables.h>

namespace nspawn {

void Nft::Release::operator()(nft_ctx* context) const { nft_ctx_free(context); }

Nft::Nft() : context_(nft_ctx_new(NFT_CTX_DEFAULT)) {
    if (!context_ || nft_ctx_buffer_output(context_.get()) != 0 || nft_ctx_buffer_error(context_.get()) != 0) {
        throw Error("libnftables: no context");
    }
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

int Nft::execute(const std::string& commands) {
    const int failed = nft_run_cmd_from_buffer(context_.get(), commands.c_str());
    const char* const printed = nft_ctx_get_error_buffer(context_.get());
    error_ = printed == nullptr ? "" : printed;
    return failed;
}

int Nft::run(const std::string& commands) {
    const int failed = execute(commands);
    (void)nft_ctx_get_output_buffer(context_.get()); // reading it is what empties it
    if (failed == 0) {
        return 0;
    }
    const int code = error_number(error_);
    error_ = printable(trim(std::string_view(error_).substr(0, error_.find('\n'))));
    return code;
}

std::string Nft::list(const std::string& command) {
    nft_ctx_output_set_flags(context_.get(), NFT_CTX_OUTPUT_JSON);
    const int failed = execute(command);
    const char* const printed = nft_ctx_get_output_buffer(context_.get());
    std::string answer = failed != 0 || printed == nullptr ? "" : printed;
    nft_ctx_output_set_flags(context_.get(), 0);
    return answer;
}

} // namespace nspawn
