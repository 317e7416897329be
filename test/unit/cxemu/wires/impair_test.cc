// SPDX-License-Identifier: BSD-2-Clause
// Each impairment in virtual time: rate, delay, loss, order, corruption, queues and marks, and what
// a change while frames wait does.
#include "impair_rig.h"

#include <cmath>
#include <set>

using namespace rig;

namespace
{

/* Sends n frames, numbered, 1 us apart; all that arrive. Either direction. */
std::vector<Arrival> trace(const std::string &text, uint32_t n, bool receive = false,
                           uint64_t *lost = nullptr, uint32_t len = 100, uint32_t burst = 1)
{
    Impaired w(text);
    std::vector<Arrival> all;
    for (uint32_t i = 0; i < n;) {
        for (uint32_t j = 0; j < burst && i < n; j++, i++) {
            if (receive) {
                EXPECT_TRUE(Impaired::put(w.far_end, Impaired::numbered(i, len)));
                w.far_end->ops->tx_flush(w.far_end);
            } else {
                EXPECT_TRUE(w.send(i, len));
            }
        }
        w.near_end->ops->tx_flush(w.near_end);
        w.take(receive ? w.near_end : w.far_end, all);
        w.now += 1 * US * burst;
    }
    for (uint64_t end = w.now + 100 * SEC; w.due() < end;) {
        w.now = std::max(w.now + 1, w.due());
        w.near_end->ops->tx_flush(w.near_end);
        w.take(receive ? w.near_end : w.far_end, all);
    }
    if (lost)
        *lost = w.stat(CXEMU_WIRE_LOST);
    return all;
}

/* Four standard deviations of a binomial share. */
void expect_share(uint64_t got, uint64_t n, double p)
{
    double sigma = std::sqrt(double(n) * p * (1 - p));
    EXPECT_NEAR(double(got), double(n) * p, 4 * sigma + 1);
}

/* --- determinism ---------------------------------------------------------------------------- */

const char *const everything =
    "loss=3%,loss_burst=2%:4,dup=5%,corrupt=10%:3,reorder=5%:3,delay=2ms,"
    "jitter=1ms,jitter_order=free,seed=7";

TEST(Impair, SameSeedSameTraceInEitherDirection)
{
    for (bool receive : {false, true}) {
        auto one = trace(everything, 5000, receive);
        EXPECT_EQ(one, trace(everything, 5000, receive));
        EXPECT_NE(ids(one), ids(trace(std::string(everything) + "1", 5000, receive)));
    }
}

TEST(Impair, ALossDoesNotDependOnHowManyFramesCameAtOnceOrOnOtherStages)
{
    auto lost_with = [](const std::string &more, uint32_t burst) {
        auto all = trace("loss=5%,seed=3" + more, 5000, false, nullptr, 100, burst);
        auto v = ids(all);
        return std::set<uint32_t>(v.begin(), v.end());
    };
    auto one = lost_with("", 1);
    EXPECT_EQ(one, lost_with("", 17));
    EXPECT_EQ(one, lost_with(",delay=1ms,jitter=500us", 1));
    EXPECT_EQ(one, lost_with(",dup=10%,reorder=10%:2", 5));
}

TEST(Impair, DirectionsAreApart)
{
    for (bool receive : {false, true}) {
        EXPECT_EQ(trace("rx_loss=100%", 100, receive).size(), receive ? 0u : 100u);
        EXPECT_EQ(trace("tx_loss=100%", 100, receive).size(), receive ? 100u : 0u);
        EXPECT_EQ(trace("loss=100%", 100, receive).size(), 0u);
        EXPECT_EQ(trace(receive ? "rx_delay=1ms" : "tx_delay=1ms", 1, receive)[0].at, SEC + MS);
        EXPECT_EQ(trace(receive ? "tx_delay=1ms" : "rx_delay=1ms", 1, receive)[0].at, SEC);
    }
    auto lost = [](bool receive) { return ids(trace("loss=50%", 200, receive)); };
    EXPECT_NE(lost(false), lost(true)) << "generators of their own";
}

/* --- loss ----------------------------------------------------------------------------------- */

TEST(Impair, RandomLossIsAsFrequentAsAsked)
{
    for (bool receive : {false, true}) {
        for (double share : {0.001, 0.01, 0.3}) {
            uint64_t lost;
            auto all = trace("loss=" + std::to_string(share), 20000, receive, &lost);
            EXPECT_EQ(all.size() + lost, 20000u);
            expect_share(lost, 20000, share);
        }
    }
    EXPECT_EQ(trace("loss=100%", 100).size(), 0u);
    EXPECT_EQ(trace("loss=0%", 100).size(), 100u);
}

/* Lengths of the runs of missing numbers. */
std::vector<uint32_t> gaps(const std::vector<Arrival> &all)
{
    std::vector<uint32_t> v;
    uint32_t expected = 0;
    for (const Arrival &a : all) {
        if (a.id != expected)
            v.push_back(a.id - expected);
        expected = a.id + 1;
    }
    return v;
}

TEST(Impair, BurstsHaveTheLengthAndShareAsked)
{
    uint64_t lost;
    auto all = trace("loss_burst=2%:5", 100000, false, &lost);
    auto runs = gaps(all);
    double mean = double(lost) / double(runs.size());
    EXPECT_NEAR(mean, 5.0, 0.4);
    EXPECT_NEAR(double(lost) / 100000, 0.02, 0.003);
    /* Lengths are geometric: about a fifth of them is 1. */
    auto ones = std::count(runs.begin(), runs.end(), 1u);
    EXPECT_NEAR(double(ones) / double(runs.size()), 0.2, 0.06);
}

TEST(Impair, GilbertElliottLosesInBothStates)
{
    uint64_t lost;
    /* a quarter of the time bad, half lost there, a tenth elsewhere */
    trace("loss_ge=5%:15%:50%:10%", 100000, false, &lost);
    EXPECT_NEAR(double(lost) / 100000, 0.25 * 0.5 + 0.75 * 0.1, 0.01);
}

TEST(Impair, EveryNth)
{
    auto v = ids(trace("loss_every=4", 12));
    EXPECT_EQ(v, (std::vector<uint32_t>{0, 1, 2, 4, 5, 6, 8, 9, 10}));
}

TEST(Impair, OnlyWhatTheFilterMatchesIsLost)
{
    Impaired w("loss=100%,loss_filter=udp dst port 2222");
    Frame other;
    other.dport = 2223;
    Bytes b = other.build();
    b.resize(64);
    ASSERT_TRUE(w.send(1));
    ASSERT_TRUE(Impaired::put(w.near_end, b));
    auto all = w.pass();
    ASSERT_EQ(all.size(), 1u);
    EXPECT_EQ(all[0].frame, b);
    EXPECT_EQ(w.stat(CXEMU_WIRE_LOST), 1u);
    EXPECT_NE(w.set("loss_filter=udp dst dst").find("pcap-filter(7)"), std::string::npos);
    EXPECT_EQ(w.set("loss_filter=none"), "");
    ASSERT_TRUE(Impaired::put(w.near_end, b));
    EXPECT_EQ(w.pass().size(), 0u);
}

/* --- rate ----------------------------------------------------------------------------------- */

/* As many frames as the wire takes in a second of virtual time; bits of the medium. */
uint64_t bits_in_a_second(const std::string &text, uint32_t len, uint64_t step_ns)
{
    Impaired w(text);
    const uint64_t end = w.now + SEC;
    uint64_t bits = 0;
    uint32_t id = 0;
    while (w.now < end) {
        while (w.send(id, len))
            id++;
        for (const Arrival &a : w.pass())
            bits += (a.frame.size() + 24) * 8;
        w.now += step_ns;
    }
    w.now = end;
    for (const Arrival &a : w.pass())
        bits += (a.frame.size() + 24) * 8;
    return bits;
}

TEST(Impair, RateIsExactOverASecondAtAnyStepOfTheClock)
{
    struct {
        const char *text;
        double rate;
        uint32_t len;
        uint64_t step;
    } const cases[] = {
        {"rate=10Mbit", 1e7, 1000, 10 * US},     {"rate=10Mbit", 1e7, 1000, 131 * US},
        {"rate=100Mbit", 1e8, 60, 50 * US},      {"rate=1Gbit", 1e9, 1514, 20 * US},
        {"rate=33.3Mbit", 3.33e7, 777, 37 * US},
    };
    for (const auto &c : cases)
        EXPECT_NEAR(double(bits_in_a_second(c.text, c.len, c.step)), c.rate, c.rate * 0.001)
            << c.text << " step " << c.step;
    /* a frame of 1500 B is a thousandth of a second here: all but the one in transmission */
    EXPECT_NEAR(double(bits_in_a_second("rate=1Mbit", 101, 100 * US)), 1e6, 1e3);
}

TEST(Impair, AFrameArrivesWhenItsLastBitAndTheGapHave)
{
    Impaired w("rate=1Gbit");
    ASSERT_TRUE(w.send(0, 1226)); /* 1250 B on the medium: 10 us */
    ASSERT_TRUE(w.send(1, 1226));
    auto all = w.run(w.now + MS);
    ASSERT_EQ(all.size(), 2u);
    EXPECT_EQ(all[0].at, SEC + 10 * US);
    EXPECT_EQ(all[1].at, SEC + 20 * US);
}

TEST(Impair, WithoutAQueueTheRatePushesBackAndLosesNothing)
{
    Impaired w("rate=1Mbit");
    uint32_t sent = 0;
    std::vector<Arrival> all;
    const uint64_t end = w.now + 2 * SEC;
    while (w.now < end) {
        while (w.send(sent, 500))
            sent++;
        EXPECT_GT(w.due(), w.now) << "or the driver would spin";
        auto some = w.run(std::min(w.due(), end));
        all.insert(all.end(), some.begin(), some.end());
        w.now++;
    }
    EXPECT_LE(sent - all.size(), 2u) << "little waits";
    EXPECT_NEAR(double(all.size()), 2e6 / (524 * 8), 2);
    EXPECT_EQ(w.stat(CXEMU_WIRE_QUEUE_FULL), 0u);
}

TEST(Impair, RateOnTheReceivingSideHoldsBackTheSender)
{
    Impaired w("rx_rate=1Mbit");
    uint32_t sent = 0;
    std::vector<Arrival> all;
    for (int i = 0; i < 20000; i++) {
        while (Impaired::put(w.far_end, Impaired::numbered(sent, 1000)))
            sent++;
        w.far_end->ops->tx_flush(w.far_end);
        w.take(w.near_end, all);
        w.now += 100 * US;
    }
    EXPECT_NEAR(double(all.size()), 2e6 / (1024 * 8), 2);
    EXPECT_LT(sent, all.size() + 150) << "what the memory wire holds and no more";
    for (uint32_t i = 0; i < all.size(); i++)
        ASSERT_EQ(all[i].id, i);
}

TEST(Impair, TheQueueIsBoundedInPacketsAndInBytes)
{
    for (const char *queue : {"queue=10", "queue=1000B"}) {
        Impaired w(std::string("rate=1Mbit,") + queue);
        for (uint32_t i = 0; i < 100; i++)
            ASSERT_TRUE(w.send(i, 100)) << "a queue takes or drops, it does not push back";
        auto all = w.run(w.now + SEC);
        EXPECT_EQ(all.size(), 11u) << queue << ": one in transmission and ten behind it";
        EXPECT_EQ(w.stat(CXEMU_WIRE_QUEUE_FULL), 89u);
        for (uint32_t i = 0; i < all.size(); i++)
            EXPECT_EQ(all[i].id, i) << "the tail is dropped";
    }
}

/* --- ECN ------------------------------------------------------------------------------------ */

Bytes with_tos(uint8_t tos, int version = 4)
{
    Frame f;
    f.tos = tos;
    f.version = version;
    if (version == 6) {
        f.sip = Bytes(16, 1);
        f.dip = Bytes(16, 2);
    }
    f.payload = Bytes(100, 1);
    return f.build();
}

uint8_t ecn_of(const Bytes &frame)
{
    rs_packet p;
    EXPECT_EQ(rs_packet_parse(frame.data(), uint32_t(frame.size()), &p), 0);
    EXPECT_TRUE(rs_packet_l3_csum_is_ok(frame.data(), &p));
    EXPECT_TRUE(rs_packet_l4_csum_is_ok(frame.data(), &p));
    return p.tos & 3;
}

TEST(Impair, MarksFromTheThresholdOn)
{
    for (int version : {4, 6}) {
        for (uint8_t ect : {1, 2}) {
            Impaired w("rate=1Mbit,queue=50,ecn=5");
            for (uint32_t i = 0; i < 20; i++)
                ASSERT_TRUE(Impaired::put(w.near_end, with_tos(uint8_t(0x28 | ect), version)));
            auto all = w.run(w.now + SEC);
            ASSERT_EQ(all.size(), 20u);
            /* the first is in transmission, five more wait: the next finds the queue that long */
            for (uint32_t i = 0; i < 20; i++)
                EXPECT_EQ(ecn_of(all[i].frame), i < 6 ? ect : 3) << i;
            EXPECT_EQ(w.stat(CXEMU_WIRE_ECN_MARKED), 14u);
        }
    }
}

TEST(Impair, WhatCannotBeMarkedIsDroppedOrPassedAsAsked)
{
    for (bool pass : {false, true}) {
        Impaired w(std::string("rate=1Mbit,queue=50,ecn=5,ecn_others=") + (pass ? "pass" : "drop"));
        for (uint32_t i = 0; i < 20; i++)
            ASSERT_TRUE(Impaired::put(w.near_end, with_tos(0)));
        auto all = w.run(w.now + SEC);
        EXPECT_EQ(all.size(), pass ? 20u : 6u);
        EXPECT_EQ(w.stat(CXEMU_WIRE_ECN_DROPPED), pass ? 0u : 14u);
        for (const Arrival &a : all)
            EXPECT_EQ(ecn_of(a.frame), 0);
    }
}

TEST(Impair, AThresholdInBytes)
{
    Impaired w("rate=1Mbit,ecn=500B,queue=100");
    const size_t len = with_tos(2).size();
    for (uint32_t i = 0; i < 20; i++)
        ASSERT_TRUE(Impaired::put(w.near_end, with_tos(2)));
    w.run(w.now + SEC);
    EXPECT_EQ(w.stat(CXEMU_WIRE_ECN_MARKED), 20 - 1 - (500 + len - 1) / len);
}

/* --- delay ---------------------------------------------------------------------------------- */

TEST(Impair, DelayIsExactAndDueSaysWhen)
{
    Impaired w("delay=5ms");
    EXPECT_EQ(w.due(), UINT64_MAX);
    ASSERT_TRUE(w.send(0));
    EXPECT_EQ(w.due(), SEC + 5 * MS);
    w.now += 5 * MS - 1;
    EXPECT_TRUE(w.pass().empty());
    w.now += 1;
    EXPECT_EQ(w.pass().size(), 1u);
    EXPECT_EQ(w.due(), UINT64_MAX);
}

TEST(Impair, UniformJitterIsBoundedAndKeepsOrderUnlessFreed)
{
    for (bool keep : {true, false}) {
        auto all = trace(
            std::string("delay=10ms,jitter=2ms,jitter_order=") + (keep ? "keep" : "free"), 5000);
        ASSERT_EQ(all.size(), 5000u);
        auto v = ids(all);
        EXPECT_EQ(std::is_sorted(v.begin(), v.end()), keep);
        double sum = 0;
        uint64_t low = UINT64_MAX, high = 0;
        for (const Arrival &a : all) {
            uint64_t d = a.at - (SEC + a.id * US);
            low = std::min(low, d);
            high = std::max(high, d);
            sum += double(d);
        }
        EXPECT_LE(high, 12 * MS);
        EXPECT_GE(low, 8 * MS);
        if (!keep) {
            EXPECT_NEAR(sum / 5000, 10e6, 0.07e6);
            EXPECT_GT(high, 11.98 * MS);
            EXPECT_LT(low, 8.02 * MS);
        }
    }
}

TEST(Impair, NormalJitterHasItsDeviation)
{
    auto all = trace("delay=20ms,jitter=2ms,jitter_dist=normal,jitter_order=free", 10000);
    double sum = 0, squares = 0;
    for (const Arrival &a : all) {
        double d = double(a.at - (SEC + a.id * US)) - 20e6;
        sum += d;
        squares += d * d;
    }
    EXPECT_NEAR(sum / 10000, 0, 0.08e6);
    EXPECT_NEAR(std::sqrt(squares / 10000), 2e6, 0.06e6);
}

/* --- duplication, order, corruption, length ------------------------------------------------- */

TEST(Impair, DuplicatesAreAsFrequentAsAskedAndEqual)
{
    auto all = trace("dup=10%", 10000);
    expect_share(all.size() - 10000, 10000, 0.1);
    for (size_t i = 1; i < all.size(); i++) {
        if (all[i].id == all[i - 1].id)
            EXPECT_EQ(all[i], all[i - 1]);
        else
            EXPECT_EQ(all[i].id, all[i - 1].id + 1);
    }
}

TEST(Impair, AReorderedFrameIsOvertakenByAsManyAsAsked)
{
    for (uint32_t distance : {1u, 3u, 10u}) {
        auto v = ids(trace("reorder=1%:" + std::to_string(distance), 10000));
        ASSERT_EQ(v.size(), 10000u);
        uint32_t moved = 0;
        for (size_t i = 0; i < v.size(); i++) {
            uint32_t overtaken_by = 0;
            for (size_t j = i > 40 ? i - 40 : 0; j < i; j++)
                overtaken_by += v[j] > v[i];
            if (overtaken_by) {
                moved++;
                EXPECT_GE(overtaken_by, distance);
                EXPECT_LE(overtaken_by, distance + 1) << "two held back at a time count each other";
            }
        }
        EXPECT_NEAR(moved, 100, 40);
    }
}

TEST(Impair, AFrameHeldBackDoesNotWaitForEver)
{
    Impaired w("reorder=100%:5");
    ASSERT_TRUE(w.send(0));
    EXPECT_TRUE(w.pass().empty());
    auto all = w.run(w.now + SEC);
    ASSERT_EQ(all.size(), 1u);
    EXPECT_EQ(all[0].at, SEC + 10 * MS);
}

TEST(Impair, FlipsAsManyBitsWhereAsked)
{
    struct {
        const char *where;
        size_t from, to;
    } const cases[] = {{"header", 0, 42}, {"payload", 42, 200}, {"any", 0, 200}};
    for (const auto &c : cases) {
        Impaired w(std::string("corrupt=50%:1,corrupt_where=") + c.where);
        const Bytes sent = Impaired::numbered(0, 200);
        uint32_t corrupted = 0;
        for (int i = 0; i < 2000; i++) {
            ASSERT_TRUE(Impaired::put(w.near_end, sent));
            for (const Arrival &a : w.pass()) {
                int bits = 0;
                for (size_t j = 0; j < sent.size(); j++) {
                    int flipped = __builtin_popcount(unsigned(a.frame[j] ^ sent[j]));
                    if (flipped && (j < c.from || j >= c.to))
                        ADD_FAILURE() << c.where << " at " << j;
                    bits += flipped;
                }
                EXPECT_LE(bits, 1);
                corrupted += bits;
            }
        }
        expect_share(corrupted, 2000, 0.5);
        EXPECT_EQ(w.stat(CXEMU_WIRE_CORRUPTED), corrupted);
    }
}

TEST(Impair, LongerThanThePathIsDroppedTagsNotCounted)
{
    Impaired w("path_mtu=500");
    ASSERT_TRUE(w.send(0, 514));
    ASSERT_TRUE(w.send(1, 515));
    Bytes tagged = Impaired::numbered(2, 514);
    const uint8_t tag[] = {0x81, 0, 0, 5};
    tagged.insert(tagged.begin() + 12, tag, tag + 4);
    ASSERT_TRUE(Impaired::put(w.near_end, tagged));
    EXPECT_EQ(ids(w.pass()), (std::vector<uint32_t>{0, 2}));
    EXPECT_EQ(w.stat(CXEMU_WIRE_OVERSIZE), 1u);
}

/* --- change while it runs ------------------------------------------------------------------- */

TEST(Impair, AShorterDelayLosesNothingAndKeepsOrder)
{
    Impaired w("delay=50ms");
    std::vector<Arrival> all;
    for (uint32_t i = 0; i < 200; i++) {
        if (i == 100 || i == 150) {
            ASSERT_EQ(w.set(i == 100 ? "delay=1ms" : "delay=none"), "");
        }
        ASSERT_TRUE(w.send(i));
        auto some = w.run(w.now + 100 * US);
        all.insert(all.end(), some.begin(), some.end());
    }
    auto some = w.run(w.now + SEC);
    all.insert(all.end(), some.begin(), some.end());
    ASSERT_EQ(all.size(), 200u);
    for (uint32_t i = 0; i < 200; i++)
        EXPECT_EQ(all[i].id, i);
    EXPECT_EQ(w.due(), UINT64_MAX);
}

TEST(Impair, AHigherRateFreesWhatWaits)
{
    Impaired w("rate=8kbit,queue=100");
    for (uint32_t i = 0; i < 50; i++)
        ASSERT_TRUE(w.send(i, 976)); /* a second each */
    EXPECT_EQ(w.run(w.now + SEC).size(), 1u);
    ASSERT_EQ(w.set("rate=8Gbit"), "");
    EXPECT_EQ(w.run(w.now + SEC + MS).size(), 49u) << "after the one in transmission";
    ASSERT_EQ(w.set("rate=8kbit"), "");
    ASSERT_TRUE(w.send(50, 976));
    ASSERT_TRUE(w.send(51, 976));
    ASSERT_EQ(w.set("rate=none,queue=none"), "");
    EXPECT_EQ(w.run(w.now + 2 * SEC).size(), 2u);
}

TEST(Impair, AWireIsWrappedOnlyWhenThereIsSomethingToDo)
{
    Impaired w;
    cxemu_wire *bare = w.near_end;
    EXPECT_EQ(w.set("loss=0%,delay=none,seed=5"), "");
    EXPECT_EQ(w.near_end, bare);
    EXPECT_EQ(w.set("delay=1ms"), "");
    EXPECT_NE(w.near_end, bare);
    ASSERT_TRUE(w.send(0));
    EXPECT_EQ(w.set("delay=none"), "");
    EXPECT_EQ(w.run(w.now + MS).size(), 1u);
}

TEST(Impair, AWrongKeyAmongGoodOnesChangesNothing)
{
    Impaired w("delay=1ms");
    EXPECT_NE(w.set("delay=2ms,loss=nonsense"), "");
    EXPECT_NE(w.set("delay=2ms,mtu=1500").find("'mtu'"), std::string::npos);
    EXPECT_NE(w.set("delay").find("key=value"), std::string::npos);
    ASSERT_TRUE(w.send(0));
    EXPECT_EQ(w.due(), SEC + MS);
}

TEST(Impair, MemoryIsBounded)
{
    Impaired w("delay=100s");
    uint32_t sent = 0;
    while (sent < 20000 && w.send(sent, 9000))
        sent++;
    EXPECT_GT(sent, 7000u);
    EXPECT_LT(sent, 8000u) << "64 MiB";
    EXPECT_EQ(w.run(w.now + 200 * SEC).size(), sent) << "and nothing of it is lost";
}

TEST(Impair, AFullWireBehindHoldsFramesBackWithoutASpin)
{
    Impaired w("delay=1ms");
    uint32_t sent = 0;
    while (sent < 1000 && w.send(sent, 1500))
        sent++;
    ASSERT_EQ(sent, 1000u);
    w.now += MS;
    w.near_end->ops->tx_flush(w.near_end); /* the memory wire takes some 80 */
    EXPECT_GT(w.due(), w.now);
    EXPECT_LT(w.due(), w.now + MS);
    std::vector<Arrival> all;
    while (all.size() < sent) {
        auto some = w.pass();
        ASSERT_FALSE(some.empty());
        all.insert(all.end(), some.begin(), some.end());
    }
}

} // namespace
