/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Owns: two ends of a memory wire, of which one is impaired, in a time that a test sets. Frames
 * carry a number in their last bytes.
 */
#ifndef TEST_CXEMU_WIRES_IMPAIR_RIG_H
#define TEST_CXEMU_WIRES_IMPAIR_RIG_H

#include "../core/rig.h"

extern "C" {
#include "cxemu/wires/wire_impair.h"
}

#include <algorithm>
#include <map>

namespace rig
{

constexpr uint64_t US = 1000, MS = 1000000, SEC = 1000000000;

struct Arrival {
    uint32_t id;
    uint64_t at;
    Bytes frame;
    bool operator==(const Arrival &o) const
    {
        return id == o.id && at == o.at && frame == o.frame;
    }
};

struct Impaired {
    explicit Impaired(const std::string &text = "", uint64_t start = 1 * SEC) : now(start)
    {
        EXPECT_EQ(cxemu_wire_mem_create(&near_end, &far_end), 0);
        clock.now_ns = [](void *cookie) { return static_cast<Impaired *>(cookie)->now; };
        clock.cookie = this;
        if (!text.empty()) {
            EXPECT_EQ(set(text), "");
        }
    }
    Impaired(const Impaired &) = delete;
    ~Impaired()
    {
        near_end->ops->destroy(near_end);
        far_end->ops->destroy(far_end);
    }
    /* "" or the sentence. */
    std::string set(const std::string &text)
    {
        char err[256] = "";
        int rc = cxemu_wire_impair_text(&near_end, &clock, text.c_str(), err, sizeof(err));
        EXPECT_EQ(rc == 0, err[0] == 0) << err;
        return err;
    }
    static Bytes numbered(uint32_t id, uint32_t len)
    {
        static std::map<uint32_t, Bytes> made;
        Bytes &b = made[len];
        if (b.empty()) {
            Frame f;
            f.payload = Bytes(std::max(len, 60u) - 42, 0x5a);
            b = f.build();
            b.resize(std::max<size_t>(b.size(), 60));
        }
        std::memcpy(b.data() + b.size() - 4, &id, 4);
        return b;
    }
    static bool put(cxemu_wire *w, const Bytes &frame)
    {
        uint8_t *slot = w->ops->tx_slot(w, uint32_t(frame.size()));
        if (!slot)
            return false;
        std::memcpy(slot, frame.data(), frame.size());
        w->ops->tx_commit(w, uint32_t(frame.size()));
        return true;
    }
    /* From the impaired end; false: it pushed back. */
    bool send(uint32_t id, uint32_t len = 100)
    {
        return put(near_end, numbered(id, len));
    }
    void take(cxemu_wire *from, std::vector<Arrival> &all)
    {
        cxemu_frame frames[32];
        for (;;) {
            int n = from->ops->rx(from, frames, 32);
            if (n <= 0)
                break;
            for (int i = 0; i < n; i++) {
                Arrival a{0, now, Bytes(frames[i].data, frames[i].data + frames[i].len)};
                std::memcpy(&a.id, a.frame.data() + a.frame.size() - 4, 4);
                all.push_back(a);
            }
            from->ops->rx_release(from);
        }
    }
    /* One pass at the present time; what arrived at the far end. */
    std::vector<Arrival> pass()
    {
        std::vector<Arrival> all;
        near_end->ops->tx_flush(near_end);
        take(far_end, all);
        return all;
    }
    uint64_t due()
    {
        return cxemu_wire_due_ns(near_end);
    }
    /* Goes from one due time to the next, up to `until`. */
    std::vector<Arrival> run(uint64_t until)
    {
        std::vector<Arrival> all;
        for (;;) {
            auto some = pass();
            all.insert(all.end(), some.begin(), some.end());
            uint64_t next = due();
            if (next > until)
                break;
            now = std::max(now + 1, next);
        }
        now = std::max(now, until);
        auto some = pass();
        all.insert(all.end(), some.begin(), some.end());
        return all;
    }
    uint64_t stat(cxemu_wire_stat which)
    {
        return near_end->ops->stat(near_end, which);
    }

    uint64_t now;
    cxemu_clock clock = {};
    cxemu_wire *near_end, *far_end;
};

inline std::vector<uint32_t> ids(const std::vector<Arrival> &all)
{
    std::vector<uint32_t> v;
    for (const Arrival &a : all)
        v.push_back(a.id);
    return v;
}

} // namespace rig

#endif
