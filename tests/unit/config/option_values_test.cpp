// Every option with empty, malformed, out-of-range and over-long values, and with the good ones next to them.
#include "linux/capability.hpp"
#include "saying.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <csignal>

namespace nspawn {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;
using testing::StartsWith;

struct BadValue {
    std::string option; // without dashes
    std::string value;
    std::string reason; // what the message has to say
};

std::vector<BadValue> bad_values() {
    const std::string long_text(200'000, 'x');
    const std::string long_path = "/" + std::string(5000, 'x');
    std::vector<BadValue> cases = {
        {"settings", "", "not a way to use settings (no, yes, override, trusted)"},
        {"settings", "Override", "not a way to use settings"},
        {"directory", long_path, "at most 4095 bytes"},
        {"template", long_path, "at most 4095 bytes"},
        {"pivot-root", "A", "'A' is not an absolute path"},
        {"pivot-root", "/a/../b", "not an absolute path without '..'"},
        {"pivot-root", "/a//b", "not an absolute path without '..', '.' and '//'"},
        {"pivot-root", "/a:b", "'b' is not an absolute path"},
        {"pivot-root", "/", "is the tree's root directory already"},
        {"pivot-root", "/a:/", "is the tree's root directory already"},
        {"pivot-root", ":/a", "'' is not an absolute path"},
        {"pivot-root", long_path, "at most 4095 bytes"},
        {"image", long_path, "at most 4095 bytes"},
        {"image-policy", "root", "not of the form PARTITION=FLAG"},
        {"image-policy", "root=verity+safe", "'safe' is no flag"},
        {"image-policy", "boot=verity", "'boot' is no partition"},
        {"image-policy", "root=verity:root=open", "'root' is named twice"},
        {"image-policy", "root=verity+", "'' is no flag"},
        {"root-hash", "abc", "not a root hash"},
        {"root-hash", std::string(30, 'a'), "not a root hash"},
        {"root-hash", std::string(33, 'a'), "not a root hash"},
        {"root-hash", std::string(32, 'g'), "not a root hash"},
        {"root-hash", std::string(130, 'a'), "not a root hash"},
        {"root-hash-sig", "relative/file", "neither an absolute path nor base64:"},
        {"root-hash-sig", "base64:", "no signature in base64"},
        {"root-hash-sig", "base64:####", "no signature in base64"},
        {"root-hash-sig", "base64:abc", "no signature in base64"},
        {"verity-data", long_path, "at most 4095 bytes"},
        {"volatile", "", "not a volatile mode (no, yes, state, overlay)"},
        {"volatile", "all", "not a volatile mode"},
        {"private-network", "maybe", "not a boolean"},
        {"network-veth", "maybe", "not a boolean"},
        {"network-namespace-path", "", "not the path of a network namespace"},
        {"network-namespace-path", long_path, "not the path of a network namespace"},
        {"network-veth-extra", "", "'' is not a name for an interface"},
        {"network-veth-extra", "a:b:c", "'b:c' is not a name for an interface"},
        {"network-veth-extra", "sixteencharslong", "is not a name for an interface"},
        {"network-bridge", "", "'' is not the name of an interface"},
        {"network-bridge", "a/b", "'a/b' is not the name of an interface"},
        {"network-zone", "", "'' is not the name of a zone"},
        {"network-zone", "thirteenchars", "is not the name of a zone"},
        {"network-managed", "maybe", "neither a boolean nor auto or dhcp"},
        {"network-pool", "xyz", "xyz is no network"},
        {"network-pool", "10.0.0.1/8", "did you mean 10.0.0.0/8?"},
        {"network-interface", "", "the name of an interface is missing"},
        {"network-interface", "eth0:", "'' is not a name for an interface"},
        {"network-interface", "eth0:.", "'.' is not a name for an interface"},
        {"network-macvlan", "eth%d", "'eth%d' is not the name of an interface"},
        {"network-macvlan", "eth0:12", "'12' is not a name for an interface"},
        {"network-ipvlan", ":a", "'' is not the name of an interface"},
        {"network", "", "'' is no kind of network"},
        {"network", "tap:a", "'tap' is no kind of network"},
        {"network", "veth:a", "'veth' takes no name"},
        {"network", "bridge", "'bridge' needs the name of one"},
        {"network", "zone:", "'' is not the name of a zone"},
        {"network", "veth,mtu=9000", "'mtu' is none of name="},
        {"network", "veth,name=a/b", "'a/b' is not a name for an interface"},
        {"network", "veth,mac=01:00:00:00:00:00", "is not the MAC address of one interface"},
        {"network", "veth,mac=x", "is not the MAC address of one interface"},
        {"network", "ipvlan:a,mac=02:00:00:00:00:00", "mac= is not for ipvlan"},
        {"network", "macvlan:a,host-name=b", "host-name= is for veth, bridge and zone"},
        {"network", "veth,address=10.0.0.1", "'10.0.0.1' is not ADDRESS/LENGTH"},
        {"network", "veth,address=10.0.0.1/33", "is not ADDRESS/LENGTH"},
        {"network", "veth,address=10.0.0.1/8,gateway=fd00::1", "needs an address= of the same family"},
        {"network", "veth,address=10.0.0.1/8,gateway=10.0.0.2,gateway=10.0.0.3", "more than one gateway="},
        {"network", "veth,gateway=x", "'x' is not an IP address"},
        {"network", "host,name=a", "nothing can be added to 'host'"},
        {"network", "private:a", "nothing can be added to 'private'"},
        {"network", "machine:_", "the machine's name '_'"},
        {"network", "namespace:", "not the path of a network namespace"},
        {"bind", "", "no source is given"},
        {"bind", "data", "a relative source needs a destination"},
        {"bind", "/a:b", "the destination 'b' is no absolute path"},
        {"bind", "/a:/b:x", "there is no option 'x' for a bind"},
        {"bind-ro", "/a:/b:/c:/d", "there is no option '/c:/d'"},
        {"bind-ro", long_path, "at most 4095 bytes"},
        {"tmpfs", "", "the destination '' is no absolute path"},
        {"tmpfs", "/", "the destination / is the tree itself"},
        {"overlay", "/a", "an overlay needs two paths at least"},
        {"overlay", "a:/b:/c", "the layer 'a' is no absolute path"},
        {"overlay-ro", "/a::/c", "only the layer that takes the changes may be left empty"},
        {"bind-user", "", "'' is not the name of a user"},
        {"bind-user", "a:b", "is not the name of a user"},
        {"bind-user-shell", "zsh", "neither a boolean nor the absolute path"},
        {"bind-user-group", "a:b", "not the name of a group"},
        {"port", "", "not a port number (1 to 65535)"},
        {"port", "80/sctp", "not a protocol"},
        {"inaccessible", "/a/../b", "has a \"..\" in it"},
        {"oci-bundle", "", "not a path of 1 to 4095 bytes"},
        {"resolv-conf", "", "not a boolean, and none of off, copy-host"},
        {"resolv-conf", "copy", "not a boolean"},
        {"timezone", "link", "none of off, copy, bind, symlink, delete, auto"},
        {"link-journal", "try", "none of no, host, guest, try-host, try-guest, auto"},
        {"link-journal", "off-host", "not a boolean"},
        {"machine", "a_b", "the machine name has a character other than"},
        {"machine", "a..b", "two in a row"},
        {"machine", ".host", "the host cannot be its own container"},
        {"machine", std::string(65, 'a'), "longer than 64 characters"},
        {"hostname", "-a", "has a '-' at an end"},
        {"hostname", "a.", "has a dot at an end"},
        {"hostname", long_text, "longer than 64 characters"},
        {"uuid", "", "not a 128-bit id"},
        {"uuid", "0", "not a 128-bit id"},
        {"uuid", "00000000000000000000000000000000", "may not be all zeroes"},
        {"uuid", "0123456789abcdef0123456789abcdeg", "not a 128-bit id"},
        {"uuid", "0123456789abcdef0123456789abcdef0", "not a 128-bit id"},
        {"selinux-context", "a\nb", "no control characters"},
        {"selinux-context", std::string(4096, 'x'), "longer than 4095"},
        {"selinux-apifs-context", "a\"b", "no quotes"},
        {"console", "", "not a console mode (autopipe, interactive, passive, pipe, read-only)"},
        {"console", "Pipe", "not a console mode"},
        {"background", "blue", "not a colour"},
        {"background", "\x1b[44m", "not a colour"},
        {"background", std::string(129, '1'), "not a colour"},
        {"chdir", "", "not an absolute path"},
        {"chdir", "tmp", "not an absolute path"},
        {"chdir", "/proc", "may not be below /proc"},
        {"chdir", "/sys/./x", "may not be below /sys"},
        {"chdir", "//dev", "may not be below /dev"},
        {"chdir", long_path, "at most 4095 bytes"},
        {"setenv", "", "\"\" is not the name of an environment variable"},
        {"setenv", "=x", "not the name of an environment variable"},
        {"setenv", "1A=x", "\"1A\" is not the name"},
        {"setenv", "A-B=x", "\"A-B\" is not the name"},
        {"setenv", "\xc3\xa4=x", "not the name"},
        {"setenv", "A=" + long_text, "longer than the 131071 bytes"},
        {"user", "", "not the name or number of a user"},
        {"user", "a:b", "not the name or number of a user"},
        {"user", "-u", "not the name or number of a user"},
        {"user", long_text, "not the name or number of a user"},
        {"kill-signal", "", "not a signal"},
        {"kill-signal", "0", "not a signal"},
        {"kill-signal", "65", "not a signal"},
        {"kill-signal", "-1", "not a signal"},
        {"kill-signal", "SIGRTMAX+1", "not a signal"},
        {"kill-signal", "RTMIN+99999999999999999999", "not a signal"},
        {"personality", "", "not an architecture this machine runs"},
        {"personality", "m68k", "not an architecture this machine runs"},
        {"oom-score-adjust", "", "not a number from -1000 to 1000"},
        {"oom-score-adjust", "1001", "not a number from -1000 to 1000"},
        {"oom-score-adjust", "-1001", "not a number from -1000 to 1000"},
        {"oom-score-adjust", "1e2", "not a number from -1000 to 1000"},
        {"oom-score-adjust", "99999999999999999999", "not a number from -1000 to 1000"},
        {"cpu-affinity", "x", "\"x\" is not the number of a processor"},
        {"cpu-affinity", "-1", "\"\" is not the number of a processor"},
        {"cpu-affinity", "1-", "\"\" is not the number of a processor"},
        {"cpu-affinity", "1-2-3", "\"2-3\" is not the number of a processor"},
        {"cpu-affinity", "3-1", "the range 3-1 runs backwards"},
        {"cpu-affinity", "8192", "processors are numbered 0 to 8191"},
        {"cpu-affinity", "0-99999999999999999999", "is not the number of a processor"},
        {"rlimit", "", "expected NAME=SOFT[:HARD]"},
        {"rlimit", "NOFILE", "expected NAME=SOFT[:HARD]"},
        {"rlimit", "=1", "\"\" is not a resource limit"},
        {"rlimit", "nofile=1", "\"nofile\" is not a resource limit"},
        {"rlimit", "FOO=1", "\"FOO\" is not a resource limit"},
        {"rlimit", "NOFILE=", "not a value for NOFILE"},
        {"rlimit", "NOFILE=x", "not a value for NOFILE"},
        {"rlimit", "NOFILE=5:3", "not a value for NOFILE"},
        {"rlimit", "RLIMIT_NOFILE=1K", "not a value for NOFILE"},
        {"rlimit", "NOFILE=1:2:3", "not a value for NOFILE"},
        {"rlimit", "NOFILE=99999999999999999999", "not a value for NOFILE"},
        {"rlimit", "NICE=+21", "not a value for NICE"},
        {"capability", "CAP_FOO", "\"CAP_FOO\" is not a capability"},
        {"capability", "NET_ADMIN", "\"NET_ADMIN\" is not a capability"},
        {"capability", "64", "\"64\" is not a capability"},
        {"capability", "CAP_KILL,-1", "\"-1\" is not a capability"},
        {"drop-capability", "CAP_KILL;CAP_MKNOD", "is not a capability"},
        {"ambient-capability", "all", "\"all\" is not possible for ambient capabilities"},
        {"system-call-filter", "read;write", "\"read;write\" is not the name of a system call"},
        {"system-call-filter", "@", "\"@\" is not the name of a system call"},
        {"system-call-filter", "~@mount ~bpf", "\"~bpf\" is not the name of a system call"},
        {"system-call-filter", long_text, "is not the name of a system call"},
        {"private-users", "", "not yes, no, pick"},
        {"private-users", "perhaps", "not yes, no, pick"},
        {"private-users", "-1", "not yes, no, pick"},
        {"private-users", "700000:0", "is empty"},
        {"private-users", "4294967000", "goes beyond 4294967294"},
        {"private-users", "4294967295:1", "goes beyond 4294967294"},
        {"private-users", "4294967296", "is not an id"},
        {"private-users", "1:2:3:4", "is not a range of a map"},
        {"private-users", "0:100000:10,5", "is not a range of a map"},
        {"private-users", "0:100000:10,", "is not a range of a map"},
        {"private-users", "0:100000:10,5:7:1", "overlap"},
        {"private-users", "1:100000:10", "no id for the container's root"},
        {"private-users", "managed", "not supported"},
        {"private-users-ownership", "", "not off, chown, map or auto"},
        {"private-users-ownership", "perhaps", "not off, chown, map or auto"},
        {"private-users-ownership", "foreign", "not supported"},
        {"set-credential", "", "expected ID:VALUE"},
        {"set-credential", "a", "expected ID:VALUE"},
        {"set-credential", ":x", "not a credential's name"},
        {"set-credential", "..:x", "not a credential's name"},
        {"set-credential", "a/b:x", "not a credential's name"},
        {"set-credential", "a\x01:x", "not a credential's name"},
        {"set-credential", std::string(256, 'a') + ":x", "not a credential's name"},
        {"set-credential", "a:\\q", "an escape behind '\\' is unknown"},
        {"set-credential", "a:\\", "an escape behind '\\' is unknown"},
        {"load-credential", "a", "expected ID:PATH"},
        {"load-credential", "a:", "neither an absolute path nor the name"},
        {"load-credential", "a:b/c", "neither an absolute path nor the name"},
        {"load-credential", "a:" + long_path, "at most 4095 bytes"},
        {"load-credential", "a:/nonexistent/file", "No such file or directory"},
        {"load-credential", "a:b", "no credentials were passed to us"},
        {"load-credential", "a:/dev/null", "not a file, pipe or socket"},
    };
    for (const Option& option : option_table()) {
        if (option.completion == Completion::boolean) {
            for (const char* value : {"", "maybe", "2", "yes ", "nope"}) {
                cases.push_back({std::string(option.name), value, "not a boolean (yes or no)"});
            }
        }
    }
    return cases;
}

TEST(OptionValues, BadOnesAreRefusedInOneLineThatNamesThem) {
    for (const BadValue& bad : bad_values()) {
        const std::string problem = Saying({"--" + bad.option + "=" + bad.value}).problem();
        EXPECT_THAT(problem, HasSubstr(bad.reason)) << "--" << bad.option << "=" << bad.value.substr(0, 80);
        EXPECT_THAT(problem, StartsWith("--" + bad.option));
        EXPECT_EQ(problem.find('\n'), std::string::npos) << problem;
        EXPECT_LT(problem.size(), 500U) << bad.option;
    }
}

// No option that takes a value is left out above.
TEST(OptionValues, EveryOptionWithAValueHasABadOne) {
    const std::vector<BadValue> cases = bad_values();
    for (const Option& option : option_table()) {
        const bool covered =
            std::any_of(cases.begin(), cases.end(), [&](const BadValue& bad) { return bad.option == option.name; });
        EXPECT_TRUE(covered || option.argument == Argument::none || option.name.empty()) << option.name;
    }
}

// A settings file's malformed value is a warning, and leaves the Config as if the line were not there.
TEST(OptionValues, BadOnesInFilesAreWarningsOnly) {
    for (const BadValue& bad : bad_values()) {
        const Option& option = *find_option(bad.option);
        // Empty resets in files; the kernel's directories and limits have a grammar of their own there.
        if (option.setting.empty() || bad.value.empty() || option.name == "rlimit" ||
            bad.reason.starts_with("may not be below")) {
            continue;
        }
        Saying saying;
        saying.trusted(std::string(option.setting) + "=" + bad.value);
        EXPECT_EQ(saying.problem(), "") << option.setting << "=" << bad.value.substr(0, 80);
        EXPECT_THAT(saying.warnings(), testing::Not(IsEmpty())) << option.setting << "=" << bad.value.substr(0, 80);
    }
    Saying limits;
    limits.trusted("Exec.LimitNOFILE=x").trusted("Exec.LimitCORE=5:3").trusted("Exec.WorkingDirectory=/usr/../bin");
    EXPECT_EQ(limits.warnings().size(), 3U);
    Saying parameters;
    EXPECT_THAT(parameters.trusted("Exec.Boot=yes").trusted("Exec.Parameters=a \"b").warnings(),
                ElementsAre(HasSubstr("a quote is left open")));
}

TEST(OptionValues, GoodOnesAreStored) {
    EXPECT_EQ(Saying({"-D", "/a//b/./c/"}).config().directory, "/a/b/c");
    EXPECT_EQ(Saying({"-D", "x/../y"}).config().directory, "/here/x/../y"); // only the file system knows what ".." is
    EXPECT_EQ(Saying({"-D", "x", "-D", ""}).config().directory, "");
    EXPECT_EQ(Saying({"-D", "x", "--template=a/../b/"}).config().template_directory, "/here/a/../b");
    EXPECT_EQ(Saying({"-M", "a", "-M", ""}).config().machine, "");
    EXPECT_EQ(Saying({"--volatile"}).config().volatile_mode, Volatile::yes);
    EXPECT_EQ(Saying({"--volatile=overlay"}).config().volatile_mode, Volatile::overlay);
    EXPECT_EQ(Saying({"--volatile=state"}).config().volatile_mode, Volatile::state);
    EXPECT_EQ(Saying({"--volatile=off"}).config().volatile_mode, Volatile::no);
    EXPECT_EQ(Saying({"--chdir=//tmp/"}).config().working_directory, "/tmp");
    EXPECT_EQ(Saying({"--uuid=01234567-89ab-cdef-0123-456789abcdef"}).config().uuid->plain(),
              "0123456789abcdef0123456789abcdef");
    EXPECT_EQ(Saying({"--kill-signal=RTMIN+3"}).config().kill_signal, SIGRTMIN + 3);
    EXPECT_EQ(Saying({"--kill-signal=64"}).config().kill_signal, 64);
    EXPECT_EQ(Saying({"--oom-score-adjust=-1000"}).config().oom_score_adjust, -1000);
    EXPECT_EQ(Saying({"--background="}).config().background, "");
    EXPECT_EQ(Saying({"--background=48;2;1;2;3"}).config().background, "48;2;1;2;3");
    EXPECT_EQ(Saying().config().background, std::nullopt);
    EXPECT_EQ(Saying({"--hostname="}).config().hostname, "");
    EXPECT_EQ(Saying({"-Z", "a:b:c", "-L", "d:e"}).config().selinux_apifs_context, "d:e");
    EXPECT_THAT(Saying({"--cpu-affinity=3,0-1 1"}).config().cpu_affinity, ElementsAre(0, 1, 3));
    EXPECT_THAT(Saying({"--cpu-affinity=1", "--cpu-affinity="}).config().cpu_affinity, IsEmpty());
    EXPECT_EQ(Saying({"--cpu-affinity=0-8191,0-8191"}).config().cpu_affinity.size(), 8192U);
}

TEST(OptionValues, PivotRootHasOneOrTwoPaths) {
    const auto pivot = [](const std::string& value) {
        const PivotRoot root = Saying({"--pivot-root=" + value}).config().pivot_root;
        return root.new_root + " " + root.old_root;
    };
    EXPECT_EQ(pivot("/a"), "/a ");
    EXPECT_EQ(pivot("/a/"), "/a ");
    EXPECT_EQ(pivot("/a:"), "/a ");
    EXPECT_EQ(pivot("/a/b:/c/d/"), "/a/b /c/d");
    EXPECT_EQ(pivot("/a:/b:c"), "/a /b:c");
    EXPECT_EQ(Saying({"--pivot-root=/a:/b", "--pivot-root="}).config().pivot_root.new_root, "");
    EXPECT_EQ(Saying().trusted("Exec.PivotRoot=/a:/b").config().pivot_root.old_root, "/b");
    EXPECT_EQ(Saying({"--pivot-root=/c"}).trusted("Exec.PivotRoot=/a:/b").config().pivot_root.new_root, "/c");
}

// The root of CVE-2026-40226: a file beside an image must not choose what of the image is the root directory.
TEST(OptionValues, PivotRootOfAnUntrustedFileIsIgnored) {
    Saying saying;
    saying.untrusted("Exec.PivotRoot=/a:/b");
    EXPECT_EQ(saying.config().pivot_root.new_root, "");
    EXPECT_THAT(saying.warnings(), ElementsAre(HasSubstr("PivotRoot")));
}

TEST(OptionValues, LimitsAndCapabilitiesAndFilters) {
    const Config config =
        Saying({"--rlimit=NOFILE=1:2", "--rlimit=RLIMIT_CORE=infinity", "--rlimit=NOFILE=3"}).config();
    EXPECT_EQ(config.limits[RLIMIT_NOFILE]->rlim_max, 3U);
    EXPECT_EQ(config.limits[RLIMIT_CORE]->rlim_cur, RLIM64_INFINITY);
    EXPECT_EQ(Saying({"--capability=cap_net_admin,12"}).config().capability, capability_bit(12));
    EXPECT_EQ(Saying({"--capability=all"}).config().capability, ~CapabilityMask{0});
    EXPECT_EQ(Saying({"--capability=", "--drop-capability="}).config().capability, 0U);
    const SystemCallFilter filter =
        Saying({"--system-call-filter=bpf @clock", "--system-call-filter=~ @mount  ptrace", "--system-call-filter="})
            .config()
            .system_call_filter;
    EXPECT_THAT(filter.allow, ElementsAre("bpf", "@clock"));
    EXPECT_THAT(filter.deny, ElementsAre("@mount", "ptrace"));
}

TEST(OptionValues, EnvironmentValuesMayHoldAnything) {
    const Config config = Saying({"-E", "A=\x01\n\xff", "-E", "B="}).config();
    EXPECT_EQ(config.environment[0].value, "\x01\n\xff");
    EXPECT_EQ(config.environment[1].value, "");
}

} // namespace
} // namespace nspawn
