// nft.hpp — the kernel's packet filter, spoken to in the language of nft(8).
//
// Owns one context of libnftables, made when it is first needed. One run() is one transaction: all of it holds, or
// nothing. What goes in is made of numbers and names of ours only, never of text that somebody else wrote. Source:
// libnftables(3), libnftables-json(5).
#pragma once

#include <memory>
#include <string>

struct nft_ctx;

namespace nspawn {

class Nft {
public:
    // What the kernel said, as an errno; 0: done. ENOENT: something that the commands name is not there. EEXIST:
    // something is, and is different. EIO: any other refusal, see last_error().
    [[nodiscard]] int run(const std::string& commands);
    // The answer to a "list …" command as JSON text; empty when it failed.
    [[nodiscard]] std::string list(const std::string& command);
    // Of the last run(), on one line.
    [[nodiscard]] const std::string& last_error() const { return error_; }

private:
    bool make_context();
    int execute(const std::string& commands, bool as_json);

    struct Release {
        void operator()(nft_ctx* context) const;
    };
    std::unique_ptr<nft_ctx, Release> context_;
    std::string error_;
};

// The errno that stands for what nft(8) printed; EIO when it is none of those that matter.
int error_number(std::string_view printed);

} // namespace nspawn
