// SPDX-License-Identifier: BSD-2-Clause
// Faults on demand: each kind strikes where and as often as it was told to, and what follows is
// what follows such an error.
#include "cxemu/core/fault.h"
#include "rig.h"

#include <cerrno>

using namespace rig;

namespace
{

uint64_t virtual_ns;

cxemu_clock virtual_clock()
{
    virtual_ns = 1000;
    return {[](void *) { return virtual_ns; }, nullptr};
}

struct Fault : Pair {
    Fault() : Pair(virtual_clock())
    {
        a = port(0);
        b = port(1);
        EXPECT_EQ(flow(Rule(b->qp.qp).dmac(mac_of(2)), nullptr, 1), 0);
        cxemu_nic_link_is_up(nic[0]);
        cxemu_nic_link_is_up(nic[1]);
    }
    int arm(const std::string &text, int which = 0)
    {
        cxemu_fault_spec spec;
        char err[256] = "";
        int rc = cxemu_fault_parse(text.c_str(), &spec, err, sizeof(err));
        EXPECT_EQ(rc, 0) << err;
        return rc ? rc : cxemu_nic_fault_arm(nic[which], &spec);
    }
    cxemu_fault look(int id, int which = 0)
    {
        std::vector<cxemu_fault> all(CXEMU_FAULTS_MAX);
        size_t n = cxemu_nic_fault_list(nic[which], all.data(), all.size());
        for (size_t i = 0; i < n; i++)
            if (int(all[i].id) == id)
                return all[i];
        ADD_FAILURE() << "no fault " << id;
        return {};
    }
    void send(unsigned n = 1)
    {
        Frame f;
        f.dst = mac_of(2);
        for (unsigned i = 0; i < n; i++)
            a->qp.send_inline(f.build());
    }
    static std::string qp_number(const Port *p)
    {
        return std::to_string(cxemu_qp_number(p->qp.qp));
    }
    std::vector<int> syndromes(Cq &cq)
    {
        std::vector<int> all;
        for (const Completion &c : cq.drain())
            all.push_back(
                c.opcode() == MLX5_CQE_REQ || c.opcode() == MLX5_CQE_RESP_SEND ? 0 : c.syndrome());
        return all;
    }
    Port *a, *b;
};

const int flushed = MLX5_CQE_SYNDROME_WR_FLUSH_ERR;

TEST_F(Fault, SendsGoWrongAfterSoManyAndTheRestIsFlushed)
{
    int id = arm("send:syndrome=local-prot:vendor=0x5a:after=2");
    ASSERT_GT(id, 0);
    send(5);
    settle();
    auto done = a->scq.drain();
    ASSERT_EQ(done.size(), 5u);
    const int want[] = {0, 0, MLX5_CQE_SYNDROME_LOCAL_PROT_ERR, flushed, flushed};
    for (size_t i = 0; i < 5; i++) {
        EXPECT_EQ(done[i].opcode(), want[i] ? MLX5_CQE_REQ_ERR : MLX5_CQE_REQ);
        if (want[i]) {
            EXPECT_EQ(done[i].syndrome(), want[i]) << i;
        }
    }
    EXPECT_EQ(reinterpret_cast<mlx5_err_cqe *>(&done[2].cqe)->vendor_err_synd, 0x5a);
    EXPECT_EQ(reinterpret_cast<mlx5_err_cqe *>(&done[3].cqe)->vendor_err_synd, 0);
    EXPECT_EQ(counter(0, "tx_packets"), 2u);
    EXPECT_EQ(cxemu_qp_state_get(a->qp.qp), CXEMU_QPS_SQE);
    EXPECT_EQ(look(id).fired, 1u);
    EXPECT_EQ(look(id).seen, 3u); /* what is flushed is no opportunity */

    cxemu_qp_state_set(a->qp.qp, CXEMU_QPS_RTS); /* recovers, and the fault is used up */
    send();
    settle();
    EXPECT_EQ(syndromes(a->scq), std::vector<int>{0});
}

TEST_F(Fault, ReceivesGoWrongAndTheRestIsFlushed)
{
    b->recv(4);
    arm("recv:syndrome=local-length:after=1", 1);
    send(3);
    settle();
    EXPECT_EQ(syndromes(b->rcq),
              (std::vector<int>{0, MLX5_CQE_SYNDROME_LOCAL_LENGTH_ERR, flushed, flushed}));
    EXPECT_EQ(counter(1, "resp_local_length_error"), 1u);
    EXPECT_EQ(counter(1, "rx_dropped_queue_state"), 1u);
    EXPECT_EQ(cxemu_qp_state_get(b->qp.qp), CXEMU_QPS_ERR);
}

TEST_F(Fault, CanGiveEverySyndrome)
{
    const char *const names[] = {
        "local-length",  "local-qp-op", "local-prot",          "wr-flush",
        "mw-bind",       "bad-resp",    "local-access",        "remote-inval-req",
        "remote-access", "remote-op",   "transport-retry-exc", "rnr-retry-exc",
        "remote-aborted"};
    const int values[] = {1, 2, 4, 5, 6, 0x10, 0x11, 0x12, 0x13, 0x14, 0x15, 0x16, 0x22};
    for (size_t i = 0; i < 13; i++) {
        arm(std::string("send:syndrome=") + names[i]);
        arm(std::string("recv:syndrome=") + names[i], 1);
        b->recv(1);
        send();
        settle();
        EXPECT_EQ(syndromes(a->scq), std::vector<int>{values[i]}) << names[i];
        cxemu_qp_state_set(a->qp.qp, CXEMU_QPS_RTS);
        send();
        settle();
        EXPECT_EQ(syndromes(b->rcq), std::vector<int>{values[i]}) << names[i];
        a->scq.drain();
        cxemu_qp_state_set(b->qp.qp, CXEMU_QPS_RESET);
        b->qp.doorbell[0] = 0;
        b->qp.rq_pi = 0;
        b->next_recv = 0;
        for (int s = CXEMU_QPS_INIT; s <= CXEMU_QPS_RTS; s++)
            cxemu_qp_state_set(b->qp.qp, cxemu_qp_state(s));
    }
}

TEST_F(Fault, MeetOnlyTheQueueThatTheyName)
{
    Port *other = port(0);
    arm("send:qp=" + qp_number(other));
    send(2);
    Frame f;
    other->qp.send_inline(f.build());
    settle();
    EXPECT_EQ(syndromes(a->scq), (std::vector<int>{0, 0}));
    EXPECT_EQ(syndromes(other->scq), std::vector<int>{MLX5_CQE_SYNDROME_LOCAL_QP_OP_ERR});
}

TEST_F(Fault, CountAnEntryThatWaitsForTheWireOnce)
{
    int id = arm("send:after=1000000");
    unsigned sent = 0;
    for (; sent < 200; sent++) {
        Frame f;
        f.dst = mac_of(2);
        a->qp.send_inline(f.build(), 0, false);
        cxemu_nic_pump(nic[0], 64); /* nobody takes them at the other end */
    }
    for (int i = 0; i < 50; i++)
        cxemu_nic_pump(nic[0], 64);
    uint64_t at_most = look(id).seen;
    EXPECT_LE(at_most, sent);
    settle();
    EXPECT_EQ(look(id).seen, sent);
}

TEST_F(Fault, HitBySeededChance)
{
    uint64_t fired[2];
    for (int round = 0; round < 2; round++) {
        int id = arm("starve:p=25%:seed=7", 1);
        for (int i = 0; i < 40; i++) {
            b->recv(1);
            send(10);
            settle();
            a->scq.drain();
            b->rcq.drain();
        }
        fired[round] = look(id, 1).fired;
        EXPECT_EQ(look(id, 1).seen, 40u * 10u);
        EXPECT_EQ(cxemu_nic_fault_clear(nic[1], uint32_t(id)), 1);
    }
    EXPECT_GT(fired[0], 60u);
    EXPECT_LT(fired[0], 140u);
}

TEST_F(Fault, AQueuePairGoesToErrorWithItsEvent)
{
    b->recv(2);
    int id = arm("qp:qp=" + qp_number(b), 1);
    send();
    settle();
    EXPECT_EQ(b->qp.events, std::vector<cxemu_event>{CXEMU_EVENT_QP_FATAL});
    EXPECT_EQ(cxemu_qp_state_get(b->qp.qp), CXEMU_QPS_ERR);
    auto got = syndromes(b->rcq);
    ASSERT_FALSE(got.empty());
    EXPECT_EQ(got.back(), flushed);
    EXPECT_EQ(look(id, 1).fired, 1u);
    settle();
    EXPECT_EQ(b->qp.events.size(), 1u);
}

TEST_F(Fault, AQueuePairFailsAfterSoManyEntries)
{
    arm("qp:after=3");
    for (int i = 0; i < 5; i++) {
        send();
        settle();
    }
    EXPECT_EQ(syndromes(a->scq), (std::vector<int>{0, 0, 0, flushed, flushed}));
    EXPECT_EQ(a->qp.events, std::vector<cxemu_event>{CXEMU_EVENT_QP_FATAL});
}

TEST_F(Fault, ACompletionQueueGoesToError)
{
    arm("cq:cq=" + std::to_string(cxemu_cq_number(a->scq.cq)));
    send(2);
    settle();
    EXPECT_EQ(a->scq.errors, 1);
    EXPECT_EQ(a->rcq.errors, 0);
    EXPECT_TRUE(a->scq.drain().empty());
    EXPECT_EQ(a->qp.events, std::vector<cxemu_event>{CXEMU_EVENT_QP_FATAL});
    EXPECT_EQ(counter(0, "cq_overruns"), 0u);
}

TEST_F(Fault, ACompletionQueueOverruns)
{
    arm("overrun:after=2:cq=" + std::to_string(cxemu_cq_number(a->scq.cq)));
    send(5);
    settle();
    EXPECT_EQ(a->scq.errors, 1);
    EXPECT_EQ(a->scq.drain().size(), 2u);
    EXPECT_EQ(counter(0, "cq_overruns"), 1u);
}

struct Heard {
    std::vector<cxemu_event> events;
    static void note(void *cookie, cxemu_event e)
    {
        static_cast<Heard *>(cookie)->events.push_back(e);
    }
};

TEST_F(Fault, ThePortGoesDownForAWhile)
{
    Heard heard;
    ASSERT_EQ(cxemu_nic_listen(nic[0], Heard::note, &heard), 0);
    int id = arm("port-down:time=10ms");
    settle();
    EXPECT_FALSE(cxemu_nic_link_is_up(nic[0]));
    EXPECT_FALSE(cxemu_nic_link_is_up(nic[1])); /* the other end sees it */
    send();
    settle();
    EXPECT_EQ(counter(0, "tx_dropped_link_down"), 1u);
    virtual_ns += 9999999;
    settle();
    EXPECT_FALSE(cxemu_nic_link_is_up(nic[0]));
    virtual_ns += 1;
    settle();
    EXPECT_TRUE(cxemu_nic_link_is_up(nic[0]));
    EXPECT_EQ(heard.events,
              (std::vector<cxemu_event>{CXEMU_EVENT_PORT_ERR, CXEMU_EVENT_PORT_ACTIVE}));
    EXPECT_EQ(look(id).fired, 1u);
    cxemu_nic_unlisten(nic[0], Heard::note, &heard);
}

TEST_F(Fault, ThePortStaysDownUntilItIsCleared)
{
    int id = arm("port-down:after=2");
    send(2);
    settle();
    settle();
    EXPECT_FALSE(cxemu_nic_link_is_up(nic[0]));
    EXPECT_EQ(cxemu_nic_fault_clear(nic[0], uint32_t(id)), 1);
    EXPECT_TRUE(cxemu_nic_link_is_up(nic[0]));

    arm("port-down");
    settle();
    EXPECT_FALSE(cxemu_nic_link_is_up(nic[0]));
    arm("port-up");
    settle();
    EXPECT_TRUE(cxemu_nic_link_is_up(nic[0]));
}

TEST_F(Fault, TheDeviceFails)
{
    Heard heard;
    bool removed = false;
    ASSERT_EQ(cxemu_nic_listen(nic[0], Heard::note, &heard), 0);
    cxemu_nic_on_removed(
        nic[0], [](void *cookie) { *static_cast<bool *>(cookie) = true; }, &removed);
    arm("fatal:after=1");
    settle();
    EXPECT_TRUE(heard.events.empty());
    send(1);
    settle();
    send(1);
    settle();
    EXPECT_EQ(heard.events, std::vector<cxemu_event>{CXEMU_EVENT_DEVICE_FATAL});
    EXPECT_FALSE(removed);
    EXPECT_EQ(counter(0, "tx_packets"), 1u);
    cxemu_nic_unlisten(nic[0], Heard::note, &heard);
}

TEST_F(Fault, TheDeviceIsUnplugged)
{
    Heard heard;
    int removed = 0;
    ASSERT_EQ(cxemu_nic_listen(nic[0], Heard::note, &heard), 0);
    cxemu_nic_on_removed(
        nic[0], [](void *cookie) { ++*static_cast<int *>(cookie); }, &removed);
    arm("remove");
    settle();
    settle();
    EXPECT_EQ(removed, 1);
    EXPECT_EQ(heard.events, std::vector<cxemu_event>{CXEMU_EVENT_DEVICE_FATAL});
    cxemu_nic_unlisten(nic[0], Heard::note, &heard);
}

TEST_F(Fault, ReceiveQueuesStarve)
{
    b->recv(5);
    int id = arm("starve:count=3", 1);
    send(5);
    settle();
    EXPECT_EQ(b->rcq.drain().size(), 2u);
    EXPECT_EQ(counter(1, "rx_out_of_buffer"), 3u);
    EXPECT_EQ(look(id, 1).fired, 3u);
}

TEST_F(Fault, ASlowDeviceTakesItsTime)
{
    arm("slow:time=50us");
    send(3);
    for (uint64_t us = 0; us < 150; us++) {
        EXPECT_EQ(counter(0, "tx_packets"), us / 50 + (us ? 1 : 0) - (us && us % 50 == 0)) << us;
        pump();
        virtual_ns += 1000;
    }
    EXPECT_EQ(counter(0, "tx_packets"), 3u);
    EXPECT_EQ(cxemu_nic_fault_clear(nic[0], 0), 1);
    send(20);
    pump();
    EXPECT_EQ(counter(0, "tx_packets"), 23u);
}

TEST_F(Fault, DoorbellsAreSeenLate)
{
    arm("doorbell:time=100us");
    pump(); /* looks, and then not for 100 us */
    send(4);
    virtual_ns += 99999;
    pump();
    EXPECT_EQ(counter(0, "tx_packets"), 0u);
    virtual_ns += 1;
    pump();
    EXPECT_EQ(counter(0, "tx_packets"), 4u);
}

TEST_F(Fault, ADeviceIsStuckForATimeOrUntilReleased)
{
    arm("stuck:time=1s");
    send();
    settle();
    EXPECT_EQ(counter(0, "tx_packets"), 0u);
    virtual_ns += 1000000000;
    settle();
    EXPECT_EQ(counter(0, "tx_packets"), 1u);

    int id = arm("stuck");
    send();
    virtual_ns += 1000000000000;
    settle();
    EXPECT_EQ(counter(0, "tx_packets"), 1u);
    EXPECT_EQ(cxemu_nic_fault_clear(nic[0], uint32_t(id)), 1);
    settle();
    EXPECT_EQ(counter(0, "tx_packets"), 2u);
}

TEST_F(Fault, AnInterruptGetsLostAndTheNextComes)
{
    int id = arm("no-interrupt");
    for (int i = 0; i < 2; i++) {
        a->scq.arm();
        send();
        settle();
        EXPECT_EQ(a->scq.events, i);
        a->scq.drain();
        a->scq.arm_sn++;
    }
    EXPECT_EQ(look(id).fired, 1u);
}

TEST_F(Fault, EventsGetLostByName)
{
    Heard heard;
    ASSERT_EQ(cxemu_nic_listen(nic[0], Heard::note, &heard), 0);
    arm("no-event:event=port-err:count=forever");
    cxemu_nic_link_set(nic[0], false);
    cxemu_nic_link_set(nic[0], true);
    EXPECT_EQ(heard.events, std::vector<cxemu_event>{CXEMU_EVENT_PORT_ACTIVE});
    arm("no-event:event=qp-fatal");
    arm("qp");
    settle();
    EXPECT_TRUE(a->qp.events.empty());
    EXPECT_EQ(cxemu_qp_state_get(a->qp.qp), CXEMU_QPS_ERR);
    cxemu_nic_unlisten(nic[0], Heard::note, &heard);
}

TEST_F(Fault, CommandsFailByObjectAndByName)
{
    arm("create:object=qp:after=1:errno=EAGAIN");
    arm("command:name=modify-qp:errno=EIO");
    EXPECT_EQ(cxemu_nic_fault_command(nic[0], "cq", "cq_create"), 0);
    EXPECT_EQ(cxemu_nic_fault_command(nic[0], "qp", "qp_create"), 0);
    EXPECT_EQ(cxemu_nic_fault_command(nic[0], "qp", "create_qp"), -EAGAIN);
    EXPECT_EQ(cxemu_nic_fault_command(nic[0], "qp", "qp_create"), 0);
    EXPECT_EQ(cxemu_nic_fault_command(nic[0], nullptr, "modify_qp"), -EIO);
    EXPECT_EQ(cxemu_nic_fault_command(nic[0], nullptr, "modify_qp"), 0);
    arm("create");
    EXPECT_EQ(cxemu_nic_fault_command(nic[0], nullptr, "query_qp"), 0);
    EXPECT_EQ(cxemu_nic_fault_command(nic[0], "mr", "reg_mr"), -ENOMEM);
}

TEST_F(Fault, HaveAFullListAndAreClearedByNumber)
{
    int first = arm("send");
    for (int i = 1; i < CXEMU_FAULTS_MAX; i++)
        EXPECT_EQ(arm("send:after=1000"), first + i);
    EXPECT_EQ(arm("send"), -ENOSPC);
    EXPECT_EQ(cxemu_nic_fault_clear(nic[0], uint32_t(first)), 1);
    EXPECT_EQ(cxemu_nic_fault_clear(nic[0], uint32_t(first)), -ENOENT);
    send();
    settle();
    EXPECT_EQ(syndromes(a->scq), std::vector<int>{0}); /* the first one is gone */
    EXPECT_EQ(cxemu_nic_fault_clear(nic[0], 0), CXEMU_FAULTS_MAX - 1);
    EXPECT_EQ(cxemu_nic_fault_list(nic[0], nullptr, 0), 0u);
}

TEST(FaultText, IsPrintedAsItIsParsed)
{
    for (const char *text :
         {"send:syndrome=local-qp-op", "send:qp=65:syndrome=remote-op:vendor=0x5a:after=3:count=2",
          "recv:syndrome=77", "qp:qp=70:after=9", "cq:cq=64", "overrun", "port-down:time=50000ns",
          "port-up", "fatal:after=5", "remove", "stuck:time=1000000ns",
          "create:object=qp:errno=ENOMEM:after=2", "command:name=modify_qp:errno=EAGAIN",
          "starve:count=4", "slow:time=50000ns", "doorbell:time=1000ns", "no-interrupt:cq=66",
          "no-event:event=port-err:count=forever", "send:syndrome=wr-flush:p=1.5000%:seed=9"}) {
        cxemu_fault_spec spec;
        char err[256] = "", out[256];
        ASSERT_EQ(cxemu_fault_parse(text, &spec, err, sizeof(err)), 0) << text << ": " << err;
        cxemu_fault_print(&spec, out, sizeof(out));
        EXPECT_STREQ(out, text);
    }
}

TEST(FaultText, TakesSpacesAndCommasAsWell)
{
    cxemu_fault_spec spec;
    for (const char *text :
         {"send:qp=0x41:after=1", "send qp=0x41 after=1", "send,qp=0x41,after=1"}) {
        ASSERT_EQ(cxemu_fault_parse(text, &spec, nullptr, 0), 0) << text;
        EXPECT_EQ(spec.target, 65u);
        EXPECT_EQ(spec.after, 1u);
    }
}

TEST(FaultText, SaysWhatIsWrong)
{
    const struct {
        const char *text, *says;
    } cases[] = {
        {"", "unknown fault ''"},
        {"sand", "unknown fault 'sand'"},
        {"send:", "'' is not key=value"},
        {"send:qp", "'qp' is not key=value"},
        {"send:qp=", "a queue's number"},
        {"send:qp=-1", "a queue's number"},
        {"send:qp=0x1000000", "a queue's number"},
        {"send:cq=1", "takes no cq="},
        {"send:wombat=1", "unknown key 'wombat'"},
        {"send:after=1:after=2", "given twice"},
        {"send:after=x", "after=x"},
        {"send:count=0", "count=0"},
        {"send:p=0", "p=0"},
        {"send:p=101%", "p=101%"},
        {"send:p=nan", "p=nan"},
        {"send:syndrome=0", "syndrome=0"},
        {"send:syndrome=256", "syndrome=256"},
        {"send:syndrome=good", "remote-aborted"},
        {"send:vendor=256", "vendor=256"},
        {"create:errno=12", "ENOMEM"},
        {"create:errno=ENOSUCH", "ENOMEM"},
        {"create:object=", "a kind of object"},
        {"create:object=aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa", "a kind of object"},
        {"command", "needs name="},
        {"slow", "needs time="},
        {"slow:time=50", "a time is like"},
        {"slow:time=0us", "a time is like"},
        {"slow:time=99999999999s", "a time is like"},
        {"slow:time=5us5", "a time is like"},
        {"no-event:event=birthday", "port-err"},
    };
    for (const auto &c : cases) {
        cxemu_fault_spec spec;
        char err[256] = "";
        EXPECT_EQ(cxemu_fault_parse(c.text, &spec, err, sizeof(err)), -EINVAL) << c.text;
        EXPECT_NE(std::string(err).find(c.says), std::string::npos) << c.text << ": " << err;
    }
    std::string longest(CXEMU_FAULT_TEXT_MAX, 'x');
    cxemu_fault_spec spec;
    EXPECT_EQ(cxemu_fault_parse(longest.c_str(), &spec, nullptr, 0), -EINVAL);
}

} // namespace
