/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Requests that no libcxemu would send, to the sockets of an instance. Whoever may open a device
 * can send them; the process that holds the NICs must live on, keep nothing, and serve the others.
 */
#include "shared.h"

#include "cxemu/daemon/protocol.h"

#include <cerrno>
#include <fcntl.h>
#include <random>
#include <sys/un.h>

namespace verbs
{
namespace
{

constexpr int messages = 10000;

/* A connection as of a program, by hand. */
int connect_to(const char *name)
{
    sockaddr_un addr = {};
    addr.sun_family = AF_UNIX;
    snprintf(addr.sun_path, sizeof(addr.sun_path), "%s/%s", getenv("CXEMU_INSTANCE"), name);
    int type = strcmp(name, "status") == 0 || strcmp(name, "control.sock") == 0 ? SOCK_STREAM
                                                                                : SOCK_SEQPACKET;
    int fd = socket(AF_UNIX, type | SOCK_CLOEXEC, 0);
    if (connect(fd, reinterpret_cast<sockaddr *>(&addr), sizeof(addr)) == 0)
        return fd;
    close(fd);
    return -1;
}

bool send_with(int fd, const void *bytes, size_t len, const std::vector<int> &fds)
{
    std::vector<char> control(CMSG_SPACE(fds.size() * sizeof(int)), 0);
    iovec iov = {const_cast<void *>(bytes), len};
    msghdr hdr = {};
    hdr.msg_iov = &iov;
    hdr.msg_iovlen = 1;
    if (!fds.empty()) {
        hdr.msg_control = control.data();
        hdr.msg_controllen = control.size();
        cmsghdr *cm = CMSG_FIRSTHDR(&hdr);
        cm->cmsg_level = SOL_SOCKET;
        cm->cmsg_type = SCM_RIGHTS;
        cm->cmsg_len = CMSG_LEN(fds.size() * sizeof(int));
        memcpy(CMSG_DATA(cm), fds.data(), fds.size() * sizeof(int));
    }
    return sendmsg(fd, &hdr, MSG_NOSIGNAL) == static_cast<ssize_t>(len);
}

class Garbage : public Shared
{
  protected:
    void SetUp() override
    {
        Shared::SetUp();
        if (IsSkipped())
            return;
        /* Somebody whose memory does not matter: what is written there is part of the game. */
        victim = std::make_unique<Program>([](Program &p) {
            p.say();
            for (;;)
                pause();
            return 0;
        });
        ASSERT_TRUE(victim->hear());
        const std::string proc = "/proc/" + std::to_string(victim->pid) + "/";
        mem = open((proc + "mem").c_str(), O_RDWR | O_CLOEXEC);
        maps = open((proc + "maps").c_str(), O_RDONLY | O_CLOEXEC);
        null = open("/dev/null", O_RDWR | O_CLOEXEC);
        ASSERT_EQ(pipe2(tube, O_CLOEXEC), 0);
        ASSERT_EQ(socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, back), 0);
        ASSERT_GE(mem, 0);
    }
    void TearDown() override
    {
        for (int fd : {mem, maps, null, tube[0], tube[1], back[0], back[1]})
            if (fd >= 0)
                close(fd);
        Shared::TearDown();
    }
    uint64_t draw(uint64_t below)
    {
        return generator() % below;
    }
    /* Mostly right, so that it gets far. */
    cxemu_request request()
    {
        cxemu_request r = {};
        r.magic = draw(20) ? CXEMU_REQUEST_MAGIC : static_cast<uint32_t>(generator());
        r.op = static_cast<uint32_t>(draw(20) ? draw(6) : generator());
        r.token[0] = draw(3);
        for (uint64_t &arg : r.arg)
            arg = draw(3) ? draw(1 << 16) : generator();
        if (r.op == CXEMU_REQUEST_IOCTL && draw(2)) {
            r.arg[0] = 0xc0181b01; /* RDMA_VERBS_IOCTL */
            r.arg[1] = reinterpret_cast<uintptr_t>(&generator) & ~7ull;
        }
        r.tid = static_cast<int32_t>(generator());
        r.has_memory = static_cast<uint32_t>(draw(10) ? draw(2) : generator());
        r.fd_count = static_cast<uint32_t>(draw(10) ? draw(5) : generator());
        for (int &fd : r.fds)
            fd = static_cast<int>(draw(2) ? draw(16) : generator());
        return r;
    }
    std::vector<int> rights(const cxemu_request &r)
    {
        const std::vector<int> all = {mem, maps, null, tube[0], tube[1], back[1]};
        std::vector<int> fds = {back[1]};
        if (r.has_memory) {
            fds.push_back(draw(8) ? mem : all[draw(all.size())]);
            fds.push_back(draw(8) ? maps : all[draw(all.size())]);
        }
        for (unsigned i = 0; i < r.fd_count % 5; i++)
            fds.push_back(all[draw(all.size())]);
        if (!draw(5))
            fds.resize(draw(12), null); /* too few, or too many */
        return fds;
    }
    /* Answers that nobody wants, with what comes along. */
    void drop_answers()
    {
        char bytes[512], control[256];
        iovec iov = {bytes, sizeof(bytes)};
        for (;;) {
            msghdr hdr = {};
            hdr.msg_iov = &iov;
            hdr.msg_iovlen = 1;
            hdr.msg_control = control;
            hdr.msg_controllen = sizeof(control);
            if (recvmsg(back[0], &hdr, MSG_DONTWAIT | MSG_CMSG_CLOEXEC) <= 0)
                return;
            for (cmsghdr *c = CMSG_FIRSTHDR(&hdr); c; c = CMSG_NXTHDR(&hdr, c))
                for (size_t i = 0; i < (c->cmsg_len - CMSG_LEN(0)) / sizeof(int); i++) {
                    int fd;
                    memcpy(&fd, CMSG_DATA(c) + i * sizeof(int), sizeof(fd));
                    close(fd);
                }
        }
    }
    std::mt19937_64 generator{1};
    std::unique_ptr<Program> victim;
    int mem = -1, maps = -1, null = -1, tube[2] = {-1, -1}, back[2] = {-1, -1};
};

TEST_F(Garbage, IsRefusedAndOthersAreServed)
{
    a.open("mlx5_0");
    b.open("mlx5_1");
    Rule mine;
    ASSERT_NE(b.add(mine.eth(mac_b)), nullptr);
    int fd = -1;
    for (int i = 0; i < messages; i++) {
        if (fd < 0)
            fd = connect_to(draw(2) ? "dev/infiniband/uverbs0" : "dev/infiniband/uverbs1");
        ASSERT_GE(fd, 0) << "message " << i << ": " << strerror(errno);
        cxemu_request r = request();
        size_t len = sizeof(r);
        uint8_t bytes[sizeof(r) * 2];
        for (uint8_t &byte : bytes)
            byte = static_cast<uint8_t>(generator());
        memcpy(bytes, &r, draw(10) ? sizeof(r) : draw(sizeof(r)));
        if (!draw(10))
            len = draw(sizeof(bytes) + 1);
        if (!send_with(fd, bytes, len, rights(r)) || !draw(200)) {
            close(fd);
            fd = -1;
        }
        drop_answers();
        if (i % 1000 == 0) {
            ASSERT_TRUE(crosses(1)) << i;
        }
    }
    if (fd >= 0)
        close(fd);
    EXPECT_TRUE(crosses(1));
}

TEST_F(Garbage, ToTheOtherSocketsToo)
{
    for (int i = 0; i < 30; i++) {
        int fd = connect_to(i % 2 ? "status" : "control.sock");
        ASSERT_GE(fd, 0) << i << strerror(errno);
        uint8_t bytes[4096];
        for (uint8_t &byte : bytes)
            byte = static_cast<uint8_t>(generator());
        (void)send_with(fd, bytes, 1 + draw(sizeof(bytes)), {null, mem});
        close(fd); /* without an ear for the answer */
    }
    b.open("mlx5_1");
    a.open("mlx5_0");
    Rule mine;
    ASSERT_NE(b.add(mine.eth(mac_b)), nullptr);
    EXPECT_TRUE(crosses(1));
}

} // namespace
} // namespace verbs
