/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Two emulated NICs joined in memory and pumped by the test, and small wrappers that own verbs
 * objects. Each fixture has NICs of its own and checks that nothing is left of the objects.
 */
#ifndef TEST_VERBS_FIXTURE_H
#define TEST_VERBS_FIXTURE_H

#include <gtest/gtest.h>
#include <infiniband/verbs.h>
#include <rawstack/cxemu.h>
#include <string>
#include <vector>

namespace verbs
{

/* A rule of one test: specs are appended as bytes, in the layout of ibv_create_flow(3). */
class Rule
{
  public:
    explicit Rule(ibv_flow_attr_type type = IBV_FLOW_ATTR_NORMAL, uint16_t priority = 0,
                  uint32_t flags = 0);
    Rule &eth(const uint8_t *dst_mac, uint16_t ether_type = 0, uint16_t vlan = 0);
    Rule &ipv4(const char *src, const char *dst);
    Rule &ipv4_ext(const char *dst, uint8_t tos);
    Rule &udp(uint16_t src_port, uint16_t dst_port);
    Rule &tcp(uint16_t src_port, uint16_t dst_port);
    Rule &tag(uint32_t id);
    Rule &drop();
    template <typename T> Rule &spec(const T &s)
    {
        const uint8_t *p = reinterpret_cast<const uint8_t *>(&s);
        bytes_.insert(bytes_.end(), p, p + sizeof(s));
        attr()->num_of_specs++;
        attr()->size = static_cast<uint16_t>(bytes_.size());
        return *this;
    }
    ibv_flow_attr *attr()
    {
        return reinterpret_cast<ibv_flow_attr *>(bytes_.data());
    }

  private:
    std::vector<uint8_t> bytes_;
};

/* One side: a context and what hangs on it. Open makes all; close checks every return code. */
struct Port {
    std::string name;
    uint8_t mac[6];
    ibv_context *ctx = nullptr;
    ibv_pd *pd = nullptr;
    ibv_comp_channel *channel = nullptr;
    ibv_cq *cq = nullptr;
    ibv_qp *qp = nullptr;
    ibv_mr *mr = nullptr;
    std::vector<uint8_t> memory;
    std::vector<ibv_flow *> flows;

    void open(const std::string &device);
    ibv_qp *make_qp(bool with_channel_cq = false);
    void close();

    uint8_t *at(size_t offset)
    {
        return base_ + offset;
    }
    void post_recv(size_t offset, uint32_t len, uint64_t id);
    int post_send(size_t offset, uint32_t len, unsigned flags = IBV_SEND_SIGNALED);
    /* Up to max completions; pumps in between. */
    std::vector<ibv_wc> completions(size_t want);
    ibv_flow *add(Rule &rule, ibv_qp *to = nullptr);

  private:
    uint8_t *base_ = nullptr;
};

/* A UDP frame in out; returns its length. Checksums are right. */
size_t udp_frame(uint8_t *out, const uint8_t *dst_mac, const char *src, const char *dst,
                 uint16_t src_port, uint16_t dst_port, size_t payload, uint8_t tos = 0);

class PairTest : public ::testing::Test
{
  protected:
    void SetUp() override;
    void TearDown() override;
    static void pump(int passes = 20);
    /* Sends what lies at a's offset 0 and gives what b received (true: something came). */
    bool crosses(size_t len, ibv_wc *wc = nullptr);

    Port a, b;
};

ibv_context *open_device(const std::string &name);
bool may_use_raw();

} // namespace verbs
#endif
