/* SPDX-License-Identifier: BSD-2-Clause */
/* Traces of what real libibverbs and libmlx5 ask and post. */
#include "fixture.h"

#include <cerrno>
#include <fcntl.h>
#include <unistd.h>

namespace verbs
{

class Traces : public PairTest
{
  protected:
    void start(const Port &port, const char *filter = nullptr, bool json = false)
    {
        char err[256] = "";
        char path[] = "/tmp/cxemu-trace-XXXXXX";
        fd_ = mkstemp(path);
        ASSERT_GE(fd_, 0);
        unlink(path);
        ASSERT_EQ(cxemu_trace(port.name.c_str(), fd_, json, filter, err, sizeof(err)), 0) << err;
        traced_ = port.name;
    }
    std::string stop()
    {
        std::string all;
        char chunk[4096];
        EXPECT_EQ(cxemu_trace_stop(traced_.c_str(), fd_), 0);
        lseek(fd_, 0, SEEK_SET);
        for (ssize_t n; (n = read(fd_, chunk, sizeof(chunk))) > 0;)
            all.append(chunk, static_cast<size_t>(n));
        close(fd_);
        return all;
    }
    void send_one()
    {
        Rule rule;
        rule.eth(b.mac).tag(77);
        ASSERT_NE(b.add(rule), nullptr);
        b.post_recv(0, 2048, 1);
        size_t len = udp_frame(a.at(0), b.mac, "10.0.0.1", "10.0.0.2", 1, 2, 64);
        ASSERT_EQ(a.post_send(0, static_cast<uint32_t>(len), IBV_SEND_SIGNALED | IBV_SEND_IP_CSUM),
                  0);
        pump();
    }
    static void expect_has(const std::string &all, std::initializer_list<std::string> parts)
    {
        for (const std::string &part : parts)
            EXPECT_NE(all.find(part), std::string::npos) << part << " is not in:\n" << all;
    }

    int fd_ = -1;
    std::string traced_;
};

TEST_F(Traces, NameCommandsWithTheirAttributes)
{
    start(a, "commands");
    ibv_pd *pd = ibv_alloc_pd(a.ctx);
    ASSERT_NE(pd, nullptr);
    ibv_cq *cq = ibv_create_cq(a.ctx, 15, nullptr, nullptr, 0);
    ASSERT_NE(cq, nullptr);
    std::vector<uint8_t> memory(4096);
    ibv_mr *mr = ibv_reg_mr(pd, memory.data(), memory.size(), IBV_ACCESS_LOCAL_WRITE);
    ASSERT_NE(mr, nullptr);
    char err[256];
    ASSERT_GT(cxemu_fault(a.name.c_str(), "create:object=pd:errno=ENOSPC", err, sizeof(err)), 0);
    EXPECT_EQ(ibv_alloc_pd(a.ctx), nullptr);
    EXPECT_EQ(ibv_dereg_mr(mr), 0);
    EXPECT_EQ(ibv_destroy_cq(cq), 0);
    EXPECT_EQ(ibv_dealloc_pd(pd), 0);
    std::string all = stop();
    expect_has(all, {a.name + " command", "pid=" + std::to_string(getpid()), "name=alloc_pd",
                     "pd_handle=new ", "name=cq_create", "cqe=15", "comp_vector=0", "name=reg_mr",
                     "length=4096", "access_flags=1", "result=ok", "result=ENOSPC",
                     "name=mr_destroy", "name=cq_destroy"});
    EXPECT_EQ(all.find("invoke_write"), std::string::npos);
}

TEST_F(Traces, ShowASendFromTheDoorbellToTheCompletion)
{
    start(a);
    send_one();
    std::string qp = "qp=" + std::to_string(a.qp->qp_num);
    expect_has(stop(), {"doorbell of=send " + qp + " producer=1", "send " + qp + " index=0",
                        "opcode=SEND", "completion=always", "csum=l3|l4", "sge0=0x",
                        "completion cq=", "opcode=REQ owner=0 wqe_counter=0"});
}

TEST_F(Traces, ShowAReceiveWithItsVerdict)
{
    start(b);
    ASSERT_EQ(ibv_req_notify_cq(b.cq, 1), 0);
    send_one();
    std::string qp = "qp=" + std::to_string(b.qp->qp_num);
    expect_has(stop(), {"doorbell of=recv " + qp, "doorbell of=arm cq=", "for=solicited",
                        "recv " + qp + " index=0", "+2048@0x", "opcode=RESP_SEND", "len=106",
                        "flow_tag=77", "ok=l2|l3|l4", "l3=ipv4", "l4=udp"});
}

TEST_F(Traces, ShowErrorsAndEvents)
{
    char err[256];
    start(a, "completions,events");
    ASSERT_GT(
        cxemu_fault(a.name.c_str(), "send:syndrome=remote-access:vendor=0x4d", err, sizeof(err)),
        0);
    send_one();
    ASSERT_EQ(cxemu_link_set(a.name.c_str(), false), 0);
    std::string all = stop();
    expect_has(all, {"opcode=REQ_ERR", "syndrome=REMOTE_ACCESS_ERR", "vendor=0x4d",
                     "event event=PORT_ERR"});
    EXPECT_EQ(all.find("doorbell"), std::string::npos);
    EXPECT_EQ(all.find(" send "), std::string::npos);
}

TEST_F(Traces, AreJsonByTheLine)
{
    start(a, nullptr, true);
    send_one();
    ibv_pd *pd = ibv_alloc_pd(a.ctx);
    EXPECT_EQ(ibv_dealloc_pd(pd), 0);
    std::string all = stop();
    expect_has(all, {"\"kind\":\"send\"", "\"opcode\":\"SEND\"", "\"nic\":\"" + a.name + "\"",
                     "\"name\":\"alloc_pd\""});
    size_t at = 0;
    for (size_t end; (end = all.find('\n', at)) != std::string::npos; at = end + 1) {
        EXPECT_EQ(all[at], '{');
        EXPECT_EQ(all[end - 1], '}');
    }
}

TEST_F(Traces, NeverWaitForAReader)
{
    int ends[2];
    char err[256], chunk[65536];
    ASSERT_EQ(pipe(ends), 0);
    ASSERT_EQ(fcntl(ends[1], F_SETPIPE_SZ, 4096), 4096);
    ASSERT_EQ(cxemu_trace(a.name.c_str(), ends[1], false, "commands", err, sizeof(err)), 0);
    ibv_device_attr attr;
    for (int i = 0; i < 500; i++)
        ASSERT_EQ(ibv_query_device(a.ctx, &attr), 0);
    ASSERT_GT(read(ends[0], chunk, sizeof(chunk)), 0);
    ASSERT_EQ(ibv_query_device(a.ctx, &attr), 0);
    ssize_t n = read(ends[0], chunk, sizeof(chunk));
    ASSERT_GT(n, 0);
    EXPECT_NE(std::string(chunk, static_cast<size_t>(n)).find("lost lines="), std::string::npos);
    EXPECT_EQ(cxemu_trace_stop(a.name.c_str(), ends[1]), 0);
    EXPECT_EQ(cxemu_trace_stop(a.name.c_str(), ends[1]), -ENOENT);
    close(ends[0]);
    close(ends[1]);
}

TEST_F(Traces, RefuseAFilterThatTheyDoNotKnow)
{
    char err[256];
    for (const char *filter : {"wombats", "sends,", "qp=", "qp=0", "qp=x", "cq=0x1000000"})
        EXPECT_EQ(cxemu_trace(a.name.c_str(), 1, false, filter, err, sizeof(err)), -EINVAL)
            << filter;
    EXPECT_EQ(cxemu_trace("nobody", 1, false, "", err, sizeof(err)), -ENOENT);
}

} // namespace verbs
