// SPDX-License-Identifier: BSD-2-Clause
// The switch in shared memory: several ports in one process and in several, learning,
// back-pressure, ports whose process was killed or stopped, and garbage in the memory.
#include "../core/rig.h"

extern "C" {
#include "cxemu/wires/shm_segment.h"
#include "cxemu/wires/wire_shm.h"
}

#include <csignal>
#include <fcntl.h>
#include <poll.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

using namespace rig;

namespace
{

struct Shm : testing::Test {
    void SetUp() override
    {
        if (access("/dev/shm", W_OK) != 0)
            GTEST_SKIP() << "/dev/shm may not be written: " << strerror(errno);
        name = "test" + std::to_string(getpid());
        clock.now_ns = [](void *cookie) { return *static_cast<uint64_t *>(cookie); };
        clock.cookie = &now;
    }
    void TearDown() override
    {
        for (cxemu_wire *w : wires)
            w->ops->destroy(w);
        EXPECT_NE(access(path().c_str(), F_OK), 0) << "the last one out removes it";
    }
    std::string path() const
    {
        return "/dev/shm/cxemu." + name;
    }
    int join(cxemu_wire **out, unsigned ports = 0)
    {
        cxemu_wire_shm_attr attr = {};
        attr.name = name.c_str();
        attr.ports = ports;
        attr.clock = clock;
        return cxemu_wire_shm_create(&attr, out);
    }
    cxemu_wire *port()
    {
        cxemu_wire *w = nullptr;
        EXPECT_EQ(join(&w), 0);
        if (w) {
            w->ops->end_set(w, true);
            wires.push_back(w);
        }
        return w;
    }
    static Bytes frame(uint8_t to, uint8_t from, uint32_t id, uint32_t len = 64)
    {
        Bytes b(len, uint8_t(id));
        rs_mac dst = mac_of(to), src = mac_of(from);
        std::memcpy(&b[0], dst.bytes, 6);
        std::memcpy(&b[6], src.bytes, 6);
        if (to == 0xff)
            std::memset(&b[0], 0xff, 6);
        std::memcpy(&b[16], &id, 4);
        return b;
    }
    static bool put(cxemu_wire *w, const Bytes &b)
    {
        uint8_t *slot = w->ops->tx_slot(w, uint32_t(b.size()));
        if (!slot)
            return false;
        std::memcpy(slot, b.data(), b.size());
        w->ops->tx_commit(w, uint32_t(b.size()));
        return true;
    }
    static bool send(cxemu_wire *w, const Bytes &b)
    {
        bool done = put(w, b);
        w->ops->tx_flush(w);
        return done;
    }
    static std::vector<uint32_t> take(cxemu_wire *w, int max = 32)
    {
        cxemu_frame f[64];
        std::vector<uint32_t> v;
        int n = w->ops->rx(w, f, max);
        for (int i = 0; i < n; i++) {
            uint32_t id;
            std::memcpy(&id, f[i].data + 16, 4);
            EXPECT_EQ(f[i].data[f[i].len - 1], uint8_t(id));
            v.push_back(id);
        }
        w->ops->rx_release(w);
        return v;
    }
    using Ids = std::vector<uint32_t>;
    std::string name;
    uint64_t now = 1;
    cxemu_clock clock = {};
    std::vector<cxemu_wire *> wires;
};

TEST_F(Shm, FloodsTheUnknownAndLearns)
{
    cxemu_wire *a = port(), *b = port(), *c = port();
    ASSERT_TRUE(send(a, frame(2, 1, 10)));
    EXPECT_EQ(take(b), Ids{10});
    EXPECT_EQ(take(c), Ids{10}) << "nobody knows where 2 is";
    ASSERT_TRUE(send(b, frame(1, 2, 11)));
    EXPECT_EQ(take(a), Ids{11});
    EXPECT_EQ(take(c), Ids{}) << "1 was heard from a";
    ASSERT_TRUE(send(a, frame(2, 1, 12)));
    EXPECT_EQ(take(b), Ids{12});
    EXPECT_EQ(take(c), Ids{});
    ASSERT_TRUE(send(a, frame(0xff, 1, 13)));
    EXPECT_EQ(take(b), Ids{13});
    EXPECT_EQ(take(c), Ids{13});
    EXPECT_EQ(take(a), Ids{}) << "never back";
    /* 2 moves to c */
    ASSERT_TRUE(send(c, frame(1, 2, 14)));
    ASSERT_TRUE(send(a, frame(2, 1, 15)));
    EXPECT_EQ(take(c), Ids{15});
    EXPECT_EQ(take(b), Ids{});
    /* to oneself */
    ASSERT_TRUE(send(a, frame(1, 1, 16)));
    EXPECT_EQ(take(b), Ids{});
}

TEST_F(Shm, NobodyThereIsCounted)
{
    cxemu_wire *a = port();
    ASSERT_TRUE(send(a, frame(2, 1, 1)));
    EXPECT_EQ(a->ops->stat(a, CXEMU_WIRE_UNHEARD), 1u);
    EXPECT_TRUE(a->ops->carrier(a));
    a->ops->end_set(a, false);
    EXPECT_FALSE(a->ops->carrier(a));
}

TEST_F(Shm, SixteenPortsEachToEach)
{
    std::vector<cxemu_wire *> p;
    for (int i = 0; i < 16; i++)
        p.push_back(port());
    cxemu_wire *extra;
    EXPECT_EQ(join(&extra), -ENOSPC);
    for (uint8_t i = 0; i < 16; i++)
        ASSERT_TRUE(send(p[i], frame(0xff, i, 1000u + i)));
    for (auto w : p)
        EXPECT_EQ(take(w).size(), 15u);
    for (uint8_t i = 0; i < 16; i++)
        for (uint8_t j = 0; j < 16; j++)
            if (i != j) {
                ASSERT_TRUE(send(p[i], frame(j, i, i * 16u + j)));
            }
    for (uint8_t j = 0; j < 16; j++) {
        auto got = take(p[j]);
        EXPECT_EQ(got.size(), 15u);
        for (uint32_t id : got)
            EXPECT_EQ(id % 16, j);
    }
}

TEST_F(Shm, KeepsOrderAndContentOfAllLengthsAndPushesBack)
{
    cxemu_wire *a = port(), *b = port();
    uint32_t sent = 0, got = 0, refused = 0;
    ASSERT_TRUE(send(b, frame(9, 2, 0)));
    take(a);
    while (got < 20000) {
        while (sent < 20000) {
            if (!put(a, frame(2, 1, sent, 60 + sent * 7919 % 8900))) {
                refused++;
                break;
            }
            sent++;
        }
        a->ops->tx_flush(a);
        for (uint32_t id : take(b, int(got % 40 + 1)))
            ASSERT_EQ(id, got++);
    }
    EXPECT_GT(refused, 10u);
    EXPECT_EQ(a->ops->stat(a, CXEMU_WIRE_PEER_STUCK), 0u);
}

TEST_F(Shm, APortThatStandsStillIsPassedByAndComesBack)
{
    cxemu_wire *a = port(), *b = port(), *c = port();
    uint32_t sent = 0;
    while (put(a, frame(0xff, 1, sent, 1500)))
        sent++;
    a->ops->tx_flush(a);
    EXPECT_LT(a->ops->due_ns(a), now + 1000000);
    size_t at_c = 0;
    for (size_t n; (n = take(c).size()) > 0;)
        at_c += n;
    EXPECT_EQ(at_c + 1, sent) << "the last one waits in the sender";
    EXPECT_FALSE(send(a, frame(0xff, 1, sent, 1500))) << "b holds it up";
    now += 400000000;
    EXPECT_FALSE(send(a, frame(0xff, 1, sent, 1500)));
    now += 200000000;
    for (int i = 0; i < 10; i++) {
        EXPECT_TRUE(send(a, frame(0xff, 1, sent + uint32_t(i), 1500)));
    }
    EXPECT_GE(a->ops->stat(a, CXEMU_WIRE_PEER_STUCK), 10u);
    EXPECT_GE(take(c).size(), 10u);
    while (!take(b).empty()) {
    }
    EXPECT_TRUE(send(a, frame(0xff, 1, 5000)));
    EXPECT_EQ(take(b), Ids{5000}) << "as soon as it looks again";
}

/* A child that joins, says what it has to, and lives until it is killed. */
template <typename F> pid_t child(F body)
{
    pid_t pid = fork();
    if (pid == 0) {
        body();
        for (;;)
            pause();
    }
    return pid;
}

template <typename F> bool eventually(F f)
{
    for (int i = 0; i < 5000; i++) {
        if (f())
            return true;
        usleep(1000);
    }
    return false;
}

TEST_F(Shm, AKilledProcessBlocksNobodyAndItsPortIsGivenAgain)
{
    clock = {}; /* others have no part in our time */
    cxemu_wire *a = port(), *b = port();
    pid_t pid = child([&] {
        cxemu_wire *w;
        if (join(&w) == 0) {
            w->ops->end_set(w, true);
            send(w, frame(0xff, 3, 77));
        }
    });
    ASSERT_TRUE(eventually([&] { return take(a) == Ids{77}; }));
    EXPECT_EQ(take(b), Ids{77});
    for (uint32_t i = 0; send(a, frame(3, 1, i, 1500)); i++) { /* until its ring is full */
    }
    kill(pid, SIGKILL);
    waitpid(pid, nullptr, 0);
    ASSERT_TRUE(eventually([&] { return put(a, frame(2, 1, 1)); }));
    a->ops->tx_flush(a);
    EXPECT_EQ(take(b), Ids{1});
    /* Its place is free, what was for it is gone, and its address is forgotten. */
    cxemu_wire *c = port();
    EXPECT_EQ(take(c), Ids{});
    ASSERT_TRUE(send(a, frame(3, 1, 2)));
    EXPECT_EQ(take(b), Ids{2});
    EXPECT_EQ(take(c), Ids{2});
    for (uint32_t i = 0; i < 5000; i++) {
        ASSERT_TRUE(send(a, frame(0xff, 1, i)));
        ASSERT_EQ(take(b), Ids{i});
        ASSERT_EQ(take(c), Ids{i});
    }
}

TEST_F(Shm, EightProcessesTalkWhileOneIsKilledAgainAndAgain)
{
    clock = {};
    cxemu_wire *a = port();
    auto echo = [&](uint8_t me) {
        cxemu_wire *w;
        if (join(&w) < 0)
            _exit(1);
        w->ops->end_set(w, true);
        for (;;) {
            cxemu_frame f[32];
            int n = w->ops->rx(w, f, 32);
            for (int i = 0; i < n; i++) {
                Bytes b(f[i].data, f[i].data + f[i].len);
                rs_mac src = mac_of(me);
                if (b[5] != me)
                    continue;
                std::memcpy(&b[0], &b[6], 6);
                std::memcpy(&b[6], src.bytes, 6);
                while (!send(w, b))
                    usleep(100);
            }
            w->ops->rx_release(w);
            if (n == 0) {
                pollfd p = {w->ops->poll_fd(w), POLLIN, 0};
                poll(&p, 1, 1000);
            }
        }
    };
    std::vector<pid_t> pids;
    for (uint8_t i = 1; i <= 7; i++)
        pids.push_back(child([&] { echo(i); }));
    uint32_t id = 0;
    auto ping = [&](uint8_t to) {
        id++;
        return eventually([&] {
            send(a, frame(to, 100, id));
            for (int i = 0; i < 20; i++) {
                for (uint32_t got : take(a))
                    if (got == id)
                        return true;
                usleep(500);
            }
            return false;
        });
    };
    for (int round = 0; round < 5; round++) {
        for (uint8_t i = 1; i <= 7; i++)
            ASSERT_TRUE(ping(i)) << "round " << round << " port " << int(i);
        kill(pids[0], SIGKILL);
        waitpid(pids[0], nullptr, 0);
        for (uint8_t i = 2; i <= 7; i++)
            ASSERT_TRUE(ping(i)) << "after the kill";
        pids[0] = child([&] { echo(1); });
    }
    for (pid_t pid : pids) {
        kill(pid, SIGKILL);
        waitpid(pid, nullptr, 0);
    }
    for (unsigned i = 0; i < 16; i++)
        unlink((path() + "." + std::to_string(i)).c_str());
}

TEST_F(Shm, ASleeperIsWokenAndNotWithoutCause)
{
    cxemu_wire *a = port(), *b = port();
    pollfd p = {b->ops->poll_fd(b), POLLIN, 0};
    EXPECT_EQ(poll(&p, 1, 0), 0);
    ASSERT_TRUE(send(a, frame(0xff, 1, 1)));
    EXPECT_EQ(poll(&p, 1, 0), 1);
    EXPECT_EQ(take(b), Ids{1});
    EXPECT_EQ(poll(&p, 1, 0), 0);
    ASSERT_TRUE(send(a, frame(0xff, 1, 2)));
    EXPECT_EQ(poll(&p, 1, 0), 0) << "it did not say that it sleeps";
    p.fd = b->ops->poll_fd(b);
    EXPECT_EQ(poll(&p, 1, 0), 1) << "something is there already";
    EXPECT_EQ(take(b), Ids{2});
}

TEST_F(Shm, AForkedChildThatEndsTakesNothingWithIt)
{
    cxemu_wire *a = port(), *b = port();
    pid_t pid = fork();
    if (pid == 0) {
        a->ops->destroy(a); /* as an exit handler would */
        _exit(0);
    }
    waitpid(pid, nullptr, 0);
    ASSERT_TRUE(send(a, frame(0xff, 1, 1)));
    EXPECT_EQ(take(b), Ids{1});
    cxemu_wire *c = port();
    ASSERT_TRUE(send(c, frame(0xff, 3, 2)));
    EXPECT_EQ(take(a), Ids{2});
}

TEST_F(Shm, IsPrivateUnlessAskedAndRefusesWhatIsNotASwitch)
{
    struct stat st;
    port();
    ASSERT_EQ(stat(path().c_str(), &st), 0);
    EXPECT_EQ(st.st_mode & 0777, 0600u);
    std::string other = name + "x", file = "/dev/shm/cxemu." + other;
    int fd = open(file.c_str(), O_CREAT | O_RDWR, 0600);
    ASSERT_EQ(ftruncate(fd, 1 << 20), 0);
    struct flock lock = {};
    lock.l_type = F_WRLCK;
    lock.l_len = 1;
    ASSERT_EQ(fcntl(fd, F_OFD_SETLK, &lock), 0) << "someone is on it";
    cxemu_wire_shm_attr attr = {};
    attr.name = other.c_str();
    cxemu_wire *w;
    EXPECT_EQ(cxemu_wire_shm_create(&attr, &w), -EINVAL);
    close(fd);
    ASSERT_EQ(cxemu_wire_shm_create(&attr, &w), 0) << "nobody is on it: it is made anew";
    w->ops->destroy(w);
    EXPECT_NE(access(file.c_str(), F_OK), 0);
    unlink(file.c_str());
}

TEST_F(Shm, GarbageInTheMemoryIsCountedNotFollowed)
{
    cxemu_wire *a = port(), *b = port();
    ASSERT_TRUE(send(a, frame(0xff, 1, 1)));
    EXPECT_EQ(take(b), Ids{1});
    int fd = open(path().c_str(), O_RDWR);
    struct stat st;
    ASSERT_EQ(fstat(fd, &st), 0);
    auto *base = static_cast<uint8_t *>(
        mmap(nullptr, size_t(st.st_size), PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0));
    size_t rings = (sizeof(cxemu_shm_header) + 4095) & ~size_t(4095);
    auto *ring = reinterpret_cast<cxemu_shm_ring *>(base + rings) + 1; /* from 0 to 1 */
    uint64_t state = 1;
    volatile unsigned touched = 0;
    for (int i = 0; i < 2000; i++) {
        state = state * 6364136223846793005u + 1442695040888963407u;
        ring->tail += uint32_t(state >> 40);
        if (i % 3 == 0)
            ring->head = uint32_t(state >> 16);
        cxemu_frame f[8];
        int n = b->ops->rx(b, f, 8);
        for (int j = 0; j < n; j++) {
            ASSERT_LE(f[j].len, uint32_t(CXEMU_FRAME_MAX));
            touched = touched + f[j].data[f[j].len - 1];
        }
        b->ops->rx_release(b);
        put(a, frame(0xff, 1, uint32_t(i), 60 + uint32_t(i)));
        now += 1000000000;
        a->ops->tx_flush(a);
    }
    EXPECT_GT(b->ops->stat(b, CXEMU_WIRE_RX_INVALID), 10u);
    munmap(base, size_t(st.st_size));
    close(fd);
}

} // namespace
