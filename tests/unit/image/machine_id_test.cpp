#include "base/error.hpp"
#include "image/machine_id.hpp"
#include "tree_fixture.hpp"

namespace nspawn {

namespace {

constexpr char kId[] = "0123456789abcdef0123456789abcdef";

class MachineId : public TreeFixture {
protected:
    [[nodiscard]] std::optional<Id128> read(std::string_view content) const {
        file("tree/etc/machine-id", content);
        return read_machine_id(tree());
    }
};

TEST_F(MachineId, IsReadWithAndWithoutANewline) {
    EXPECT_EQ(read(kId).value().plain(), kId);
    EXPECT_EQ(read("0123456789ABCDEF0123456789abcdef\n").value().plain(), kId);
}

TEST_F(MachineId, MissingEmptyOrUninitializedIsNone) {
    EXPECT_FALSE(read_machine_id(tree()));
    EXPECT_FALSE(read(""));
    EXPECT_FALSE(read("\n"));
    EXPECT_FALSE(read("uninitialized"));
    EXPECT_FALSE(read("uninitialized\n"));
}

TEST_F(MachineId, AnythingElseIsAnError) {
    for (const char* content : {"garbage", "00000000000000000000000000000000", "01234567-89ab-cdef-0123-456789abcdef",
                                "0123456789abcdef0123456789abcde", "0123456789abcdef0123456789abcdef\n\nx",
                                " 0123456789abcdef0123456789abcdef"}) {
        EXPECT_THROW((void)read(content), Error) << content;
    }
    EXPECT_THROW((void)read(std::string(100000, 'a')), Error);
}

TEST_F(MachineId, ALinkIsFollowedWithinTheTreeOnly) {
    file("id", std::string(kId) + "\n");
    link("tree/etc/machine-id", path("id"));
    EXPECT_FALSE(read_machine_id(tree())); // there is no such path in the tree
    file("tree/id", std::string(kId) + "\n");
    std::filesystem::remove(path("tree/etc/machine-id"));
    link("tree/etc/machine-id", "../../../id");
    EXPECT_TRUE(read_machine_id(tree()));
}

TEST_F(MachineId, AFifoOrALoopIsAnErrorAndNoHang) {
    fifo("tree/etc/machine-id");
    EXPECT_THROW(read_machine_id(tree()), Error);
    std::filesystem::remove(path("tree/etc/machine-id"));
    link("tree/etc/machine-id", "machine-id");
    EXPECT_THROW(read_machine_id(tree()), Error);
}

} // namespace

} // namespace nspawn
