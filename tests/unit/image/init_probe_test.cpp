#include "image/init_probe.hpp"
#include "tree_fixture.hpp"

#include <elf.h>

namespace nspawn {

namespace {

class InitProbe : public TreeFixture {
protected:
    void program(std::string_view name, unsigned char elf_class, uint16_t machine) const {
        Elf32_Ehdr header{};
        std::copy_n(ELFMAG, SELFMAG, reinterpret_cast<char*>(header.e_ident));
        header.e_ident[EI_CLASS] = elf_class;
        header.e_machine = machine;
        file(name, {reinterpret_cast<const char*>(&header), sizeof header});
    }
};

#if defined(__x86_64__)
TEST_F(InitProbe, TellsA32BitProgramOfThisFamily) {
    program("tree/sbin/init", ELFCLASS32, EM_386);
    program("tree/bin/native", ELFCLASS64, EM_X86_64);
    program("tree/bin/foreign", ELFCLASS32, EM_ARM);
    program("tree/bin/x32", ELFCLASS32, EM_X86_64);
    EXPECT_TRUE(is_32bit_program(tree(), "/sbin/init"));
    EXPECT_FALSE(is_32bit_program(tree(), "/bin/native"));
    EXPECT_FALSE(is_32bit_program(tree(), "/bin/foreign"));
    EXPECT_FALSE(is_32bit_program(tree(), "/bin/x32"));
}

TEST_F(InitProbe, FollowsLinksWithinTheTreeOnly) {
    program("outside", ELFCLASS32, EM_386);
    program("tree/usr/bin/real", ELFCLASS32, EM_386);
    link("tree/sbin/init", "/usr/bin/real");
    link("tree/sbin/out", "../../outside");
    EXPECT_TRUE(is_32bit_program(tree(), "/sbin/init"));
    EXPECT_FALSE(is_32bit_program(tree(), "/sbin/out"));
}
#endif

TEST_F(InitProbe, ScriptsShortFilesFifosAndDirectoriesAreNot) {
    file("tree/script", "#!/bin/sh\n");
    file("tree/short", ELFMAG);
    fifo("tree/fifo");
    directory("tree/directory");
    for (const char* name : {"/script", "/short", "/fifo", "/directory", "/missing"}) {
        EXPECT_FALSE(is_32bit_program(tree(), name)) << name;
    }
}

TEST_F(InitProbe, FindsTheInitInTheDocumentedOrder) {
    EXPECT_EQ(find_init(tree()), nullptr);
    file("tree/sbin/init", "");
    EXPECT_STREQ(find_init(tree()), "/sbin/init");
    file("tree/lib/systemd/systemd", "");
    EXPECT_STREQ(find_init(tree()), "/lib/systemd/systemd");
    file("tree/usr/lib/systemd/systemd", "");
    EXPECT_STREQ(find_init(tree()), "/usr/lib/systemd/systemd");
}

TEST_F(InitProbe, ReadsTheSystemdVersionFromItsLibrary) {
    EXPECT_FALSE(find_systemd_version(tree()));
    file("tree/usr/lib/systemd/libsystemd-shared-229.so", "");
    file("tree/usr/lib/systemd/libsystemd-shared-x.so", "");
    file("tree/usr/lib/systemd/libsystemd-shared-99999.so", "");
    file("tree/usr/lib/systemd/libsystemd-shared-252.5-2.so", "");
    EXPECT_EQ(find_systemd_version(tree()), 252U);
}

TEST_F(InitProbe, LooksInTheMultiarchDirectoriesToo) {
    file("tree/usr/lib/x86_64-linux-gnu/systemd/libsystemd-shared-252.so", "");
    EXPECT_EQ(find_systemd_version(tree()), 252U);
}

} // namespace

} // namespace nspawn
