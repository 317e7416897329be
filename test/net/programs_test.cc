/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The programs as an operator runs them, on an emulated NIC that drives itself: the HTTP server
 * against curl, tapm-verbs beside it, and what they say when something is missing.
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

std::unique_ptr<Peer> Programs::on_nic(const std::string &command)
{
    const std::string line = std::string("exec " CXEMU_PROGRAM " run --nic name=mlx5_0,"
                                         "wire=packet:nic,netdev=tap0 -- ") +
                             command + " 2>&1";
    return std::make_unique<Peer>(*nic_, std::vector<std::string>{"/bin/sh", "-c", line});
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
