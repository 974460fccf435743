// Any bytes as a question or an answer of the name service: never a crash, and never an answer that breaks the promises
// of dns_message.hpp and local_names.hpp.
#include "names/local_names.hpp"
#include "planted_bug.hpp"

#include <cstdlib>
#include <string>

namespace {

using namespace nspawn;

void require(bool promise) {
    if (!promise) {
        std::abort();
    }
}

LocalNames sample() {
    LocalNames names;
    names.host_name = "h";
    names.networks = {*parse_ip_prefix("10.160.4.1/22"), *parse_ip_prefix("fd01::1/64")};
    names.gateways = {*parse_ip_address("10.160.4.1"), *parse_ip_address("fd01::1")};
    names.machines = {{.machine = "web",
                       .link = "vz-lab",
                       .gateways = {},
                       .addresses = {*parse_ip_prefix("10.160.4.7/22"), *parse_ip_prefix("fd01::7/64")}}};
    return names;
}

} // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
    const Bytes message(data, size);
    const auto query = parse_dns_query(message);
    if (!query) {
        if (const auto complaint = complaint_about(message)) {
            require(make_dns_error(message, *complaint).size() == 12);
        }
        return 0;
    }
    require(query->question_end <= size && query->question.name.size() <= 253);
    require(!is_reply_to(message, message, query->question_end, query->id)); // a question answers nothing
    if (const auto answer = answer_locally(query->question, sample())) {
        const auto reply = make_dns_answer(message, *query, answer->outcome, answer->records);
        require(reply.size() <= 512 && is_reply_to(reply, message, query->question_end, query->id));
        require(!parse_dns_query(reply));
        fuzz::planted_bug(!answer->records.empty(), {reinterpret_cast<const char*>(data), size});
    }
    (void)address_of_reverse_name(query->question.name);
    return 0;
}
