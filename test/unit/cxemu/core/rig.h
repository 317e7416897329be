/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Owns: what the core's tests stand on: a program's side of a NIC, with rings, doorbell records and
 * memory, that writes work-queue entries and reads completions by hand as libmlx5 would; and
 * frames.
 */
#ifndef TEST_CXEMU_CORE_RIG_H
#define TEST_CXEMU_CORE_RIG_H

#include "cxemu/core/nic.h"
#include "cxemu/core/space.h"
#include "cxemu/wires/wire_mem.h"

#include "base/order.h"
#include "wire/packet.h"

#include <cstring>
#include <endian.h>
#include <fcntl.h>
#include <gtest/gtest.h>
#include <infiniband/mlx5dv.h>
#include <memory>
#include <rdma/ib_user_ioctl_verbs.h>
#include <string>
#include <vector>

namespace rig
{

using Bytes = std::vector<uint8_t>;

/* Whose memory the program's side is: our own; or, in the second build of these tests
 * (RIG_FOREIGN), our own but reached as that of another process is. */
inline cxemu_space *space()
{
#ifdef RIG_FOREIGN
    static cxemu_space *const foreign = [] {
        cxemu_space *made = nullptr;
        EXPECT_EQ(cxemu_space_create(open("/proc/self/mem", O_RDWR | O_CLOEXEC), &made), 0);
        return made;
    }();
    return foreign;
#else
    return nullptr;
#endif
}

inline rs_mac mac_of(uint8_t n)
{
    return rs_mac{{0x02, 0, 0, 0, 0, n}};
}

inline Bytes concat(std::initializer_list<Bytes> parts)
{
    Bytes all;
    for (const Bytes &p : parts)
        all.insert(all.end(), p.begin(), p.end());
    return all;
}

inline Bytes be16(unsigned v)
{
    return {uint8_t(v >> 8), uint8_t(v)};
}

inline Bytes be32(uint32_t v)
{
    return {uint8_t(v >> 24), uint8_t(v >> 16), uint8_t(v >> 8), uint8_t(v)};
}

/* A frame to build: defaults are a UDP datagram from mac 2, 10.0.0.2:1111 to mac 1, 10.0.0.1:2222.
 */
struct Frame {
    rs_mac dst = mac_of(1), src = mac_of(2);
    int vlan_tpid = 0, vlan_tci = 0;
    int version = 4;
    uint8_t proto = 17, tos = 0, ttl = 64;
    Bytes sip = {10, 0, 0, 2}, dip = {10, 0, 0, 1};
    uint16_t sport = 1111, dport = 2222;
    uint8_t tcp_flags = 0x18;
    uint16_t frag = 0; /* IPv4 flags and offset */
    Bytes payload = Bytes(100, 0x5a);
    bool fill_checksums = true;

    static Frame v6()
    {
        Frame f;
        f.version = 6;
        f.sip = Bytes(16, 0);
        f.dip = Bytes(16, 0);
        f.sip[0] = f.dip[0] = 0xfd;
        f.sip[15] = 2;
        f.dip[15] = 1;
        return f;
    }
    static Frame tcp(int version = 4)
    {
        Frame f = version == 6 ? v6() : Frame();
        f.proto = 6;
        return f;
    }

    Bytes l4() const
    {
        if (proto == 17)
            return concat(
                {be16(sport), be16(dport), be16(unsigned(8 + payload.size())), be16(0), payload});
        if (proto == 6)
            return concat({be16(sport), be16(dport), be32(1000), be32(2000), Bytes{0x50, tcp_flags},
                           be16(8192), be16(0), be16(0), payload});
        return payload;
    }
    Bytes l3(const Bytes &l4) const
    {
        if (version == 4)
            return concat({Bytes{0x45, tos}, be16(unsigned(20 + l4.size())), be16(77), be16(frag),
                           Bytes{ttl, proto}, be16(0), sip, dip, l4});
        if (version == 6)
            return concat({be32(0x60000000u | uint32_t(tos) << 20), be16(unsigned(l4.size())),
                           Bytes{proto, ttl}, sip, dip, l4});
        return l4;
    }
    Bytes build() const
    {
        Bytes vlan;
        if (vlan_tpid)
            vlan = concat({be16(unsigned(vlan_tpid)), be16(unsigned(vlan_tci))});
        unsigned type = version == 4 ? 0x0800 : version == 6 ? 0x86dd : 0x88b5;
        Bytes f = concat({Bytes(dst.bytes, dst.bytes + 6), Bytes(src.bytes, src.bytes + 6), vlan,
                          be16(type), l3(l4())});
        if (fill_checksums) {
            rs_packet pkt = {};
            const uint32_t l3 = vlan_tpid ? 18 : 14;
            rs_packet_parse_l3_at(f.data(), uint32_t(f.size()), l3, uint16_t(type), &pkt);
            if (pkt.ip_version) {
                rs_packet_l3_csum_fill(f.data(), &pkt);
                rs_packet_l4_csum_fill(f.data(), &pkt);
            }
        }
        return f;
    }
};

/* Completion as read by a program. */
struct Completion {
    mlx5_cqe64 cqe;
    int opcode() const
    {
        return cqe.op_own >> 4;
    }
    uint8_t syndrome() const
    {
        return reinterpret_cast<const mlx5_err_cqe *>(&cqe)->syndrome;
    }
    uint16_t counter() const
    {
        return be16toh(cqe.wqe_counter);
    }
    uint32_t byte_cnt() const
    {
        return be32toh(cqe.byte_cnt);
    }
    uint32_t tag() const
    {
        return be32toh(cqe.sop_drop_qpn) & 0xffffff;
    }
    /* By the byte offsets of the kernel's struct mlx5_cqe64. */
    uint32_t hash() const
    {
        uint32_t v;
        std::memcpy(&v, reinterpret_cast<const uint8_t *>(&cqe) + 12, 4);
        return be32toh(v);
    }
    uint8_t hash_type() const
    {
        return reinterpret_cast<const uint8_t *>(&cqe)[16];
    }
    uint8_t tunnel_info() const
    {
        return reinterpret_cast<const uint8_t *>(&cqe)[0];
    }
    /* Of a striding queue. */
    bool filler() const
    {
        return byte_cnt() >> 31;
    }
    uint32_t strides() const
    {
        return (byte_cnt() >> 16) & 0x7fff;
    }
    uint32_t stride_bytes() const
    {
        return byte_cnt() & 0xffff;
    }
};

class Cq
{
  public:
    Cq(cxemu_nic *nic, uint32_t count, uint32_t bytes = 64, cxemu_bell *bell = nullptr,
       bool ignore_overrun = false)
        : count_(count), bytes_(bytes)
    {
        void *p = nullptr;
        EXPECT_EQ(posix_memalign(&p, 4096, size_t(count) * bytes), 0);
        buf_ = static_cast<uint8_t *>(p);
        for (uint32_t i = 0; i < count; i++) {
            std::memset(buf_ + i * bytes, 0, bytes);
            cqe(i)->op_own = MLX5_CQE_INVALID << 4;
        }
        cxemu_cq_attr attr = {};
        attr.buf = buf_;
        attr.cqe_count = count;
        attr.cqe_bytes = bytes;
        attr.doorbell = doorbell;
        attr.space = space();
        attr.bell = bell;
        attr.ignore_overrun = ignore_overrun;
        attr.on_completion = [](void *c) { static_cast<Cq *>(c)->events++; };
        attr.on_error = [](void *c) { static_cast<Cq *>(c)->errors++; };
        attr.cookie = this;
        EXPECT_EQ(cxemu_cq_create(nic, &attr, &cq), 0);
    }
    ~Cq()
    {
        cxemu_cq_destroy(cq);
        free(buf_);
    }
    Cq(const Cq &) = delete;

    /* As libmlx5's get_sw_cqe. */
    bool poll(Completion *out)
    {
        mlx5_cqe64 *c = cqe(consumer);
        uint8_t op_own = __atomic_load_n(&c->op_own, __ATOMIC_ACQUIRE);
        if (op_own >> 4 == MLX5_CQE_INVALID || (op_own & 1) != !!(consumer & count_))
            return false;
        std::memcpy(&out->cqe, c, sizeof(*c));
        consumer++;
        if (update_index)
            set_index(consumer & 0xffffff);
        return true;
    }
    void set_index(uint32_t value)
    {
        __atomic_store_n(&doorbell[0], htobe32(value), __ATOMIC_RELEASE);
    }
    void arm(bool solicited = false)
    {
        uint32_t v = (arm_sn & 3) << 28 | uint32_t(solicited) << 24 | (consumer & 0xffffff);
        __atomic_store_n(&doorbell[1], htobe32(v), __ATOMIC_RELEASE);
    }
    /* As libmlx5's mlx5_resize_cq. */
    int resize(uint32_t count)
    {
        void *p = nullptr;
        EXPECT_EQ(posix_memalign(&p, 4096, size_t(count) * bytes_), 0);
        std::unique_ptr<uint8_t, void (*)(void *)> fresh(static_cast<uint8_t *>(p), free);
        std::memset(p, 0, size_t(count) * bytes_);
        for (uint32_t i = 0; i < count; i++)
            cqe_of(fresh.get(), count, i)->op_own = MLX5_CQE_INVALID << 4;
        if (int rc = cxemu_cq_resize(cq, fresh.get(), count))
            return rc;
        uint32_t i = consumer;
        for (; cqe(i)->op_own >> 4 != MLX5_CQE_RESIZE_CQ; i++) {
            EXPECT_EQ(cqe(i)->op_own & 1, !!(i & count_));
            EXPECT_LT(i - consumer, count_);
            mlx5_cqe64 *to = cqe_of(fresh.get(), count, i + 1);
            std::memcpy(to, cqe(i), sizeof(*to));
            to->op_own = uint8_t((to->op_own & ~1) | !!((i + 1) & count));
        }
        consumer++;
        free(buf_);
        buf_ = fresh.release();
        count_ = count;
        return 0;
    }
    std::vector<Completion> drain()
    {
        std::vector<Completion> all;
        Completion c;
        while (poll(&c))
            all.push_back(c);
        return all;
    }

    cxemu_cq *cq = nullptr;
    uint32_t consumer = 0, arm_sn = 0;
    bool update_index = true;
    int events = 0, errors = 0;
    uint32_t doorbell[2] = {0, 0};

  private:
    mlx5_cqe64 *cqe_of(uint8_t *buf, uint32_t count, uint32_t i)
    {
        uint8_t *p = buf + size_t(i & (count - 1)) * bytes_;
        return reinterpret_cast<mlx5_cqe64 *>(p + bytes_ - 64);
    }
    mlx5_cqe64 *cqe(uint32_t i)
    {
        return cqe_of(buf_, count_, i);
    }
    uint32_t count_, bytes_;
    uint8_t *buf_;
};

class Mr
{
  public:
    Mr(cxemu_nic *nic, size_t len, uint32_t access = IB_UVERBS_ACCESS_LOCAL_WRITE, uint32_t pd = 1)
        : mem(len)
    {
        cxemu_mr_attr attr = {
            uintptr_t(mem.data()), uintptr_t(mem.data()), len, access, pd, space()};
        EXPECT_EQ(cxemu_mr_create(nic, &attr, &mr), 0);
    }
    ~Mr()
    {
        cxemu_mr_destroy(mr);
    }
    Mr(const Mr &) = delete;
    uint32_t lkey() const
    {
        return cxemu_mr_lkey(mr);
    }
    uint64_t addr(size_t at = 0) const
    {
        return uintptr_t(mem.data()) + at;
    }
    Bytes mem;
    cxemu_mr *mr = nullptr;
};

struct Sge {
    uint64_t addr;
    uint32_t len, lkey;
};

/* What a send entry may hold. */
struct Send {
    uint8_t opcode = MLX5_OPCODE_SEND;
    bool signaled = true;
    uint8_t cs_flags = 0;
    Bytes inline_hdr; /* in the Ethernet segment */
    bool has_inline = false;
    Bytes inline_data;              /* as one inline data segment */
    std::vector<Bytes> inline_each; /* further inline data segments */
    uint16_t mss = 0;
    uint8_t opmod = 0;
    bool solicited = false;
    std::vector<Sge> sges;
    uint16_t insert_vlan_type = 0, insert_vlan_tci = 0;
    int force_ds = -1;
};

class Qp
{
  public:
    struct Options {
        uint32_t sq = 256, rq = 64;
        uint8_t shift = 6; /* four segments */
        bool sig_all = false, strip = false, fcs = false;
        uint32_t pd = 1, uidx = 0x77, td = 0;
        uint8_t self_lb = 0;
        bool tunnel = false;
        cxemu_bell *bell = nullptr;
        cxemu_qp_state state = CXEMU_QPS_RTS;
    };
    Qp(cxemu_nic *nic, Cq *scq, Cq *rcq, const Options &o) : o_(o)
    {
        void *p = nullptr;
        EXPECT_EQ(posix_memalign(&p, 4096, size_t(o.sq) * 64), 0);
        sq_ = static_cast<uint8_t *>(p);
        EXPECT_EQ(posix_memalign(&p, 4096, size_t(o.rq) << o.shift), 0);
        rq_ = static_cast<uint8_t *>(p);
        cxemu_qp_attr attr = {};
        attr.pd = o.pd;
        attr.send_cq = scq->cq;
        attr.recv_cq = rcq->cq;
        attr.sq_buf = sq_;
        attr.sq_wqebb_count = o.sq;
        attr.rq_buf = rq_;
        attr.rq_wqe_count = o.rq;
        attr.rq_wqe_shift = o.shift;
        attr.doorbell = doorbell;
        attr.space = space();
        attr.bell = o.bell;
        attr.uidx = o.uidx;
        attr.sq_sig_all = o.sig_all;
        attr.vlan_strip = o.strip;
        attr.scatter_fcs = o.fcs;
        attr.tir = {o.td, o.self_lb, o.tunnel};
        attr.on_error = [](void *c, cxemu_event e) { static_cast<Qp *>(c)->events.push_back(e); };
        attr.cookie = this;
        EXPECT_EQ(cxemu_qp_create(nic, &attr, &qp), 0);
        for (int s = CXEMU_QPS_INIT; s <= o.state && s <= CXEMU_QPS_RTS; s++)
            cxemu_qp_state_set(qp, cxemu_qp_state(s));
    }
    ~Qp()
    {
        cxemu_qp_destroy(qp);
        free(sq_);
        free(rq_);
    }
    Qp(const Qp &) = delete;

    /* Writes one entry; ring() shows it. Returns its index. */
    uint16_t post(const Send &s)
    {
        Bytes w(32, 0);
        size_t ds_at;
        auto *eth = reinterpret_cast<mlx5_wqe_eth_seg *>(w.data() + 16);
        eth->cs_flags = s.cs_flags;
        eth->mss = htobe16(s.mss);
        if (s.insert_vlan_type) {
            eth->inline_hdr_sz = htobe16(s.insert_vlan_type);
            w[16 + 14] = uint8_t(s.insert_vlan_tci >> 8);
            w[16 + 15] = uint8_t(s.insert_vlan_tci);
        } else {
            eth->inline_hdr_sz = htobe16(uint16_t(s.inline_hdr.size()));
            w.resize(std::max<size_t>(32, (30 + s.inline_hdr.size() + 15) / 16 * 16));
            if (!s.inline_hdr.empty())
                std::memcpy(w.data() + 30, s.inline_hdr.data(), s.inline_hdr.size());
        }
        std::vector<Bytes> inlines = s.inline_each;
        if (s.has_inline)
            inlines.insert(inlines.begin(), s.inline_data);
        for (const Bytes &data : inlines) {
            ds_at = w.size();
            w.resize(ds_at + (4 + data.size() + 15) / 16 * 16);
            put32(w, ds_at, uint32_t(data.size()) | MLX5_INLINE_SEG);
            if (!data.empty())
                std::memcpy(w.data() + ds_at + 4, data.data(), data.size());
        }
        for (const Sge &g : s.sges) {
            ds_at = w.size();
            w.resize(ds_at + 16);
            put32(w, ds_at, g.len);
            put32(w, ds_at + 4, g.lkey);
            put32(w, ds_at + 8, uint32_t(g.addr >> 32));
            put32(w, ds_at + 12, uint32_t(g.addr));
        }
        if (s.opcode == MLX5_OPCODE_NOP)
            w.resize(16);
        uint32_t ds = s.force_ds >= 0 ? uint32_t(s.force_ds) : uint32_t(w.size() / 16);
        uint16_t index = sq_pi;
        put32(w, 0, uint32_t(s.opmod) << 24 | uint32_t(index) << 8 | s.opcode);
        put32(w, 4, cxemu_sq_number(qp) << 8 | ds);
        w[11] = uint8_t((s.signaled ? MLX5_WQE_CTRL_CQ_UPDATE : 0) |
                        (s.solicited ? MLX5_WQE_CTRL_SOLICITED : 0));
        for (size_t i = 0; i < w.size(); i++)
            sq_[((size_t(index) & (o_.sq - 1)) * 64 + i) % (size_t(o_.sq) * 64)] = w[i];
        sq_pi = uint16_t(sq_pi + (w.size() + 63) / 64);
        return index;
    }
    /* Writes a block of the send ring as it is. */
    void poke(uint32_t block, const uint8_t bytes[64])
    {
        std::memcpy(sq_ + size_t(block) * 64, bytes, 64);
    }
    void ring()
    {
        __atomic_store_n(&doorbell[1], htobe32(sq_pi), __ATOMIC_RELEASE);
    }
    uint16_t send(const Send &s)
    {
        uint16_t index = post(s);
        ring();
        return index;
    }
    uint16_t send_inline(const Bytes &frame, uint8_t cs_flags = 0, bool signaled = true)
    {
        Send s;
        s.has_inline = true;
        s.inline_data = frame;
        s.cs_flags = cs_flags;
        s.signaled = signaled;
        return send(s);
    }
    void recv(const std::vector<Sge> &sges)
    {
        size_t at = (size_t(rq_pi) & (o_.rq - 1)) << o_.shift;
        size_t room = size_t(1) << (o_.shift - 4);
        auto *seg = reinterpret_cast<mlx5_wqe_data_seg *>(rq_ + at);
        size_t i = 0;
        for (; i < sges.size() && i < room; i++) {
            seg[i].byte_count = htobe32(sges[i].len);
            seg[i].lkey = htobe32(sges[i].lkey);
            seg[i].addr = htobe64(sges[i].addr);
        }
        if (i < room) {
            seg[i].byte_count = 0;
            seg[i].lkey = htobe32(MLX5_INVALID_LKEY);
            seg[i].addr = 0;
        }
        rq_pi++;
        __atomic_store_n(&doorbell[0], htobe32(rq_pi), __ATOMIC_RELEASE);
    }

    cxemu_qp *qp = nullptr;
    uint16_t sq_pi = 0, rq_pi = 0;
    std::vector<cxemu_event> events;
    uint32_t doorbell[2] = {0, 0};

  private:
    /* not inlined: gcc 12 then warns of an overflow that is none */
    __attribute__((noinline)) static void put32(Bytes &w, size_t at, uint32_t v)
    {
        v = htobe32(v);
        std::memcpy(w.data() + at, &v, 4);
    }
    Options o_;
    uint8_t *sq_, *rq_;
};

/* A receive queue of its own. */
class Wq
{
  public:
    struct Options {
        uint32_t count = 64;
        uint8_t shift = 6;
        bool strip = false, fcs = false;
        uint8_t strides_log = 0, stride_bytes_log = 0; /* 0: not striding */
        bool two_byte_shift = false;
        uint32_t pd = 1, uidx = 0x88;
        cxemu_rq_state state = CXEMU_RQS_RDY;
    };
    Wq(cxemu_nic *nic, Cq *cq, const Options &o) : o_(o)
    {
        void *p = nullptr;
        EXPECT_EQ(posix_memalign(&p, 4096, size_t(o.count) << o.shift), 0);
        ring_ = static_cast<uint8_t *>(p);
        cxemu_rq_attr attr = {};
        attr.pd = o.pd;
        attr.cq = cq->cq;
        attr.buf = ring_;
        attr.wqe_count = o.count;
        attr.wqe_shift = o.shift;
        attr.doorbell = doorbell;
        attr.space = space();
        attr.uidx = o.uidx;
        attr.vlan_strip = o.strip;
        attr.scatter_fcs = o.fcs;
        attr.strides_log = o.strides_log;
        attr.stride_bytes_log = o.stride_bytes_log;
        attr.two_byte_shift = o.two_byte_shift;
        attr.fatal = CXEMU_EVENT_WQ_FATAL;
        attr.on_error = [](void *c, cxemu_event e) { static_cast<Wq *>(c)->events.push_back(e); };
        attr.cookie = this;
        EXPECT_EQ(cxemu_rq_create(nic, &attr, &rq), 0);
        cxemu_rq_state_set(rq, o.state);
    }
    ~Wq()
    {
        cxemu_rq_destroy(rq);
        free(ring_);
    }
    Wq(const Wq &) = delete;

    void recv(const std::vector<Sge> &sges)
    {
        size_t at = (size_t(pi) & (o_.count - 1)) << o_.shift;
        size_t i = o_.stride_bytes_log ? 1 : 0, room = size_t(1) << (o_.shift - 4);
        auto *seg = reinterpret_cast<mlx5_wqe_data_seg *>(ring_ + at);
        for (const Sge &s : sges) {
            ASSERT_LT(i, room);
            seg[i].byte_count = htobe32(s.len);
            seg[i].lkey = htobe32(s.lkey);
            seg[i++].addr = htobe64(s.addr);
        }
        if (i < room) {
            seg[i].byte_count = 0;
            seg[i].lkey = htobe32(MLX5_INVALID_LKEY);
            seg[i].addr = 0;
        }
        pi++;
        __atomic_store_n(&doorbell[0], htobe32(pi), __ATOMIC_RELEASE);
    }

    cxemu_rq *rq = nullptr;
    uint16_t pi = 0;
    std::vector<cxemu_event> events;
    uint32_t doorbell[2] = {0, 0};

  private:
    Options o_;
    uint8_t *ring_;
};

/* Match key: byte offsets of fte_match_set_lyr_2_4. */
struct Rule {
    cxemu_flow_attr attr = {};
    explicit Rule(cxemu_qp *qp, uint16_t priority = 0)
    {
        attr.qp = qp;
        attr.priority = priority;
    }
    Rule &field(size_t at, const Bytes &value, Bytes mask = {})
    {
        if (mask.empty())
            mask = Bytes(value.size(), 0xff);
        for (size_t i = 0; i < value.size(); i++) {
            attr.value[at + i] |= value[i];
            attr.mask[at + i] |= mask[i];
        }
        return *this;
    }
    Rule &dmac(const rs_mac &m)
    {
        return field(8, Bytes(m.bytes, m.bytes + 6));
    }
    Rule &smac(const rs_mac &m)
    {
        return field(0, Bytes(m.bytes, m.bytes + 6));
    }
    Rule &ip_version(uint8_t v)
    {
        return field(18, {uint8_t(v << 1)}, {0x1e});
    }
    Rule &proto(uint8_t p)
    {
        return field(16, {p});
    }
    Rule &udp_dport(uint16_t p)
    {
        return field(30, be16(p));
    }
    Rule &udp_sport(uint16_t p)
    {
        return field(28, be16(p));
    }
    Rule &tcp_dport(uint16_t p)
    {
        return field(22, be16(p));
    }
    Rule &tcp_sport(uint16_t p)
    {
        return field(20, be16(p));
    }
    Rule &dst4(const Bytes &ip)
    {
        return field(60, ip);
    }
    Rule &src4(const Bytes &ip)
    {
        return field(44, ip);
    }
    Rule &tag(uint32_t t)
    {
        attr.has_tag = true;
        attr.tag = t;
        return *this;
    }
};

/* Two NICs on a memory cable; flows are destroyed with the fixture. */
class Pair : public testing::Test
{
  protected:
    explicit Pair(const cxemu_clock &clock = {}, uint64_t rx_wait_ns = 0)
    {
        cxemu_wire *w[2];
        EXPECT_EQ(cxemu_wire_mem_create(&w[0], &w[1]), 0);
        for (int i = 0; i < 2; i++) {
            cxemu_nic_attr attr = {};
            attr.mac = mac_of(uint8_t(i + 1));
            attr.mtu_bytes = 1500;
            attr.wire = w[i];
            attr.netdev_fd = -1;
            attr.clock = clock;
            attr.rx_wait_ns = rx_wait_ns;
            EXPECT_EQ(cxemu_nic_create(&attr, &nic[i]), 0);
        }
    }
    ~Pair() override
    {
        for (cxemu_flow *f : flows)
            cxemu_flow_destroy(f);
        for (auto &p : ports)
            p.reset();
        for (cxemu_nic *n : nic)
            cxemu_nic_destroy(n);
    }
    int pump(unsigned budget = 64)
    {
        return cxemu_nic_pump(nic[0], budget) + cxemu_nic_pump(nic[1], budget);
    }
    void settle()
    {
        while (pump() > 0) {
        }
    }
    int flow(const Rule &r, cxemu_flow **out = nullptr, int which = 0)
    {
        cxemu_flow *f = nullptr;
        int rc = cxemu_flow_create(nic[which], &r.attr, &f);
        if (rc == 0 && out)
            *out = f;
        else if (rc == 0)
            flows.push_back(f);
        return rc;
    }
    uint64_t counter(int which, const char *name)
    {
        return cxemu_nic_counter(nic[which], name);
    }

    /* A queue pair with CQs and memory on NIC `which`. */
    struct Port {
        Port(cxemu_nic *n, const Qp::Options &o, uint32_t cqes = 256, uint32_t cqe_bytes = 64)
            : scq(n, cqes, cqe_bytes), rcq(n, cqes, cqe_bytes), mr(n, 1 << 18), qp(n, &scq, &rcq, o)
        {
        }
        /* n receive buffers of 2 KB from the arena's start. */
        void recv(unsigned n, uint32_t len = 2048)
        {
            for (unsigned i = 0; i < n; i++, next_recv++)
                qp.recv({{mr.addr((next_recv % 64) * 2048), len, mr.lkey()}});
        }
        Bytes received(const Completion &c) const
        {
            const uint8_t *p = mr.mem.data() + (c.counter() % 64) * 2048;
            return Bytes(p, p + c.byte_cnt());
        }
        Cq scq, rcq;
        Mr mr;
        Qp qp;
        unsigned next_recv = 0;
    };
    Port *port(int which, const Qp::Options &o = Qp::Options(), uint32_t cqes = 256,
               uint32_t cqe_bytes = 64)
    {
        ports.push_back(std::make_unique<Port>(nic[which], o, cqes, cqe_bytes));
        return ports.back().get();
    }

    cxemu_nic *nic[2] = {};
    std::vector<cxemu_flow *> flows;
    std::vector<std::unique_ptr<Port>> ports;
};

} // namespace rig

#endif
