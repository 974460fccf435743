#include "base/error.hpp"
#include "image/disk_layout.hpp"

#include <gtest/gtest.h>

namespace nspawn {
namespace {

DiskLayout example() {
    DiskLayout layout;
    layout.table = PartitionTable::gpt;
    layout.size = uint64_t{1} << 40;
    layout.whole.size = layout.size;
    DiskPartition part;
    part.number = 3;
    part.offset = 1048576;
    part.size = uint64_t{1} << 39;
    part.type = "4f68bce3-e8cd-4db1-96e7-fbcaf984b709";
    part.uuid = "0cdf4350-8483-5e4b-ae0b-7e1e8fbad4d4";
    part.flags = kPartitionReadOnly | kPartitionNoAuto;
    part.content = "crypto_LUKS";
    part.label = "a label\nwith \xff bytes";
    part.root_hash = "00ff";
    part.signature = "ab+/==";
    layout.partitions = {part, {}};
    layout.partitions[1].ambiguous = true;
    return layout;
}

TEST(DiskLayout, TextIsReadBackAsTheSame) {
    const DiskLayout layout = example();
    const DiskLayout read = parse_layout(layout_as_text(layout));
    EXPECT_EQ(layout_as_text(read), layout_as_text(layout));
    ASSERT_EQ(read.partitions.size(), 2);
    EXPECT_EQ(read.partitions[0].label, layout.partitions[0].label);
    EXPECT_EQ(read.partitions[0].flags, layout.partitions[0].flags);
    EXPECT_EQ(read.partitions[0].content, "crypto_LUKS");
    EXPECT_TRUE(read.partitions[1].ambiguous);
    EXPECT_EQ(read.partitions[1].label, "");
}

TEST(DiskLayout, AnErrorIsThrownAsOneLine) {
    try {
        parse_layout(layout_error_as_text("it is\nbroken"));
        FAIL() << "no error";
    } catch (const Error& error) {
        EXPECT_EQ(error.message(), "it is\\x0abroken");
    }
}

TEST(DiskLayout, NothingIsTakenForGranted) {
    const std::string good = layout_as_text(example());
    const std::string bad[] = {
        "",
        "end",
        "table gpt x\nend\n",
        "table ufs 1\nend\n",
        good.substr(0, good.size() - 4),                                 // no end
        good + "end\n",                                                  // something after it
        "table none 1\nwhole 0 0 1 - - 0 - plain - -\nend\n",            // a field less
        "table none 1\nwhole 0 0 1 - - 0 ../etc/x. plain - - -\nend\n",  // no word
        "table none 1\nwhole 0 -1 1 - - 0 - plain - - -\nend\n",         // no number
        "table none 1\nwhole 4294967296 0 1 - - 0 - plain - - -\nend\n", // too large a number
        "table none 1\nwhole 0 0 1 - - 0 - plain abc - -\nend\n",        // half a byte
        "table none 1\nwhole 0 0 1 - - 0 - plain zz - -\nend\n",         // no byte
        "table none 1\nwhole 0 0 1 - - 0 " + std::string(20000, 'a') + " plain - - -\nend\n",
    };
    for (const std::string& text : bad) {
        if (text == "end") {
            continue; // an image without anything: the selection refuses it
        }
        EXPECT_THROW(parse_layout(text), Error) << text.substr(0, 100);
    }
}

TEST(DiskLayout, NoMoreThanSoManyPartitions) {
    DiskLayout layout;
    layout.partitions.resize(kMostPartitions);
    EXPECT_EQ(parse_layout(layout_as_text(layout)).partitions.size(), kMostPartitions);
    layout.partitions.resize(kMostPartitions + 1);
    EXPECT_THROW(parse_layout(layout_as_text(layout)), Error);
}

} // namespace
} // namespace nspawn
