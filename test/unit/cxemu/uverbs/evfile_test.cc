/* SPDX-License-Identifier: BSD-2-Clause */
#include "cxemu/uverbs/evfile.h"

#include <cerrno>
#include <fcntl.h>
#include <gtest/gtest.h>
#include <unistd.h>

class Evfile : public ::testing::Test
{
  protected:
    void SetUp() override
    {
        ASSERT_EQ(cxemu_evfile_create(8, &file, &fd), 0);
        ASSERT_EQ(cxemu_evfile_hold(file, fd), file);
        ASSERT_EQ(fcntl(fd, F_SETFL, O_NONBLOCK), 0);
    }
    void TearDown() override
    {
        close(fd);
        cxemu_evfile_unhold(file);
        cxemu_evfile_put(file);
    }
    void post(uint64_t key)
    {
        cxemu_evfile_post(file, &key);
    }
    /* 0: nothing to read */
    uint64_t next()
    {
        uint64_t key = 0;
        return read(fd, &key, sizeof(key)) == sizeof(key) ? key : 0;
    }
    cxemu_evfile *file = nullptr;
    int fd = -1;
};

TEST_F(Evfile, GivesOneEventARead)
{
    uint64_t both[2];

    post(1);
    post(2);
    EXPECT_EQ(read(fd, both, sizeof(both)), 8);
    EXPECT_EQ(both[0], 1u);
    EXPECT_EQ(next(), 2u);
    EXPECT_EQ(next(), 0u);
    EXPECT_EQ(errno, EAGAIN);
}

TEST_F(Evfile, PurgesOneOwnersUnreadEventsInPlace)
{
    for (uint64_t key : {1, 2, 1, 3, 1})
        post(key);
    EXPECT_EQ(next(), 1u); /* read: counts as reported */
    EXPECT_EQ(cxemu_evfile_purge(file, 1), 2u);
    EXPECT_EQ(next(), 2u);
    EXPECT_EQ(next(), 3u);
    EXPECT_EQ(next(), 0u);
    EXPECT_EQ(cxemu_evfile_purge(file, 1), 0u);
}

/* Far more than a socket holds: none is lost, and the order is kept. */
TEST_F(Evfile, KeepsWhatTheSocketDoesNotHold)
{
    const uint64_t count = 50000;

    for (uint64_t key = 1; key <= count; key++)
        post(key);
    for (uint64_t key = 1; key <= count;) {
        uint64_t got = next();
        if (!got) {
            cxemu_evfile_flush(file);
            got = next();
        }
        ASSERT_EQ(got, key);
        key++;
    }
    EXPECT_EQ(next(), 0u);
}

/* The program's end is seen to go when no queue holds it, and not before. */
TEST_F(Evfile, IsAbandonedWhenTheProgramClosesIt)
{
    EXPECT_FALSE(cxemu_evfile_is_abandoned(file));
    cxemu_evfile_unhold(file);
    EXPECT_FALSE(cxemu_evfile_is_abandoned(file));
    ASSERT_EQ(cxemu_evfile_hold(file, fd), file);
    int copy = dup(fd);
    close(fd);
    EXPECT_FALSE(cxemu_evfile_is_abandoned(file));
    cxemu_evfile_unhold(file);
    EXPECT_FALSE(cxemu_evfile_is_abandoned(file)); /* the duplicate is open */
    close(copy);
    EXPECT_TRUE(cxemu_evfile_is_abandoned(file));
    cxemu_evfile_put(file);
    SetUp(); /* for TearDown */
}

TEST_F(Evfile, IsKnownByItsDuplicates)
{
    int copy = dup(fd);

    EXPECT_TRUE(cxemu_evfile_is(file, fd));
    EXPECT_TRUE(cxemu_evfile_is(file, copy));
    EXPECT_FALSE(cxemu_evfile_is(file, STDIN_FILENO));
    EXPECT_FALSE(cxemu_evfile_is(file, -1));
    close(copy);
}
