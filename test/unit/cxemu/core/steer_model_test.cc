// SPDX-License-Identifier: BSD-2-Clause
// Steering against a naive model: random frames over random rules that come and go, and
// that miss each other narrowly. The model knows frames and rules as lists of named fields and goes
// through all rules; it shares no code with the NIC and sees no bytes.
//
// Each rule drops into a counter of its own, so that which rule took a frame can be read off.
// CXEMU_TEST_STEER_FRAMES: another number of frames. 200,000 take a few seconds in the debug build;
// a million were run by hand.
#include "tunnels.h"

#include "cxemu/core/device.h"

#include <cstdlib>
#include <map>
#include <optional>
#include <random>

using namespace rig;

namespace
{

enum Field {
    DMAC,
    SMAC,
    VID,
    VERSION,
    SRC,
    DST,
    PROTO,
    TOS,
    SPORT,
    DPORT,
    VNI,
    IN_DST,
    IN_DPORT,
    FIELDS
};

/* What a frame has; absent: the header is not there. */
using Facts = std::array<std::optional<uint32_t>, FIELDS>;

struct Wish {
    uint32_t value = 0, mask = 0; /* mask 0: no matter */
};

struct Case {
    std::array<Wish, FIELDS> wishes;
    uint16_t priority = 0;
    uint64_t born = 0; /* of its mask at its priority: the oldest mask wins */
    uint64_t hits = 0;
    cxemu_flow *flow = nullptr;
    cxemu_flow_counter *counter = nullptr;
};

struct Model : Pair {
    std::mt19937_64 rng{20260401};
    std::vector<std::unique_ptr<Case>> cases;
    std::map<std::pair<uint16_t, std::array<uint32_t, FIELDS>>, std::pair<uint64_t, int>> masks;
    uint64_t births = 0, unmatched = 0;

    uint32_t any(uint32_t n)
    {
        return uint32_t(rng() % n);
    }
    ~Model() override
    {
        while (!cases.empty())
            remove(cases.size() - 1);
    }

    /* A frame out of few values, so that rules often hit and often miss by one field. */
    Bytes frame(Facts &facts)
    {
        Frame f = any(4) ? Frame() : Frame::v6();
        facts = {};
        f.proto = any(2) ? 17 : 6;
        f.dst = mac_of(uint8_t(1 + any(3)));
        f.src = mac_of(uint8_t(8 + any(2)));
        f.sip[f.sip.size() - 1] = uint8_t(any(4));
        f.dip[f.dip.size() - 1] = uint8_t(any(4));
        f.tos = uint8_t(any(2) << 2);
        f.sport = uint16_t(1000 + any(4));
        f.dport = uint16_t(2000 + any(4));
        f.payload = Bytes(4, 0);
        f.fill_checksums = false;
        if (any(4) == 0) {
            f.vlan_tpid = 0x8100;
            f.vlan_tci = int(any(3));
            facts[VID] = uint32_t(f.vlan_tci);
        }
        Bytes bytes;
        if (f.proto == 17 && any(2)) {
            Frame in;
            in.proto = 17;
            in.dip[3] = uint8_t(any(3));
            in.dport = uint16_t(80 + any(2));
            in.payload = Bytes(4, 0);
            in.fill_checksums = false;
            facts[VNI] = any(3);
            facts[IN_DST] = be(in.dip);
            facts[IN_DPORT] = in.dport;
            f.dport = 4789;
            f.payload = concat({Bytes{8, 0, 0, 0}, be32(*facts[VNI] << 8), in.build()});
        }
        facts[DMAC] = f.dst.bytes[5];
        facts[SMAC] = f.src.bytes[5];
        facts[VERSION] = uint32_t(f.version);
        facts[SRC] = be(f.sip);
        facts[DST] = be(f.dip);
        facts[PROTO] = f.proto;
        facts[TOS] = f.tos;
        facts[SPORT] = uint32_t(f.proto) << 16 | f.sport; /* TCP's and UDP's are two fields */
        facts[DPORT] = uint32_t(f.proto) << 16 | f.dport;
        return f.build();
    }
    static uint32_t be(const Bytes &ip)
    {
        const uint8_t *p = ip.data() + ip.size() - 4;
        return uint32_t(p[0]) << 24 | uint32_t(p[1]) << 16 | uint32_t(p[2]) << 8 | p[3];
    }

    /* Wishes for some of a random frame's facts. */
    void make_wishes(Case &c)
    {
        static const uint32_t full[FIELDS] = {0xff, 0xff, 0xfff, 0xf,      ~0u, ~0u,   0xff,
                                              0xff, ~0u,  ~0u,   0xffffff, ~0u, 0xffff};
        Facts facts;
        (void)frame(facts);
        for (int field = 0; field < FIELDS; field++) {
            if (!facts[field] || any(4) != 0)
                continue;
            uint32_t mask = full[field];
            if ((field == DST || field == SRC || field == IN_DST) && any(3) == 0)
                mask = 0xfffffffe;
            c.wishes[field] = {*facts[field] & mask, mask};
        }
        c.priority = uint16_t(any(3));
    }
    static bool matches(const Case &c, const Facts &facts)
    {
        for (int field = 0; field < FIELDS; field++) {
            const Wish &w = c.wishes[field];
            /* what is not there reads as zero, but for ports, of which the protocol is part */
            if (w.mask && (facts[field].value_or(0) & w.mask) != w.value)
                return false;
            if (w.mask && field == VID && !facts[field])
                return false; /* the rule wants a tag */
        }
        return true;
    }
    const Case *expected(const Facts &facts)
    {
        const Case *best = nullptr;
        for (const auto &c : cases)
            if (matches(*c, facts) && (!best || std::make_pair(c->priority, c->born) <
                                                    std::make_pair(best->priority, best->born)))
                best = c.get();
        return best;
    }

    Rule rule_of(const Case &c)
    {
        Rule r(nullptr, c.priority);
        r.attr.drop = true;
        r.attr.counter = c.counter;
        static const size_t at[FIELDS] = {13, 5, 14, 18,      44,       60,      16,
                                          17, 0, 0,  64 + 20, 128 + 60, 128 + 30};
        for (int field = 0; field < FIELDS; field++) {
            const Wish &w = c.wishes[field];
            Bytes v = be32(w.value), m = be32(w.mask);
            if (!w.mask)
                continue;
            size_t bytes = field == VID || field == IN_DPORT                 ? 2
                           : field == VNI                                    ? 3
                           : field == SRC || field == DST || field == IN_DST ? 4
                                                                             : 1;
            if (field == SPORT || field == DPORT) {
                bool tcp = w.value >> 16 == 6;
                size_t port_at = (tcp ? 20 : 28) + (field == DPORT ? 2 : 0);
                r.field(port_at, be16(w.value & 0xffff)).field(16, {uint8_t(w.value >> 16)});
            } else if (field == VERSION) {
                r.ip_version(uint8_t(w.value));
            } else {
                r.field(at[field], Bytes(v.end() - long(bytes), v.end()),
                        Bytes(m.end() - long(bytes), m.end()));
            }
            if (field == VID)
                r.field(18, {0x80}, {0x80});
        }
        return r;
    }
    /* The mask as the NIC sees it: which of the two protocols' ports makes a difference. */
    static std::array<uint32_t, FIELDS> mask_of(const Case &c)
    {
        std::array<uint32_t, FIELDS> m;
        for (int field = 0; field < FIELDS; field++)
            m[size_t(field)] = c.wishes[field].mask;
        for (int field : {SPORT, DPORT})
            if (m[size_t(field)]) {
                m[PROTO] = 0xff; /* a port brings its protocol */
                m[size_t(field)] = c.wishes[field].value >> 16;
            }
        return m;
    }
    void add()
    {
        auto c = std::make_unique<Case>();
        make_wishes(*c);
        Rule r = rule_of(*c);
        for (const auto &other : cases) {
            Rule o = rule_of(*other); /* an identical one would share its entry */
            if (other->priority == c->priority &&
                std::memcmp(o.attr.mask, r.attr.mask, sizeof(o.attr.mask)) == 0 &&
                std::memcmp(o.attr.value, r.attr.value, sizeof(o.attr.value)) == 0)
                return;
        }
        ASSERT_EQ(cxemu_flow_counter_create(nic[0], &c->counter), 0);
        r.attr.counter = c->counter;
        ASSERT_EQ(flow(r, &c->flow), 0);
        auto &mask = masks[{c->priority, mask_of(*c)}];
        if (mask.second++ == 0)
            mask.first = ++births;
        c->born = mask.first;
        cases.push_back(std::move(c));
    }
    void remove(size_t i)
    {
        cxemu_flow_destroy(cases[i]->flow);
        cxemu_flow_counter_destroy(cases[i]->counter);
        auto mask = masks.find({cases[i]->priority, mask_of(*cases[i])});
        if (--mask->second.second == 0)
            masks.erase(mask);
        cases.erase(cases.begin() + long(i));
    }
    void one_frame()
    {
        Facts facts;
        const Bytes bytes = frame(facts);
        auto *best = const_cast<Case *>(expected(facts));
        cxemu_rx_frame f;
        ASSERT_EQ(cxemu_frame_parse(&f, bytes.data(), uint32_t(bytes.size())), 0);
        cxemu_steer_rx(nic[0], &f);
        (best ? best->hits : unmatched)++;
        if (best) {
            ASSERT_EQ(best->counter->packets, best->hits);
        }
        ASSERT_EQ(nic[0]->counters.rx_dropped_no_match, unmatched);
    }
};

TEST_F(Model, FramesGoWhereAScanOfAllRulesSays)
{
    const char *asked = std::getenv("CXEMU_TEST_STEER_FRAMES");
    const long frames = asked ? std::atol(asked) : 200000;
    uint64_t matched = 0;
    for (long n = 0; n < frames && !HasFatalFailure(); n++) {
        if (n % 5000 == 0) {
            while (!cases.empty())
                remove(cases.size() - 1);
            for (int i = 0; i < 24; i++)
                add();
        } else if (n % 16 == 0) { /* rules come and go under traffic */
            if (cases.size() > 12)
                remove(any(uint32_t(cases.size())));
            add();
        }
        one_frame();
        if (n % 5000 == 4999) {
            for (const auto &c : cases) {
                ASSERT_EQ(c->counter->packets, c->hits) << "another rule took a frame";
            }
        }
    }
    matched = uint64_t(frames) - unmatched;
    EXPECT_GT(matched * 10, uint64_t(frames)) << "rules hardly ever hit";
    EXPECT_GT(unmatched * 100, uint64_t(frames)) << "rules always hit";
}

} // namespace
