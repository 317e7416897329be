// SPDX-License-Identifier: BSD-2-Clause
// Replay with its timing and rounds, recording of any wire, and one into the other; what is written
// is read back by libpcap and by tcpdump.
#include "impair_rig.h"

extern "C" {
#include "cxemu/wires/pcap_file.h"
#include "cxemu/wires/wire_pcap.h"
#include "cxemu/wires/wire_record.h"
}

#include <cstdio>
#include <cstdlib>
#include <unistd.h>

using namespace rig;

namespace
{

struct Pcap : testing::Test {
    void SetUp() override
    {
        char dir[] = "/tmp/cxemu-pcap-XXXXXX";
        ASSERT_NE(mkdtemp(dir), nullptr);
        folder = dir;
        path = folder + "/a.pcap";
        clock.now_ns = [](void *cookie) { return *static_cast<uint64_t *>(cookie); };
        clock.cookie = &now;
    }
    void TearDown() override
    {
        unlink(path.c_str());
        rmdir(folder.c_str());
    }
    /* Frames 0, 1, 2, ... at the given times. */
    void write(const std::vector<uint64_t> &times)
    {
        cxemu_pcap_out *out;
        ASSERT_EQ(cxemu_pcap_out_create(path.c_str(), &out), 0);
        for (uint32_t i = 0; i < times.size(); i++) {
            Bytes b = Impaired::numbered(i, 60 + i * 10);
            EXPECT_TRUE(cxemu_pcap_out_add(out, times[i], b.data(), uint32_t(b.size())));
        }
        cxemu_pcap_out_destroy(out);
    }
    cxemu_wire *replay(uint32_t speed, uint32_t loops, uint64_t wait = 0)
    {
        cxemu_wire_pcap_attr attr = {path.c_str(), speed, loops, wait, clock};
        cxemu_wire *w = nullptr;
        char err[200] = "";
        EXPECT_EQ(cxemu_wire_pcap_create(&attr, &w, err, sizeof(err)), 0) << err;
        if (w)
            w->ops->end_set(w, true);
        return w;
    }
    /* When each frame came. */
    std::vector<std::pair<uint32_t, uint64_t>> play(cxemu_wire *w, size_t at_most = 1000)
    {
        std::vector<std::pair<uint32_t, uint64_t>> all;
        for (;;) {
            cxemu_frame f[32];
            int n = w->ops->rx(w, f, 32);
            for (int i = 0; i < n; i++) {
                uint32_t id;
                std::memcpy(&id, f[i].data + f[i].len - 4, 4);
                all.emplace_back(id, now);
            }
            w->ops->rx_release(w);
            if (n == 0) {
                uint64_t due = cxemu_wire_due_ns(w);
                if (due == UINT64_MAX || all.size() >= at_most)
                    return all;
                now = std::max(now + 1, due);
            }
        }
    }
    using Trace = std::vector<std::pair<uint32_t, uint64_t>>;
    std::string folder, path;
    uint64_t now = 5 * SEC;
    cxemu_clock clock = {};
};

const std::vector<uint64_t> times = {1000 * SEC + 1, 1000 * SEC + 3001, 1001 * SEC};

TEST_F(Pcap, ReplaysWithTheRecordedTiming)
{
    write(times);
    cxemu_wire *w = replay(100, 1);
    EXPECT_EQ(play(w), (Trace{{0, 5 * SEC}, {1, 5 * SEC + 3000}, {2, 6 * SEC - 1}}));
    w->ops->destroy(w);
}

TEST_F(Pcap, SpeedRoundsAndWaiting)
{
    write(times);
    cxemu_wire *w = replay(200, 2, 7 * SEC);
    EXPECT_EQ(play(w), (Trace{{0, 12 * SEC},
                              {1, 12 * SEC + 1500},
                              {2, 12 * SEC + SEC / 2 - 1},
                              {0, 12 * SEC + SEC / 2 - 1},
                              {1, 12 * SEC + SEC / 2 - 1 + 1500},
                              {2, 13 * SEC - 2}}));
    w->ops->destroy(w);
    w = replay(0, 1);
    uint64_t began = now;
    auto fast = play(w);
    ASSERT_EQ(fast.size(), 3u);
    EXPECT_EQ(fast[2].second, began);
    w->ops->destroy(w);
    w = replay(100, 0);
    EXPECT_GE(play(w, 50).size(), 50u) << "for ever";
    w->ops->destroy(w);
}

TEST_F(Pcap, BeginsWhenTheLinkIsUpAndSendsToNobody)
{
    write(times);
    cxemu_wire *w = replay(100, 1);
    w->ops->end_set(w, false);
    cxemu_frame f[4];
    EXPECT_EQ(w->ops->rx(w, f, 4), 0);
    now += 100 * SEC;
    w->ops->end_set(w, true);
    EXPECT_EQ(w->ops->rx(w, f, 4), 1);
    EXPECT_TRUE(Impaired::put(w, Impaired::numbered(1, 60)));
    EXPECT_EQ(w->ops->stat(w, CXEMU_WIRE_UNHEARD), 1u);
    w->ops->destroy(w);
}

TEST_F(Pcap, WhatIsNotSuchAFileIsRefusedWithAReason)
{
    cxemu_wire_pcap_attr attr = {path.c_str(), 100, 1, 0, clock};
    cxemu_wire *w;
    char err[200] = "";
    EXPECT_EQ(cxemu_wire_pcap_create(&attr, &w, err, sizeof(err)), -ENOENT);
    FILE *f = fopen(path.c_str(), "w");
    fputs("this is no capture file, whatever its name says", f);
    fclose(f);
    EXPECT_EQ(cxemu_wire_pcap_create(&attr, &w, err, sizeof(err)), -EINVAL);
    EXPECT_NE(std::string(err), "");
}

/* Broken anywhere, a file ends early; it does no harm. */
TEST_F(Pcap, ABrokenFileEndsTheReplay)
{
    write(times);
    FILE *f = fopen(path.c_str(), "r");
    Bytes good(4096);
    good.resize(fread(good.data(), 1, good.size(), f));
    fclose(f);
    for (size_t i = 0; i < good.size(); i++) {
        Bytes bad = good;
        bad[i] ^= 0xff;
        if (i % 3 == 0)
            bad.resize(i);
        f = fopen(path.c_str(), "w");
        fwrite(bad.data(), 1, bad.size(), f);
        fclose(f);
        cxemu_wire_pcap_attr attr = {path.c_str(), 0, 1, 0, clock};
        cxemu_wire *w;
        if (cxemu_wire_pcap_create(&attr, &w, nullptr, 0) < 0)
            continue;
        w->ops->end_set(w, true);
        EXPECT_LE(play(w).size(), 4u);
        w->ops->destroy(w);
    }
}

TEST_F(Pcap, RecordsBothWaysAndReplaysWhatItRecorded)
{
    cxemu_wire *a, *b, *r;
    ASSERT_EQ(cxemu_wire_mem_create(&a, &b), 0);
    ASSERT_EQ(cxemu_wire_record_create(a, &clock, path.c_str(), &r), 0);
    for (uint32_t i = 0; i < 500; i++) {
        now += 1234567;
        cxemu_wire *from = i % 2 ? b : r;
        ASSERT_TRUE(Impaired::put(from, Impaired::numbered(i, 60 + i)));
        from->ops->tx_flush(from);
        cxemu_frame f[2];
        cxemu_wire *to = i % 2 ? r : b;
        ASSERT_EQ(to->ops->rx(to, f, 2), 1);
        to->ops->rx_release(to);
    }
    r->ops->destroy(r);
    b->ops->destroy(b);
    cxemu_wire *w = replay(100, 1);
    uint64_t began = now;
    auto all = play(w);
    ASSERT_EQ(all.size(), 500u);
    for (uint32_t i = 0; i < 500; i++)
        EXPECT_EQ(all[i], (std::pair<uint32_t, uint64_t>(i, began + i * 1234567ull)));
    w->ops->destroy(w);
}

TEST_F(Pcap, TcpdumpReadsIt)
{
    if (std::system("command -v tcpdump >/dev/null") != 0)
        GTEST_SKIP() << "there is no tcpdump here";
    write(times);
    FILE *p = popen(("tcpdump -nnr " + path + " --nano -tt 2>&1").c_str(), "r");
    ASSERT_NE(p, nullptr);
    char text[4096] = "";
    text[fread(text, 1, sizeof(text) - 1, p)] = 0;
    pclose(p);
    EXPECT_NE(std::string(text).find("1000.000003001 IP 10.0.0.2.1111 > 10.0.0.1.2222: UDP"),
              std::string::npos)
        << text;
}

} // namespace
