/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The programs as an operator runs them, on an emulated NIC that drives itself: the HTTP server
 * against curl, tapm-verbs beside it, the echo servers against kernel sockets, tcp_lat against
 * itself, and what they say when something is missing.
 */
#include "lab.h"

#include <gtest/gtest.h>

#include <fcntl.h>
#include <signal.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cstdio>
#include <cstdlib>
#include <fstream>
#include <memory>
#include <stdexcept>

namespace net
{

class Programs : public testing::Test
{
  protected:
    void SetUp() override;
    void TearDown() override;

    /* A program under `cxemu run` in the NIC's namespace, both outputs into its text. */
    std::unique_ptr<Peer> on_nic(const std::string &command);
    /* The same on any port; `nic` is what --nic gets. */
    static std::unique_ptr<Peer> on_port(const Namespace &where, const std::string &nic,
                                         const std::string &command);
    /* The kernel's end of the wire becomes a second NIC's port. */
    void make_second_port();
    /* peer.py from the kernel's host, to its end. */
    std::unique_ptr<Peer> kernel_peer(const std::vector<std::string> &arguments);
    /* A shell command in a namespace, to its end; its output. */
    static std::string output(const Namespace &where, const std::string &command, int *status);
    /* curl from the kernel's host with these words; its output. */
    std::string curl(const std::string &words, int expected_status = 0);
    void start_server();
    void write_file(const std::string &name, size_t len);

    std::unique_ptr<Namespace> kernel_, nic_;
    std::unique_ptr<Peer> server_;
    std::string folder_;
};

void Programs::SetUp()
{
    std::string why = why_no_lab();
    if (!why.empty())
        GTEST_SKIP() << why;
    char name[] = "/tmp/rawstack-test.XXXXXX";
    ASSERT_NE(mkdtemp(name), nullptr);
    folder_ = name;
    ASSERT_EQ(mkdir((folder_ + "/www").c_str(), 0755), 0);
    ASSERT_EQ(mkdir((folder_ + "/run").c_str(), 0755), 0);
    setenv("RAWSTACK_RUN_DIR", (folder_ + "/run").c_str(), 1);
    kernel_ = std::make_unique<Namespace>();
    nic_ = std::make_unique<Namespace>();
    nic_->run("ip link add nic type veth peer name eth netns " + std::to_string(kernel_->holder()));
    nic_->run("sysctl -qw net.ipv6.conf.default.disable_ipv6=1 net.ipv6.conf.nic.disable_ipv6=1 && "
              "ip link set nic arp off up");
    kernel_->run("ip addr add 10.77.0.1/24 dev eth && ip link set eth up");
}

void Programs::TearDown()
{
    server_.reset();
    kernel_.reset();
    nic_.reset();
    if (!folder_.empty())
        run_here("rm -rf " + folder_);
}

std::unique_ptr<Peer> Programs::on_port(const Namespace &where, const std::string &nic,
                                        const std::string &command)
{
    const std::string line = "exec " CXEMU_PROGRAM " run --nic " + nic + " -- " + command + " 2>&1";
    return std::make_unique<Peer>(where, std::vector<std::string>{"/bin/sh", "-c", line});
}

std::unique_ptr<Peer> Programs::on_nic(const std::string &command)
{
    return on_port(*nic_, "name=mlx5_0,wire=packet:nic,netdev=tap0", command);
}

void Programs::make_second_port()
{
    kernel_->run("ip addr flush dev eth && ip link set eth arp off && "
                 "sysctl -qw net.ipv6.conf.eth.disable_ipv6=1");
}

/* Waits for done(), looking at the program now and then. */
template <typename Done> static bool wait_for(Peer &program, Done done, double seconds)
{
    for (int i = 0; i < seconds * 100; i++) {
        program.update();
        if (done())
            return true;
        usleep(10000);
    }
    return false;
}

static bool wait_end(Peer &program, double seconds)
{
    return wait_for(
        program, [&] { return program.ended(); }, seconds);
}

/* Waits for a word on the program's output; a program that ended without it is a failure. */
static void expect_says(Peer &program, const char *word)
{
    auto said = [&] { return program.text().find(word) != std::string::npos; };
    wait_for(
        program, [&] { return said() || program.ended(); }, 20);
    EXPECT_TRUE(said()) << "no '" << word << "' in: " << program.text();
}

std::unique_ptr<Peer> Programs::kernel_peer(const std::vector<std::string> &arguments)
{
    auto peer = std::make_unique<Peer>(*kernel_, peer_script(arguments));
    EXPECT_TRUE(wait_end(*peer, 60));
    return peer;
}

std::string Programs::output(const Namespace &where, const std::string &command, int *status)
{
    Peer program(where, {"/bin/sh", "-c", command});
    EXPECT_TRUE(wait_end(program, 60)) << command;
    *status = program.exit_status();
    return program.text();
}

std::string Programs::curl(const std::string &words, int expected_status)
{
    int status;
    std::string text = output(
        *kernel_, "cd " + folder_ + " && curl -sS --max-time 30 " + words + " 2>&1", &status);
    EXPECT_EQ(status, expected_status) << words << ": " << text;
    return text;
}

void Programs::start_server()
{
    server_ = on_nic(std::string(HTTP_SERVER) + " --device mlx5_0 --ip 10.77.0.2/24 --root " +
                     folder_ + "/www");
    ASSERT_TRUE(wait_for(
        *server_,
        [&] { return server_->text().find("serving") != std::string::npos || server_->ended(); },
        20));
    ASSERT_FALSE(server_->ended()) << server_->text();
}

void Programs::write_file(const std::string &name, size_t len)
{
    std::ofstream file(folder_ + "/www/" + name, std::ios::binary);
    for (size_t i = 0; i < len; i++)
        file.put(static_cast<char>(i * 7 + (i >> 8)));
}

TEST_F(Programs, HttpServerServesSmallAndLargeFiles)
{
    write_file("index.html", 100);
    write_file("empty", 0);
    write_file("small", 5000);
    write_file("large", 3000000);
    start_server();
    for (const char *name : {"empty", "small", "large"}) {
        curl(std::string("-f -o got http://10.77.0.2/") + name);
        run_here("cmp " + folder_ + "/got " + folder_ + "/www/" + name);
    }
    curl("-f -o got http://10.77.0.2/");
    run_here("cmp " + folder_ + "/got " + folder_ + "/www/index.html");
    /* A file that changes is read again. */
    write_file("small", 6000);
    curl("-f -o got http://10.77.0.2/small");
    run_here("cmp " + folder_ + "/got " + folder_ + "/www/small");
}

TEST_F(Programs, HttpServerKeepsConnectionsAlive)
{
    write_file("small", 5000);
    write_file("large", 1000000);
    start_server();
    std::string text = curl("-f -o a -o b -o c -w '%{num_connects} ' http://10.77.0.2/small "
                            "http://10.77.0.2/large http://10.77.0.2/small");
    EXPECT_EQ(text, "1 0 0 ");
    text = curl("-I http://10.77.0.2/large");
    EXPECT_NE(text.find("Content-Length: 1000000"), std::string::npos) << text;
}

TEST_F(Programs, HttpServerRefusesWhatItShould)
{
    write_file("small", 10);
    run_here("echo secret >" + folder_ + "/secret && ln -s ../secret " + folder_ +
             "/www/link && "
             "mkfifo " +
             folder_ + "/www/fifo && mkdir " + folder_ + "/www/dir");
    start_server();
    const std::string code = "-o /dev/null -w '%{http_code}' ";
    EXPECT_EQ(curl(code + "http://10.77.0.2/absent"), "404");
    EXPECT_EQ(curl(code + "http://10.77.0.2/link"), "404") << "a link led out of the root";
    EXPECT_EQ(curl(code + "http://10.77.0.2/fifo"), "404");
    EXPECT_EQ(curl(code + "http://10.77.0.2/dir"), "404");
    EXPECT_EQ(curl(code + "--path-as-is http://10.77.0.2/../secret"), "400");
    EXPECT_EQ(curl(code + "http://10.77.0.2/%2e%2e/secret"), "400");
    EXPECT_EQ(curl(code + "-X DELETE http://10.77.0.2/small"), "405");
    EXPECT_EQ(curl(code + "-d body http://10.77.0.2/small"), "400");
    EXPECT_EQ(curl(code + "-H \"X-Long: $(head -c 9000 /dev/zero | tr '\\0' a)\" "
                          "http://10.77.0.2/small"),
              "431");
    EXPECT_EQ(curl(code + "http://10.77.0.2/small"), "200") << "and it goes on";
}

TEST_F(Programs, HttpServerSurvivesSlowAndVanishingReaders)
{
    write_file("large", 5000000);
    start_server();
    curl("-o got --max-time 1 --limit-rate 100k http://10.77.0.2/large", 28);
    curl("-f -o got --limit-rate 4M http://10.77.0.2/large");
    run_here("cmp " + folder_ + "/got " + folder_ + "/www/large");
}

TEST_F(Programs, HttpServerEndsCleanlyOnSigterm)
{
    write_file("small", 10);
    start_server();
    curl("-f -o got http://10.77.0.2/small");
    server_->send_signal(SIGTERM);
    EXPECT_TRUE(wait_end(*server_, 10));
    EXPECT_EQ(server_->exit_status(), 0) << server_->text();
}

TEST_F(Programs, TapmVerbsShowsWhatTheServerHolds)
{
    write_file("small", 5000);
    start_server();
    curl("-f -o got http://10.77.0.2/small");
    int status;
    EXPECT_NE(output(*nic_, TAPM_VERBS " list", &status).find("mlx5_0"), std::string::npos);
    EXPECT_EQ(status, 0);
    std::string text = output(*nic_, TAPM_VERBS " show", &status);
    EXPECT_EQ(status, 0);
    EXPECT_NE(text.find("http_server"), std::string::npos) << "no owner: " << text;
    EXPECT_NE(text.find("10.77.0.2"), std::string::npos) << "no rule: " << text;
    text = output(*nic_, TAPM_VERBS " stats --json | python3 -m json.tool", &status);
    EXPECT_EQ(status, 0) << text;
    EXPECT_NE(text.find("tcp_passive_opens"), std::string::npos) << text;
    output(*nic_, TAPM_VERBS " nonsense 2>&1", &status);
    EXPECT_NE(status, 0);
}

/* The last by a client whose small buffer makes the echo wait; then one that resets, which must not
 * end the server. */
TEST_F(Programs, EchoAnswersAKernelClient)
{
    auto echo = on_nic(std::string(ECHO) + " mlx5_0 10.77.0.2 7");
    const std::string sizes[] = {"1", "1460", "5000000"};
    for (const std::string &size : sizes) {
        auto peer = kernel_peer({"connect", "10.77.0.2", "7", "--retry", "10", "rcvbuf:20000",
                                 "swap:" + size, "shutwr", "recv:eof"});
        EXPECT_EQ(peer->text(),
                  "connections=1 received=" + size + " sent=" + size + " mismatches=0 errors=\n");
    }
    int status;
    std::string second =
        output(*nic_, CXEMU_PROGRAM " run -- " ECHO " mlx5_0 10.77.0.2 7 2>&1", &status);
    EXPECT_NE(second.find("echo["), std::string::npos) << "who has the address? " << second;
    kernel_peer({"connect", "10.77.0.2", "7", "send:100000", "rst"});
    auto peer = kernel_peer({"connect", "10.77.0.2", "7", "send:10", "recv:10"});
    EXPECT_EQ(peer->number("received"), 10) << peer->text() << echo->text();
    echo->update();
    EXPECT_FALSE(echo->ended()) << echo->text();
}

TEST_F(Programs, EchoNamesWhatIsWrong)
{
    static const struct {
        const char *arguments, *word;
    } cases[] = {
        {"", "usage"},
        {"mlx5_0 10.77.0.256 7", "usage"},
        {"mlx5_0 10.77.0.2 seven", "usage"},
        {"mlx5_0 10.77.0.2 65543", "usage"},
        {"mlx5_7 10.77.0.2 7", "mlx5_7"},
    };
    for (const auto &bad : cases) {
        auto echo = on_nic(std::string(ECHO) + " " + bad.arguments);
        ASSERT_TRUE(wait_end(*echo, 20)) << bad.arguments;
        EXPECT_EQ(echo->exit_status(), 1) << bad.arguments;
        EXPECT_NE(echo->text().find(bad.word), std::string::npos) << echo->text();
    }
}

TEST_F(Programs, UdpEchoAnswersAKernelClient)
{
    auto echo = on_nic(std::string(UDP_ECHO) + " --device mlx5_0 --ip 10.77.0.2/24");
    expect_says(*echo, "echoing");
    auto peer = kernel_peer({"udp", "10.77.0.2", "7", "0", "1", "64", "1472"});
    EXPECT_EQ(peer->number("connections"), 4) << peer->text();
    EXPECT_EQ(peer->number("received"), 0 + 1 + 64 + 1472) << peer->text();
    EXPECT_EQ(peer->number("mismatches"), 0);
    EXPECT_EQ(peer->word("errors"), "");
    echo->send_signal(SIGTERM);
    EXPECT_TRUE(wait_end(*echo, 10));
    EXPECT_EQ(echo->exit_status(), 0) << echo->text();
}

/* Two processes, each with a NIC of its own, on the ends of one veth. */
TEST_F(Programs, TcpLatServerAnswersTcpLatClient)
{
    make_second_port();
    auto server = on_port(*nic_, "name=mlx5_0,wire=packet:nic,mac=02:00:00:00:00:02",
                          std::string(TCP_LAT) + " -d mlx5_0 --ip 10.79.0.2/24");
    expect_says(*server, "server on port");
    auto client = on_port(*kernel_, "name=mlx5_0,wire=packet:eth,mac=02:00:00:00:00:01",
                          std::string(TCP_LAT) + " -d mlx5_0 --ip 10.79.0.1/24 -n 300 --warmup 20 "
                                                 "--json 10.79.0.2");
    ASSERT_TRUE(wait_end(*client, 60)) << client->text();
    EXPECT_EQ(client->exit_status(), 0) << client->text();
    EXPECT_NE(client->text().find("\"iterations\": 300,"), std::string::npos) << client->text();
    EXPECT_TRUE(wait_end(*server, 20)) << "it ends when its client has gone";
    EXPECT_EQ(server->exit_status(), 0) << server->text();
}

TEST_F(Programs, TcpLatServerAnswersAKernelClient)
{
    auto server = on_nic(std::string(TCP_LAT) + " -d mlx5_0 --ip 10.77.0.2/24");
    expect_says(*server, "server on port");
    int status;
    std::string text =
        output(*kernel_, TCP_LAT " --transport kernel -n 300 --warmup 20 10.77.0.2 2>&1", &status);
    EXPECT_EQ(status, 0) << text;
    EXPECT_TRUE(wait_end(*server, 20)) << "it ends when its client has gone";
    EXPECT_EQ(server->exit_status(), 0) << server->text();
}

/* Nobody has the address; somebody has it and does not listen. */
TEST_F(Programs, TcpLatClientSaysThatNobodyAnswers)
{
    for (const char *address : {"10.77.0.9", "10.77.0.1"}) {
        auto client = on_nic(std::string(TCP_LAT) + " --ip 10.77.0.2/24 -n 10 " + address);
        ASSERT_TRUE(wait_end(*client, 20)) << "it hangs";
        EXPECT_EQ(client->exit_status(), 1);
        EXPECT_EQ(client->text().find("timed out"), std::string::npos) << client->text();
        EXPECT_NE(client->text().find("cannot reach the server"), std::string::npos)
            << client->text();
        EXPECT_NE(client->text().find(address), std::string::npos) << client->text();
    }
}

/* Each message names what is missing. */
TEST_F(Programs, UnknownDeviceIsNamed)
{
    auto server = on_nic(std::string(HTTP_SERVER) + " --device mlx5_7 --ip 10.77.0.2/24");
    ASSERT_TRUE(wait_end(*server, 20));
    EXPECT_NE(server->exit_status(), 0);
    EXPECT_NE(server->text().find("mlx5_7"), std::string::npos) << server->text();
}

TEST_F(Programs, NoDeviceAtAll)
{
    Peer server(*nic_, {"/bin/sh", "-c", "exec " HTTP_SERVER " --device mlx5_0 2>&1"});
    ASSERT_TRUE(wait_end(server, 20));
    EXPECT_NE(server.exit_status(), 0);
    EXPECT_NE(server.text().find("mlx5_0"), std::string::npos) << server.text();
}

TEST_F(Programs, NoPermissionNamesTheCapability)
{
    auto server = on_nic("setpriv --bounding-set=-net_raw --inh-caps=-net_raw " +
                         std::string(HTTP_SERVER) + " --device mlx5_0 --ip 10.77.0.2/24");
    ASSERT_TRUE(wait_end(*server, 20));
    EXPECT_NE(server->exit_status(), 0);
    EXPECT_NE(server->text().find("CAP_NET_RAW"), std::string::npos) << server->text();
}

TEST_F(Programs, MalformedOptionsAreNamed)
{
    auto server = on_nic(std::string(HTTP_SERVER) + " --ip 10.77.0.256");
    ASSERT_TRUE(wait_end(*server, 20));
    EXPECT_NE(server->exit_status(), 0);
    EXPECT_NE(server->text().find("10.77.0.256"), std::string::npos) << server->text();
}

} // namespace net
