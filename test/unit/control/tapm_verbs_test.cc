/* SPDX-License-Identifier: BSD-2-Clause */
/* The program tapm-verbs, beside this process, which holds taps and rules: output and exit codes.
 */
#include "nic_fixture.h"

#include <rawstack/rawstack.h>

#include <cstdio>
#include <cstdlib>
#include <json-c/json.h>
#include <sys/wait.h>

namespace
{

class TapmVerbs : public NicTest
{
  protected:
    struct Result {
        int status;
        std::string out; /* and what it said on stderr */
    };
    /* In an environment without the emulated devices: it must learn of them from us. */
    Result run(const std::string &args)
    {
        std::string command = "env -u SYSFS_PATH -u LD_PRELOAD RAWSTACK_RUN_DIR='" + dir + "' '" +
                              TAPM_VERBS "' " + args + " 2>&1";
        Result result = {-1, ""};
        char bytes[4096];
        size_t n;
        FILE *pipe = popen(command.c_str(), "r");
        if (!pipe)
            return result;
        while ((n = fread(bytes, 1, sizeof(bytes), pipe)) > 0)
            result.out.append(bytes, n);
        int status = pclose(pipe);
        result.status = WIFEXITED(status) ? WEXITSTATUS(status) : -1;
        return result;
    }
    void expect_has(const Result &result, std::initializer_list<const char *> parts)
    {
        for (const char *part : parts)
            EXPECT_NE(std::string::npos, result.out.find(part)) << part << " in\n" << result.out;
    }
    static struct json_object *at(struct json_object *from, const char *name, int index = -1)
    {
        struct json_object *member = nullptr;
        json_object_object_get_ex(from, name, &member);
        return index < 0 || !member ? member
                                    : json_object_array_get_idx(member, static_cast<size_t>(index));
    }
    static std::string text(struct json_object *from, const char *name)
    {
        struct json_object *member = at(from, name);
        return member ? json_object_get_string(member) : "(none)";
    }
};

TEST_F(TapmVerbs, ListNamesTheDeviceAndWhoHasItOpen)
{
    open("mlx5_0", "the-web-server");
    Result r = run("list");
    EXPECT_EQ(0, r.status);
    expect_has(r, {"DEVICE", "mlx5_0", "the-web-server", "0x02c9"});
    EXPECT_EQ(0, run("list -d mlx5_0").status);
    r = run("list -d mlx5_9");
    EXPECT_EQ(1, r.status);
    expect_has(r, {"mlx5_9"});

    r = run("list --json");
    struct json_object *document = json_tokener_parse(r.out.c_str());
    ASSERT_NE(nullptr, document) << r.out;
    EXPECT_EQ("mlx5_0", text(at(document, "devices", 0), "name"));
    json_object_put(document);
}

TEST_F(TapmVerbs, CapsAsTheProcessSeesThem)
{
    open("mlx5_0", "the-web-server");
    Result r = run("caps");
    EXPECT_EQ(0, r.status);
    expect_has(r, {"mlx5_0, as the-web-server", "tx_checksum", "present", "OTHERWISE"});
    r = run("caps --json");
    struct json_object *document = json_tokener_parse(r.out.c_str());
    struct json_object *cap = at(at(document, "devices", 0), "capabilities", 0);
    EXPECT_EQ("tx_checksum", text(cap, "name")) << r.out;
    EXPECT_EQ("present", text(cap, "presence"));
    json_object_put(document);
}

TEST_F(TapmVerbs, ShowHasTapsAndRulesWithOwners)
{
    struct tapm *tapm = open("mlx5_0", "the-web-server");
    struct tapm_tap *tap = make_tap(tapm, "front");
    ASSERT_EQ(0, add_rule(tap, "tcp dst 10.0.0.2:80"));
    ASSERT_EQ(0, add_rule(tap, "arp copy"));
    Result r = run("show");
    EXPECT_EQ(0, r.status);
    expect_has(r, {"the-web-server (pid ", "front", "ready", "tcp dst 10.0.0.2:80", "arp copy"});

    r = run("show --json");
    struct json_object *document = json_tokener_parse(r.out.c_str());
    struct json_object *shown = at(at(document, "processes", 0), "taps", 0);
    EXPECT_EQ("front", text(shown, "name")) << r.out;
    EXPECT_EQ("64", text(shown, "rx_ring_pkts"));
    EXPECT_EQ("arp copy", text(at(shown, "rules", 0), "rule"));
    EXPECT_EQ("tcp dst 10.0.0.2:80", text(at(shown, "rules", 1), "rule"));
    json_object_put(document);

    ASSERT_EQ(0, cxemu_link_set("mlx5_0", false));
    await_log("link is down");
    expect_has(run("show"), {"link down"});
    ASSERT_EQ(0, cxemu_link_set("mlx5_0", true));
    await_log("link is up");
}

size_t fill(void *, struct rs_counter *out, size_t n)
{
    EXPECT_GE(n, 2u);
    out[0] = {"tcp_rx_segments", 12345};
    out[1] = {"tcp_resets", 0};
    return 2;
}

TEST_F(TapmVerbs, StatsMatchWhatWasSent)
{
    struct tapm *a = open("mlx5_0", "sender"), *b = open("mlx5_1", "receiver");
    struct tapm_tap *from = make_tap(a), *to = make_tap(b);
    ASSERT_EQ(0, add_rule(to, "ether 0x88b5"));
    for (int i = 0; i < 37; i++)
        send(from, ether_frame(0x88b5));
    EXPECT_EQ(37u, receive(to));
    tapm_stats_provider_set(b, "stack", fill, nullptr);

    Result r = run("stats -d mlx5_1 --json");
    EXPECT_EQ(0, r.status);
    struct json_object *document = json_tokener_parse(r.out.c_str());
    struct json_object *process = at(document, "processes", 0);
    EXPECT_EQ("37", text(at(process, "taps", 0), "rx_pkts")) << r.out;
    EXPECT_EQ("2368", text(at(process, "taps", 0), "rx_bytes"));
    EXPECT_EQ("12345", text(at(at(process, "sections"), "stack"), "tcp_rx_segments"));
    json_object_put(document);

    r = run("stats -d mlx5_1");
    EXPECT_EQ(0, r.status);
    expect_has(r, {"receiver (pid ", "rx_pkts", "37", "tcp_rx_segments", "12345"});
    EXPECT_EQ(std::string::npos, r.out.find("tcp_resets")) << "zeros only when asked for";
    expect_has(run("stats -a"), {"tcp_resets", "sender", "tx_pkts"});
}

TEST_F(TapmVerbs, NobodyAnswering)
{
    for (const char *command : {"show", "stats", "show --json", "stats --json"}) {
        Result r = run(command);
        EXPECT_EQ(3, r.status) << command;
        expect_has(r, {"no running process", "--run-dir"});
    }
    open("mlx5_0");
    Result r = run("show -d mlx5_1");
    EXPECT_EQ(3, r.status);
    expect_has(r, {"mlx5_1"});
    EXPECT_EQ(3, run("show --run-dir /tmp/there-is-no-such-directory").status);
}

TEST_F(TapmVerbs, WrongCommandLines)
{
    for (const char *args : {"", "frob", "show stats", "list --watch 2", "show --watch 0",
                             "show --watch x", "show --frob", "show -d"}) {
        Result r = run(args);
        EXPECT_EQ(2, r.status) << args << "\n" << r.out;
    }
    Result r = run("--help");
    EXPECT_EQ(0, r.status);
    expect_has(r, {"list", "caps", "show", "stats", "--json", "--run-dir", "exit status"});
    EXPECT_EQ(0, run("--version").status);
}

} // namespace
