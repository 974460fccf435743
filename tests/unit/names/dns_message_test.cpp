#include "dns_samples.hpp"
#include "names/dns_message.hpp"

#include <gtest/gtest.h>

namespace nspawn {
namespace {

using namespace testing_dns;

TEST(DnsMessage, ReadsAQuestion) {
    const auto message = question("Web.Lab", dns::kTypeAaaa, 0x1234);
    const auto query = parse_dns_query(message);
    ASSERT_TRUE(query);
    EXPECT_EQ(query->id, 0x1234);
    EXPECT_TRUE(query->recursion_desired);
    EXPECT_EQ(query->question.name, "web.lab");
    EXPECT_EQ(query->question.type, dns::kTypeAaaa);
    EXPECT_EQ(query->question.klass, dns::kClassInternet);
    EXPECT_EQ(query->question_end, message.size());
}

TEST(DnsMessage, WhatFollowsTheQuestionIsLeftAlone) {
    auto message = question("web", dns::kTypeA, 1);
    const size_t end = message.size();
    message[11] = 1; // an additional record, broken
    message.insert(message.end(), {0xc0, 0xff, 0xff});
    const auto query = parse_dns_query(message);
    ASSERT_TRUE(query);
    EXPECT_EQ(query->question_end, end);
}

TEST(DnsMessage, TheRootIsAName) {
    const auto query = parse_dns_query(question("", 2, 1));
    ASSERT_TRUE(query);
    EXPECT_EQ(query->question.name, "");
}

TEST(DnsMessage, RefusesEveryTruncation) {
    const auto message = question("web.example.com", dns::kTypeA, 1);
    for (size_t size = 0; size < message.size(); ++size) {
        EXPECT_FALSE(parse_dns_query(Bytes(message).first(size))) << size;
    }
}

TEST(DnsMessage, RefusesAnswersOtherOperationsAndSeveralQuestions) {
    auto message = question("web", dns::kTypeA, 1);
    message[2] |= 0x80;
    EXPECT_FALSE(parse_dns_query(message));
    EXPECT_FALSE(complaint_about(message)); // no ping-pong
    message = question("web", dns::kTypeA, 1);
    message[2] |= 0x28;
    EXPECT_FALSE(parse_dns_query(message));
    EXPECT_EQ(complaint_about(message), dns::Outcome::not_implemented);
    message = question("web", dns::kTypeA, 1);
    message[5] = 2;
    EXPECT_FALSE(parse_dns_query(message));
    EXPECT_EQ(complaint_about(message), dns::Outcome::malformed);
    EXPECT_FALSE(complaint_about(Bytes(message).first(11)));
}

TEST(DnsMessage, RefusesPointersAndNamesThatAreTooLong) {
    auto message = question("web", dns::kTypeA, 1);
    message[12] = 0xc0;
    EXPECT_FALSE(parse_dns_query(message));
    EXPECT_TRUE(parse_dns_query(question(std::string(63, 'a'), dns::kTypeA, 1)));
    std::string name(63, 'a');
    for (int i = 0; i < 2; ++i) {
        name += "." + std::string(63, 'a');
    }
    EXPECT_TRUE(parse_dns_query(question(name + "." + std::string(61, 'a'), dns::kTypeA, 1)));
    EXPECT_FALSE(parse_dns_query(question(name + "." + std::string(62, 'a'), dns::kTypeA, 1)));
}

TEST(DnsMessage, AnswersCarryTheQuestionAndItsRecords) {
    const auto message = question("web", dns::kTypeA, 0xbeef);
    const auto query = parse_dns_query(message);
    ASSERT_TRUE(query);
    const DnsRecord record = address_record(*parse_ip_address("10.160.4.7"));
    const auto answer = make_dns_answer(message, *query, dns::Outcome::ok, std::span(&record, 1));
    const std::vector<uint8_t> expected = {0xbe, 0xef, 0x85, 0x80, 0, 1, 0, 1, 0, 0, 0, 0, // header
                                           3,    'w',  'e',  'b',  0, 0, 1, 0, 1,          // question
                                           0xc0, 12,   0,    1,    0, 1, 0, 0, 0, 5, 0, 4, // record
                                           10,   160,  4,    7};
    EXPECT_EQ(answer, expected);
}

TEST(DnsMessage, ErrorsAreAHeader) {
    const auto message = question("web", dns::kTypeA, 0xbeef);
    const std::vector<uint8_t> expected = {0xbe, 0xef, 0x81, 0x82, 0, 0, 0, 0, 0, 0, 0, 0};
    EXPECT_EQ(make_dns_error(message, dns::Outcome::server_failed), expected);
}

TEST(DnsMessage, PointersAreNames) {
    const auto record = pointer_record("web.lab");
    ASSERT_TRUE(record);
    EXPECT_EQ(record->data, (std::vector<uint8_t>{3, 'w', 'e', 'b', 3, 'l', 'a', 'b', 0}));
    EXPECT_FALSE(pointer_record(""));
    EXPECT_FALSE(pointer_record("a..b"));
    EXPECT_FALSE(pointer_record(std::string(64, 'a')));
}

TEST(DnsMessage, AReplyHasTheIdAndTheQuestion) {
    const auto query = question("web.example", dns::kTypeA, 7);
    auto reply = query;
    reply[2] |= 0x80;
    EXPECT_TRUE(is_reply_to(reply, query, query.size(), 7));
    EXPECT_FALSE(is_reply_to(reply, query, query.size(), 8));
    EXPECT_FALSE(is_reply_to(query, query, query.size(), 7));
    auto other_case = reply;
    other_case[13] = 'W';
    EXPECT_TRUE(is_reply_to(other_case, query, query.size(), 7));
    auto other = reply;
    other[13] = 'x';
    EXPECT_FALSE(is_reply_to(other, query, query.size(), 7));
    EXPECT_FALSE(is_reply_to(Bytes(reply).first(20), query, query.size(), 7));
    EXPECT_FALSE(is_reply_to(Bytes(reply).first(11), query, query.size(), 7));
}

TEST(DnsMessage, ReadsReverseNames) {
    EXPECT_EQ(address_of_reverse_name("7.4.160.10.in-addr.arpa"), parse_ip_address("10.160.4.7"));
    EXPECT_EQ(address_of_reverse_name("7.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.1.0.d.f.ip6.arpa"),
              parse_ip_address("fd01::7"));
    for (const char* name :
         {"", "in-addr.arpa", ".in-addr.arpa", "4.160.10.in-addr.arpa", "1.7.4.160.10.in-addr.arpa",
          "256.4.160.10.in-addr.arpa", "x.4.160.10.in-addr.arpa", "7.4.160.10.in-addr.arpa.com", "1.ip6.arpa",
          "g.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.1.0.d.f.ip6.arpa"}) {
        EXPECT_FALSE(address_of_reverse_name(name)) << name;
    }
}

} // namespace
} // namespace nspawn
