/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The process that holds the NICs ends while programs use them. shared.sh runs each of these in an
 * instance of its own, with CXEMU_TEST_END saying how it ends: "stop" or "kill".
 */
#include "shared.h"

#include <atomic>
#include <cerrno>
#include <poll.h>
#include <thread>

namespace verbs
{
namespace
{

void end_the_holder(const std::string &how)
{
    const std::string dir = getenv("CXEMU_INSTANCE");
    if (how == "stop") {
        const std::string name = dir.substr(dir.rfind('/') + 1);
        ASSERT_EQ(system((std::string(getenv("CXEMU_TEST_PROGRAM")) + " stop " + name).c_str()), 0);
        return;
    }
    FILE *lock = fopen((dir + ".lock").c_str(), "r");
    int pid = 0;
    ASSERT_NE(lock, nullptr);
    ASSERT_EQ(fscanf(lock, "%d", &pid), 1);
    fclose(lock);
    ASSERT_GT(pid, 1);
    ASSERT_EQ(kill(pid, SIGKILL), 0);
}

TEST_F(Shared, TheHolderEnds)
{
    const char *how = getenv("CXEMU_TEST_END");
    if (!how)
        GTEST_SKIP() << "needs an instance of its own: shared.sh";
    a.open("mlx5_0");
    b.open("mlx5_1");
    ibv_qp *waiting = b.make_qp(true);
    ASSERT_EQ(ibv_req_notify_cq(waiting->recv_cq, 0), 0);
    Rule rule;
    ASSERT_NE(b.add(rule.eth(mac_b)), nullptr);
    ASSERT_TRUE(crosses(1));

    /* Asleep in both kinds of event, and busy with commands. */
    std::vector<ibv_event_type> events;
    std::thread async([&] {
        ibv_async_event event;
        while (ibv_get_async_event(a.ctx, &event) == 0) {
            events.push_back(event.event_type);
            ibv_ack_async_event(&event);
        }
    });
    std::thread completions([&] {
        ibv_cq *cq;
        void *cookie;
        while (ibv_get_cq_event(b.channel, &cq, &cookie) == 0)
            ibv_ack_cq_events(cq, 1);
    });
    std::atomic<unsigned> done{0};
    int last_errno = 0;
    std::thread commands([&] {
        for (ibv_pd *pd; (pd = ibv_alloc_pd(a.ctx)) != nullptr; done++)
            ibv_dealloc_pd(pd);
        last_errno = errno;
    });
    for (int i = 0; i < 5000 && done < 3; i++)
        usleep(1000);
    EXPECT_GE(done.load(), 3u);
    end_the_holder(how);
    commands.join();
    async.join();
    completions.join();
    EXPECT_EQ(last_errno, EIO);
    bool fatal = false;
    for (ibv_event_type event : events)
        fatal |= event == IBV_EVENT_DEVICE_FATAL;
    EXPECT_EQ(fatal, std::string(how) == "stop") << "who is killed tells nobody; the file ends";
    pollfd p = {a.ctx->async_fd, POLLIN, 0};
    EXPECT_EQ(poll(&p, 1, 10000), 1) << "it says so to whoever polls";

    /* What is left of it does nothing, and does not hang. */
    ibv_wc wc;
    ibv_device_attr attr;
    EXPECT_EQ(ibv_poll_cq(a.cq, 1, &wc), 0);
    EXPECT_EQ(a.post_send(0, 60), 0);
    EXPECT_EQ(ibv_poll_cq(a.cq, 1, &wc), 0);
    EXPECT_NE(ibv_query_device(b.ctx, &attr), 0);
    EXPECT_EQ(ibv_create_cq(b.ctx, 16, nullptr, nullptr, 0), nullptr);
    EXPECT_EQ(errno, EIO);
    EXPECT_EQ(ibv_destroy_qp(a.qp), 0) << "libibverbs takes EIO for: gone already";
    EXPECT_EQ(ibv_destroy_cq(a.cq), 0);
    EXPECT_EQ(ibv_dereg_mr(a.mr), 0);
    EXPECT_EQ(ibv_close_device(a.ctx), 0);
    a = b = Port(); /* so much for them: the process ends with them open */
    EXPECT_EQ(open_device("mlx5_0"), nullptr);
}

} // namespace
} // namespace verbs
