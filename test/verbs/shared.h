/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * What the tests of shared NICs stand on: programs in processes of their own, and two ports. They
 * run under `cxemu run --nic NAME` (shared.sh): mlx5_0 and mlx5_1 are joined in memory and live in
 * another process.
 */
#ifndef TEST_VERBS_SHARED_H
#define TEST_VERBS_SHARED_H

#include "fixture.h"

#include <csignal>
#include <cstdlib>
#include <cstring>
#include <functional>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

namespace verbs
{

const uint8_t mac_a[6] = {2, 0, 0, 0, 0, 0xa}, mac_b[6] = {2, 0, 0, 0, 0, 0xb};

/* The device thread is elsewhere: waiting takes time, at most seconds. */
inline std::vector<ibv_wc> wait_for(ibv_cq *cq, size_t want, int tries = 5000)
{
    std::vector<ibv_wc> all;
    for (int i = 0; i < tries && all.size() < want; i++) {
        ibv_wc wc;
        if (ibv_poll_cq(cq, 1, &wc) > 0)
            all.push_back(wc);
        else
            usleep(1000);
    }
    return all;
}

/* A program in a process of its own, which says by a byte that it is ready. */
class Program
{
  public:
    explicit Program(const std::function<int(Program &)> &body)
    {
        int pair[2];
        EXPECT_EQ(socketpair(AF_UNIX, SOCK_SEQPACKET, 0, pair), 0);
        fd = pair[0];
        pid = fork();
        if (pid == 0) {
            ::close(pair[0]);
            fd = pair[1];
            _exit(body(*this));
        }
        ::close(pair[1]);
    }
    ~Program()
    {
        if (pid > 0)
            kill_now();
        ::close(fd);
    }
    Program(const Program &) = delete;
    void say() const
    {
        (void)!::send(fd, "x", 1, MSG_NOSIGNAL);
    }
    bool hear() const
    {
        char c;
        return recv(fd, &c, 1, 0) == 1;
    }
    template <typename T> void tell(const T &value) const
    {
        (void)!::send(fd, &value, sizeof(value), MSG_NOSIGNAL);
    }
    template <typename T> bool learn(T *value) const
    {
        return recv(fd, value, sizeof(*value), 0) == static_cast<ssize_t>(sizeof(*value));
    }
    /* A descriptor, by SCM_RIGHTS. */
    bool give(int what) const;
    int take() const;
    void kill_now()
    {
        kill(pid, SIGKILL);
        waitpid(pid, nullptr, 0);
        pid = -1;
    }
    int status()
    {
        int status = -1;
        waitpid(pid, &status, 0);
        pid = -1;
        return WIFEXITED(status) ? WEXITSTATUS(status) : 128;
    }
    pid_t pid;
    int fd;
};

class Shared : public ::testing::Test
{
  protected:
    void SetUp() override
    {
        if (!getenv("CXEMU_INSTANCE"))
            GTEST_SKIP() << "runs under `cxemu run --nic NAME`: shared.sh";
        if (!may_use_raw())
            GTEST_SKIP() << "RAW_PACKET queue pairs need CAP_NET_RAW: run as root";
    }
    void TearDown() override
    {
        for (Port *port : {&a, &b})
            port->close();
    }
    /* One frame from a to b. */
    bool crosses(uint16_t port, const uint8_t *dst = mac_b)
    {
        b.post_recv(0, 2048, 1);
        size_t len = udp_frame(a.at(0), dst, "10.0.0.1", "10.0.0.2", 9, port, 100);
        EXPECT_EQ(a.post_send(0, static_cast<uint32_t>(len)), 0);
        EXPECT_EQ(wait_for(a.cq, 1).size(), 1u);
        std::vector<ibv_wc> got = wait_for(b.cq, 1, 1000);
        return got.size() == 1 && got[0].status == IBV_WC_SUCCESS && got[0].byte_len == len;
    }
    Port a, b;
};

/* Can the rule be made by now? Another program's, which it conflicts with, must be gone first. */
inline bool becomes_free(Port &port, Rule &rule)
{
    for (int tries = 0; tries < 2000; tries++, usleep(1000)) {
        ibv_flow *flow = ibv_create_flow(port.qp, rule.attr());
        if (flow)
            return ibv_destroy_flow(flow) == 0;
    }
    return false;
}

inline bool Program::give(int what) const
{
    char byte = 1, control[CMSG_SPACE(sizeof(int))] = {};
    iovec iov = {&byte, 1};
    msghdr hdr = {};
    hdr.msg_iov = &iov;
    hdr.msg_iovlen = 1;
    hdr.msg_control = control;
    hdr.msg_controllen = sizeof(control);
    cmsghdr *cm = CMSG_FIRSTHDR(&hdr);
    cm->cmsg_level = SOL_SOCKET;
    cm->cmsg_type = SCM_RIGHTS;
    cm->cmsg_len = CMSG_LEN(sizeof(int));
    memcpy(CMSG_DATA(cm), &what, sizeof(int));
    return sendmsg(fd, &hdr, 0) == 1;
}

inline int Program::take() const
{
    char byte, control[CMSG_SPACE(sizeof(int))];
    iovec iov = {&byte, 1};
    msghdr hdr = {};
    int got = -1;
    hdr.msg_iov = &iov;
    hdr.msg_iovlen = 1;
    hdr.msg_control = control;
    hdr.msg_controllen = sizeof(control);
    if (recvmsg(fd, &hdr, MSG_CMSG_CLOEXEC) == 1 && CMSG_FIRSTHDR(&hdr))
        memcpy(&got, CMSG_DATA(CMSG_FIRSTHDR(&hdr)), sizeof(got));
    return got;
}

} // namespace verbs
#endif
