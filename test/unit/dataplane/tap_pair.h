/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Two taps joined by some wire, as the contract suite sees them: each driver of hwTAP provides a
 * pair and must pass the same tests (tap_contract_test.cc).
 */
#ifndef TEST_TAP_PAIR_H
#define TEST_TAP_PAIR_H

#include <rawstack/hwtap.h>

#include <memory>
#include <string>

struct TapPairConfig {
    uint32_t ring_pkts = 256;
    uint32_t pool_bufs = 1024;
    uint32_t buf_bytes = 2048;
};

class TapPair
{
  public:
    virtual ~TapPair() = default;
    /* "" on success, else why the pair cannot be had here. */
    virtual std::string open(const TapPairConfig &config) = 0;
    /* Moves what is under way until nothing moves. */
    virtual void settle() = 0;
    /* False: a full transmit ring is the far end's loss (hwtap_mem), not a refusal. */
    virtual bool has_tx_ring() const = 0;

    struct hwtap *a = nullptr, *b = nullptr;
};

std::unique_ptr<TapPair> make_mem_pair();
std::unique_ptr<TapPair> make_verbs_pair();

#endif
