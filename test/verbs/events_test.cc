/* SPDX-License-Identifier: BSD-2-Clause */
/* Completion events, asynchronous events, and a device that is unplugged. */
#include "fixture.h"

#include <cerrno>
#include <fcntl.h>
#include <poll.h>
#include <thread>

namespace verbs
{

class Events : public PairTest
{
  protected:
    void send_one()
    {
        size_t len = udp_frame(a.at(0), b.mac, "10.0.0.1", "10.0.0.2", 1, 2, 64);
        b.post_recv(0, 2048, 1);
        ASSERT_EQ(a.post_send(0, static_cast<uint32_t>(len)), 0);
        pump();
    }
    static bool readable(int fd)
    {
        pollfd p = {fd, POLLIN, 0};
        return poll(&p, 1, 0) == 1;
    }
    void with_rule()
    {
        Rule rule;
        rule.eth(b.mac);
        ASSERT_NE(b.add(rule), nullptr);
    }
};

TEST_F(Events, ComeOncePerArming)
{
    ibv_cq *cq;
    void *context;

    with_rule();
    send_one();
    EXPECT_FALSE(readable(b.channel->fd)); /* not armed */
    ibv_wc wc;
    ASSERT_EQ(ibv_poll_cq(b.cq, 1, &wc), 1);
    ASSERT_EQ(ibv_req_notify_cq(b.cq, 0), 0);
    pump();
    EXPECT_FALSE(readable(b.channel->fd));
    send_one();
    ASSERT_TRUE(readable(b.channel->fd));
    ASSERT_EQ(ibv_get_cq_event(b.channel, &cq, &context), 0);
    EXPECT_EQ(cq, b.cq);
    EXPECT_EQ(context, &b);
    ibv_ack_cq_events(cq, 1);
    send_one();
    EXPECT_FALSE(readable(b.channel->fd)); /* the arming was used up */
}

TEST_F(Events, UnreadOnesGoWithTheirQueue)
{
    ibv_cq *other = ibv_create_cq(b.ctx, 15, nullptr, b.channel, 0);
    ASSERT_NE(other, nullptr);
    with_rule();
    ASSERT_EQ(ibv_req_notify_cq(b.cq, 0), 0);
    pump();
    send_one();
    ASSERT_TRUE(readable(b.channel->fd));
    EXPECT_EQ(ibv_destroy_cq(other), 0); /* purges nothing of b.cq */
    EXPECT_TRUE(readable(b.channel->fd));
    b.close(); /* would hang if an unread event counted as reported */
}

TEST_F(Events, ReadOnesMustBeAcknowledged)
{
    ibv_cq *cq;
    void *context;

    with_rule();
    ASSERT_EQ(ibv_req_notify_cq(b.cq, 0), 0);
    pump();
    send_one();
    ASSERT_EQ(ibv_get_cq_event(b.channel, &cq, &context), 0);
    std::thread late([&] {
        std::this_thread::sleep_for(std::chrono::milliseconds(20));
        ibv_ack_cq_events(cq, 1);
    });
    b.close(); /* waits for the acknowledgement */
    late.join();
}

TEST_F(Events, HonourNonBlockingReads)
{
    ibv_cq *cq;
    void *context;

    ASSERT_EQ(fcntl(b.channel->fd, F_SETFL, fcntl(b.channel->fd, F_GETFL) | O_NONBLOCK), 0);
    EXPECT_EQ(ibv_get_cq_event(b.channel, &cq, &context), -1);
    EXPECT_EQ(errno, EAGAIN);
}

TEST_F(Events, TellOfTheLink)
{
    ibv_async_event event;
    ibv_port_attr port;

    ASSERT_EQ(cxemu_link_set(a.name.c_str(), false), 0);
    pump();
    ASSERT_TRUE(readable(a.ctx->async_fd));
    ASSERT_EQ(ibv_get_async_event(a.ctx, &event), 0);
    EXPECT_EQ(event.event_type, IBV_EVENT_PORT_ERR);
    EXPECT_EQ(event.element.port_num, 1);
    ibv_ack_async_event(&event);
    ASSERT_EQ(ibv_query_port(a.ctx, 1, &port), 0);
    EXPECT_EQ(port.state, IBV_PORT_DOWN);
    ASSERT_EQ(ibv_query_port(b.ctx, 1, &port), 0);
    EXPECT_EQ(port.state, IBV_PORT_DOWN); /* the other end of the wire sees it */
    ASSERT_EQ(cxemu_link_set(a.name.c_str(), true), 0);
    pump();
    ASSERT_EQ(ibv_get_async_event(a.ctx, &event), 0);
    EXPECT_EQ(event.event_type, IBV_EVENT_PORT_ACTIVE);
    ibv_ack_async_event(&event);
}

TEST_F(Events, TellOfAnUnpluggedDevice)
{
    ibv_async_event event;
    ibv_device_attr attr;

    ASSERT_EQ(cxemu_nic_remove(b.name.c_str()), 0);
    ASSERT_TRUE(readable(b.ctx->async_fd));
    ASSERT_EQ(ibv_get_async_event(b.ctx, &event), 0);
    EXPECT_EQ(event.event_type, IBV_EVENT_DEVICE_FATAL);
    ibv_ack_async_event(&event);
    EXPECT_EQ(ibv_query_device(b.ctx, &attr), EIO);
    EXPECT_EQ(ibv_alloc_pd(b.ctx), nullptr);
    EXPECT_EQ(errno, EIO);
    EXPECT_EQ(open_device(b.name), nullptr); /* not listed any more */
    /* Destroys answer EIO, which rdma-core takes for done (RDMAV_ALLOW_DISASSOC_DESTROY). */
    b.close();
}

} // namespace verbs
