#include "linux/personality.hpp"

#include <gtest/gtest.h>

#include <array>
#include <fstream>
#include <string>

#include <elf.h>
#include <sys/personality.h>
#include <sys/utsname.h>
#include <sys/wait.h>
#include <unistd.h>

namespace nspawn {
namespace {

std::string elf_header(unsigned char elf_class, unsigned char byte_order, uint16_t machine) {
    std::string header(kElfHeaderBytes, '\0');
    header.replace(0, SELFMAG, ELFMAG);
    header[EI_CLASS] = static_cast<char>(elf_class);
    header[EI_DATA] = static_cast<char>(byte_order);
    header.replace(offsetof(Elf32_Ehdr, e_machine), sizeof machine, reinterpret_cast<const char*>(&machine),
                   sizeof machine);
    return header;
}

TEST(Personality, NativeOneIsThePlainDomain) {
    ASSERT_FALSE(personalities().empty());
    EXPECT_EQ(personalities().front().value, static_cast<unsigned long>(PER_LINUX));
    for (const Personality& personality : personalities()) {
        EXPECT_EQ(find_personality(personality.name)->value, personality.value);
        EXPECT_NE(personality_list().find(personality.name), std::string::npos);
    }
    for (const char* name : {"", "native", "X86", "x32", "vax", "x86_64"}) {
        EXPECT_FALSE(find_personality(name)) << name;
    }
}

TEST(Elf32, OwnProgramIsNativeAndJunkIsNothing) {
    std::ifstream self("/proc/self/exe", std::ios::binary);
    std::string header(kElfHeaderBytes, '\0');
    self.read(header.data(), static_cast<std::streamsize>(header.size()));
    EXPECT_FALSE(is_elf32_of_this_family(header));
    EXPECT_FALSE(is_elf32_of_this_family(""));
    EXPECT_FALSE(is_elf32_of_this_family("#!/bin/sh\n# a script"));
    EXPECT_FALSE(is_elf32_of_this_family(std::string(kElfHeaderBytes, '\xff')));
}

#ifdef __x86_64__
TEST(Elf32, OnX86OnlyI386CountsNotX32OrAnotherFamily) {
    const std::string i386 = elf_header(ELFCLASS32, ELFDATA2LSB, EM_386);
    EXPECT_TRUE(is_elf32_of_this_family(i386));
    EXPECT_FALSE(is_elf32_of_this_family(std::string_view(i386).substr(0, kElfHeaderBytes - 1)));
    EXPECT_FALSE(is_elf32_of_this_family(elf_header(ELFCLASS32, ELFDATA2LSB, EM_X86_64))); // x32
    EXPECT_FALSE(is_elf32_of_this_family(elf_header(ELFCLASS64, ELFDATA2LSB, EM_386)));
    EXPECT_FALSE(is_elf32_of_this_family(elf_header(ELFCLASS32, ELFDATA2MSB, EM_386)));
    EXPECT_FALSE(is_elf32_of_this_family(elf_header(ELFCLASS32, ELFDATA2LSB, EM_ARM)));
    EXPECT_EQ(personality_of_elf32()->name, "x86");
}

TEST(SetPersonality, ChangesWhatUnameSaysAndKeepsFlags) {
    constexpr unsigned long kNoRandomize = ADDR_NO_RANDOMIZE;
    const pid_t pid = fork();
    if (pid == 0) {
        personality(kNoRandomize);
        if (!set_personality(find_personality("x86")->value).ok()) {
            _exit(1);
        }
        utsname name{};
        uname(&name);
        const int now = personality(0xffffffff);
        _exit(std::string_view(name.machine) == "i686" &&
                      static_cast<unsigned long>(now) == (kNoRandomize | PER_LINUX32)
                  ? 0
                  : 2);
    }
    int status = 0;
    EXPECT_EQ(waitpid(pid, &status, 0), pid);
    EXPECT_EQ(status, 0);
}
#endif

} // namespace
} // namespace nspawn
