#include "linux/resource_limit.hpp"

#include <gtest/gtest.h>

#include <cstdlib>

#include <sys/wait.h>
#include <unistd.h>

bool operator==(const rlimit64& a, const rlimit64& b) { return a.rlim_cur == b.rlim_cur && a.rlim_max == b.rlim_max; }
void PrintTo(const rlimit64& limit, std::ostream* out) { *out << nspawn::format_resource_limit(limit); }

namespace nspawn {
namespace {

constexpr uint64_t kInfinity = RLIM64_INFINITY;

rlimit64 both(uint64_t value) { return {value, value}; }

TEST(ResourceName, IsKnownWithAndWithoutPrefix) {
    EXPECT_EQ(parse_resource_name("NOFILE"), RLIMIT_NOFILE);
    EXPECT_EQ(parse_resource_name("RLIMIT_NOFILE"), RLIMIT_NOFILE);
    for (const char* text : {"", "nofile", "RLIMIT_", "NOFILES", "RLIMIT_RLIMIT_NOFILE", "7"}) {
        EXPECT_FALSE(parse_resource_name(text)) << text;
    }
    for (int resource = 0; resource < static_cast<int>(RLIM_NLIMITS); ++resource) {
        EXPECT_EQ(parse_resource_name(resource_name(resource)), resource);
    }
    EXPECT_EQ(resource_name(99), "");
}

TEST(ResourceLimit, OneValueSetsBothAndSoftMayNotExceedHard) {
    EXPECT_EQ(parse_resource_limit(RLIMIT_NOFILE, "5"), both(5));
    EXPECT_EQ(parse_resource_limit(RLIMIT_NOFILE, "5:infinity"), (rlimit64{5, kInfinity}));
    EXPECT_EQ(parse_resource_limit(RLIMIT_NOFILE, "infinity"), both(kInfinity));
    for (const char* text : {"", ":", "5:", ":5", "5:3", "infinity:5", "5:6:7", "INFINITY", "-1", "5%", "1K", "5 ",
                             "18446744073709551615", "18446744073709551616"}) {
        EXPECT_FALSE(parse_resource_limit(RLIMIT_NOFILE, text)) << text;
    }
    EXPECT_FALSE(parse_resource_limit(99, "5"));
}

TEST(ResourceLimit, PlainNumbersMayBeHexadecimalOrOctal) {
    EXPECT_EQ(parse_resource_limit(RLIMIT_NPROC, "0x10"), both(16));
    EXPECT_EQ(parse_resource_limit(RLIMIT_NPROC, "010"), both(8));
    EXPECT_EQ(parse_resource_limit(RLIMIT_NPROC, "+5"), both(5));
    EXPECT_EQ(parse_resource_limit(RLIMIT_NPROC, "0"), both(0));
    EXPECT_FALSE(parse_resource_limit(RLIMIT_NPROC, "0x"));
    EXPECT_FALSE(parse_resource_limit(RLIMIT_NPROC, "08"));
}

TEST(ResourceLimit, BytesTakeBinaryUnitsInFallingOrder) {
    EXPECT_EQ(parse_resource_limit(RLIMIT_FSIZE, "1K"), both(1024));
    EXPECT_EQ(parse_resource_limit(RLIMIT_FSIZE, "1.5K:2G"), (rlimit64{1536, 2147483648}));
    EXPECT_EQ(parse_resource_limit(RLIMIT_FSIZE, "1.0005K"), both(1024));
    EXPECT_EQ(parse_resource_limit(RLIMIT_FSIZE, "1M512K"), both(1572864));
    EXPECT_EQ(parse_resource_limit(RLIMIT_FSIZE, "1K 5"), both(1029));
    EXPECT_EQ(parse_resource_limit(RLIMIT_FSIZE, "1 K"), both(1024));
    EXPECT_EQ(parse_resource_limit(RLIMIT_FSIZE, "15E"), both(15ULL << 60));
    EXPECT_EQ(parse_resource_limit(RLIMIT_FSIZE, "0.999999999999999999999E"), both((1ULL << 60) - 1));
    for (const char* text : {"K", "1k", "1KB", "1KiB", "512K1M", "1K1K", ".5K", "1.", "16E", "0x10", "1K,5", "-1"}) {
        EXPECT_FALSE(parse_resource_limit(RLIMIT_FSIZE, text)) << text;
    }
    EXPECT_FALSE(parse_resource_limit(RLIMIT_LOCKS, "1K"));
}

TEST(ResourceLimit, TimesAreSecondsForCpuAndMicrosecondsForRttime) {
    EXPECT_EQ(parse_resource_limit(RLIMIT_CPU, "5"), both(5));
    EXPECT_EQ(parse_resource_limit(RLIMIT_CPU, "1500ms"), both(2)); // rounded up
    EXPECT_EQ(parse_resource_limit(RLIMIT_CPU, "0"), both(0));
    EXPECT_EQ(parse_resource_limit(RLIMIT_CPU, "1min 5s:2h"), (rlimit64{65, 7200}));
    EXPECT_EQ(parse_resource_limit(RLIMIT_CPU, "1M"), both(2629800));
    EXPECT_EQ(parse_resource_limit(RLIMIT_CPU, "1y"), both(31557600));
    EXPECT_EQ(parse_resource_limit(RLIMIT_RTTIME, "5"), both(5));
    EXPECT_EQ(parse_resource_limit(RLIMIT_RTTIME, "1.5ms"), both(1500));
    EXPECT_EQ(parse_resource_limit(RLIMIT_RTTIME, "3\u00b5s"), both(3));
    for (const char* text :
         {"", "s", "5x", "1ns", "0x5", "5S", "-1", "2:1", "1500ms:1s", "99999999999999999999", "18446744073710"}) {
        EXPECT_FALSE(parse_resource_limit(RLIMIT_CPU, text)) << text;
    }
}

TEST(ResourceLimit, NiceTakesLevelsWithASignAndTheKernelsScaleWithout) {
    EXPECT_EQ(parse_resource_limit(RLIMIT_NICE, "5"), both(5));
    EXPECT_EQ(parse_resource_limit(RLIMIT_NICE, "-20"), both(40));
    EXPECT_EQ(parse_resource_limit(RLIMIT_NICE, "+19"), both(1));
    EXPECT_EQ(parse_resource_limit(RLIMIT_NICE, "+0"), both(20));
    EXPECT_EQ(parse_resource_limit(RLIMIT_NICE, "-5:-6"), (rlimit64{25, 26}));
    for (const char* text : {"-21", "+20", "41", "infinity", "--5", "+-5", "x"}) {
        EXPECT_FALSE(parse_resource_limit(RLIMIT_NICE, text)) << text;
    }
}

TEST(ResourceLimit, IsFormattedAsItIsRead) {
    for (const rlimit64& limit : {both(0), both(kInfinity), rlimit64{0, kInfinity}, rlimit64{1024, 524288}}) {
        EXPECT_EQ(parse_resource_limit(RLIMIT_NOFILE, format_resource_limit(limit)), limit);
    }
    EXPECT_EQ(format_resource_limit({0, kInfinity}), "0:infinity");
}

TEST(DefaultResourceLimits, AreTheKernelsForItsFirstProcess) {
    const ResourceLimitSet limits = default_resource_limits().or_throw("defaults");
    EXPECT_EQ(limits[RLIMIT_NOFILE], (rlimit64{1024, 524288}));
    EXPECT_EQ(limits[RLIMIT_CORE], (rlimit64{0, kInfinity}));
    EXPECT_EQ(limits[RLIMIT_STACK], (rlimit64{8388608, kInfinity}));
    EXPECT_EQ(limits[RLIMIT_MEMLOCK], both(8388608));
    EXPECT_EQ(limits[RLIMIT_MSGQUEUE], both(819200));
    EXPECT_EQ(limits[RLIMIT_NICE], both(0));
    EXPECT_EQ(limits[RLIMIT_RTPRIO], both(0));
    for (const int resource :
         {RLIMIT_AS, RLIMIT_CPU, RLIMIT_DATA, RLIMIT_FSIZE, RLIMIT_LOCKS, RLIMIT_RSS, RLIMIT_RTTIME}) {
        EXPECT_EQ(limits[static_cast<size_t>(resource)], both(kInfinity)) << resource_name(resource);
    }
    EXPECT_GT(limits[RLIMIT_NPROC].rlim_cur, 0U);
}

// Runs `body` in a child, so that the limits of the test itself stay as they are; its answer is the exit status.
int in_child(int (*body)()) {
    const pid_t pid = fork();
    if (pid == 0) {
        _exit(body());
    }
    int status = 0;
    EXPECT_EQ(waitpid(pid, &status, 0), pid);
    return WIFEXITED(status) ? WEXITSTATUS(status) : -1;
}

TEST(ApplyResourceLimit, ClampsToTheHardLimitWhereTheKernelRefuses) {
    EXPECT_EQ(
        in_child([] {
            // Nobody may go beyond fs.nr_open, so this is refused with and without CAP_SYS_RESOURCE.
            const rlimit64 first{32, 64};
            if (!(apply_resource_limit(RLIMIT_NOFILE, first).or_throw("set") == first)) {
                return 1;
            }
            const rlimit64 second = apply_resource_limit(RLIMIT_NOFILE, {50, 1ULL << 40}).or_throw("clamp");
            if (!(second == rlimit64{50, 64})) {
                return 2;
            }
            const rlimit64 third = apply_resource_limit(RLIMIT_NOFILE, {1ULL << 40, 1ULL << 40}).or_throw("clamp");
            if (!(third == both(64))) {
                return 3;
            }
            rlimit64 now{};
            getrlimit64(RLIMIT_NOFILE, &now);
            return now == third ? 0 : 4;
        }),
        0);
}

TEST(ApplyResourceLimit, PassesOtherErrorsOn) {
    EXPECT_EQ(apply_resource_limit(99, both(1)).error(), EINVAL);
    EXPECT_EQ(apply_resource_limit(RLIMIT_NOFILE, {2, 1}).error(), EINVAL);
}

} // namespace
} // namespace nspawn
