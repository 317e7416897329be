/* SPDX-License-Identifier: BSD-2-Clause */
#include "cxemu/uverbs/umem.h"

#include <cerrno>
#include <cstring>
#include <gtest/gtest.h>
#include <sys/mman.h>

class Umem : public ::testing::Test
{
  protected:
    /* Three pages: writable, read-only, and a hole. */
    void SetUp() override
    {
        void *p =
            mmap(nullptr, 3 * 4096, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
        ASSERT_NE(p, MAP_FAILED);
        at = reinterpret_cast<uint64_t>(p);
        ASSERT_EQ(mprotect(static_cast<char *>(p) + 4096, 4096, PROT_READ), 0);
        ASSERT_EQ(mprotect(static_cast<char *>(p) + 8192, 4096, PROT_NONE), 0);
    }
    void TearDown() override
    {
        munmap(reinterpret_cast<void *>(at), 3 * 4096);
    }
    uint64_t at = 0;
};

TEST_F(Umem, CopiesAndRefusesBadAddresses)
{
    uint32_t v = 0x11223344, w = 0;

    EXPECT_EQ(cxemu_umem_write(at + 4092, &v, 4), 0);
    EXPECT_EQ(cxemu_umem_read(&w, at + 4092, 4), 0);
    EXPECT_EQ(v, w);
    EXPECT_EQ(cxemu_umem_write(at + 4094, &v, 4), -EFAULT);
    EXPECT_EQ(cxemu_umem_read(&w, at + 8190, 4), -EFAULT);
    EXPECT_EQ(cxemu_umem_read(&w, 8, 4), -EFAULT);
    EXPECT_EQ(cxemu_umem_read(&w, UINT64_MAX - 1, 4), -EFAULT);
    EXPECT_EQ(cxemu_umem_write(0, &v, 0), 0);
    EXPECT_EQ(cxemu_umem_clear(at, 4096), 0);
    EXPECT_EQ(cxemu_umem_read(&w, at + 4092, 4), 0);
    EXPECT_EQ(w, 0u);
    EXPECT_EQ(cxemu_umem_clear(at, 4097), -EFAULT);
}

TEST_F(Umem, ChecksWholeRangesByTheirRights)
{
    EXPECT_EQ(cxemu_umem_check(at, 4096, true), 0);
    EXPECT_EQ(cxemu_umem_check(at, 4097, true), -EFAULT);
    EXPECT_EQ(cxemu_umem_check(at, 8192, false), 0); /* across two mappings */
    EXPECT_EQ(cxemu_umem_check(at + 100, 8192, false), -EFAULT);
    EXPECT_EQ(cxemu_umem_check(at, UINT64_MAX, false), -EFAULT);
    EXPECT_EQ(cxemu_umem_check(0, 1, false), -EFAULT);
    EXPECT_EQ(cxemu_umem_check(0, 0, true), 0);
}
