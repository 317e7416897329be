// SPDX-License-Identifier: BSD-2-Clause
// The language of the control channel, with right lines and with garbage; and its socket.
#include "cxemu/control/command.h"
#include "cxemu/control/server.h"

#include <cerrno>
#include <cstdlib>
#include <cstring>
#include <gtest/gtest.h>
#include <rawstack/cxemu.h>
#include <string>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

namespace
{

std::string run(const std::string &line)
{
    char *text = nullptr;
    size_t len = 0;
    FILE *out = open_memstream(&text, &len);
    cxemu_control_run(line.c_str(), out);
    fclose(out);
    std::string answer(text, len);
    free(text);
    return answer;
}

bool has(const std::string &all, const std::string &part)
{
    return all.find(part) != std::string::npos;
}

class Control : public ::testing::Test
{
  protected:
    void SetUp() override
    {
        char err[256] = "";
        ASSERT_EQ(cxemu_drive_set(CXEMU_DRIVE_PUMP), 0);
        static int serial; /* the ends of a wire are used once */
        wire_ = "wire=mem:c" + std::to_string(serial++);
        ASSERT_EQ(cxemu_nic_add(("name=c0," + wire_).c_str(), err, sizeof(err)), 0) << err;
    }
    void TearDown() override
    {
        cxemu_control_stop();
        EXPECT_EQ(cxemu_nic_remove("c0"), 0);
    }
    std::string wire_;
};

TEST_F(Control, ArmsListsAndClearsFaults)
{
    EXPECT_EQ(run("fault c0 send:qp=65:after=3"), "1\nok\n");
    EXPECT_EQ(run("fault - starve count=2"), "2\nok\n");
    EXPECT_EQ(run("faults -"),
              "1 0 0 send:qp=65:syndrome=local-qp-op:after=3\n2 0 0 starve:count=2\nok\n");
    EXPECT_EQ(run("clear c0 1"), "ok\n");
    EXPECT_TRUE(has(run("clear c0 1"), "error: no fault of that number"));
    EXPECT_EQ(run("clear c0 all"), "ok\n");
    EXPECT_EQ(run("faults c0"), "ok\n");
}

TEST_F(Control, SetsTheWireAndTheLink)
{
    EXPECT_EQ(run("set c0 loss=1%,delay=5ms"), "ok\n");
    EXPECT_EQ(run("set c0 loss=2% delay=1ms"), "ok\n");
    EXPECT_EQ(run("set c0 link=down"), "ok\n");
    EXPECT_TRUE(has(run("set c0 link=sideways"), "error: link=sideways"));
    EXPECT_TRUE(has(run("set c0 wombat=1"), "error: "));
    EXPECT_TRUE(has(run("set c0"), "error: say what to set"));
}

TEST_F(Control, SetsAVirtualFunctionsAttributes)
{
    char err[256] = "";
    ASSERT_EQ(cxemu_nic_add("name=v0,pf=c0", err, sizeof(err)), 0) << err;
    EXPECT_EQ(run("set v0 vlan=5,spoofchk=on max_rate=100"), "ok\n");
    EXPECT_EQ(run("set v0 vf_link=disable link=up mac=02:00:00:00:00:77"), "ok\n");
    EXPECT_TRUE(has(run("set v0 vlan=5000"), "error: vlan=5000"));
    EXPECT_TRUE(has(run("set c0 vlan=5"), "error: 'c0' is no virtual function"));
    EXPECT_TRUE(has(run("set c0 vlanx=5"), "error: "));
}

TEST_F(Control, ListsCountersQueuesAndNics)
{
    std::string counters = run("counters c0");
    for (const char *line : {"ethtool rx_packets_phy 0\n", "port port_xmit_packets 0\n",
                             "hw out_of_buffer 0\n", "cxemu cxemu_rx_steered_packets 0\n"})
        EXPECT_TRUE(has(counters, line)) << line;
    EXPECT_EQ(run("queues c0"), "ok\n");
    EXPECT_EQ(run("nics"), "c0\nok\n");
}

TEST_F(Control, SaysWhatIsWrong)
{
    EXPECT_TRUE(has(run(""), "error: unknown command"));
    EXPECT_TRUE(has(run("wombat"), "error: unknown command"));
    EXPECT_TRUE(has(run("fault"), "error: fault: name a NIC"));
    EXPECT_TRUE(has(run("fault  "), "error: fault: name a NIC"));
    EXPECT_TRUE(has(run("fault nobody qp"), "nobody"));
    EXPECT_TRUE(has(run("fault c0"), "error: unknown fault ''"));
    EXPECT_TRUE(has(run("clear c0"), "error: clear which?"));
    EXPECT_TRUE(has(run("clear c0 -1"), "error: clear which?"));
    EXPECT_TRUE(has(run("counters nobody"), "error: nobody: no NIC"));
    EXPECT_TRUE(has(run(std::string(5000, 'x')), "error: a line has at most"));
    char err[256];
    ASSERT_EQ(cxemu_nic_add("name=c1", err, sizeof(err)), 0);
    EXPECT_TRUE(has(run("counters -"), "error: there is not just one NIC"));
    EXPECT_EQ(cxemu_nic_remove("c1"), 0);
}

TEST_F(Control, AnswersEveryLineOfGarbageWithAnError)
{
    const char letters[] = "set fault=c0 -:,1%qp\t";
    unsigned seed = 7;
    for (int i = 0; i < 20000; i++) {
        std::string line;
        for (unsigned n = (seed = seed * 1103515245u + 12345u) >> 16 & 63; n; n--)
            line += letters[((seed = seed * 1103515245u + 12345u) >> 16) % (sizeof(letters) - 1)];
        std::string answer = run(line);
        ASSERT_TRUE(has(answer, "error: ") || has(answer, "ok\n")) << line;
        cxemu_control_trace trace;
        (void)!cxemu_control_is_trace(line.c_str(), &trace);
    }
}

TEST_F(Control, KnowsATraceLine)
{
    cxemu_control_trace t;
    ASSERT_TRUE(cxemu_control_is_trace("trace - json sends,qp=66", &t));
    EXPECT_STREQ(t.nic, "c0");
    EXPECT_TRUE(t.json);
    EXPECT_STREQ(t.filter, "sends,qp=66");
    ASSERT_TRUE(cxemu_control_is_trace("trace c0 text -", &t));
    EXPECT_FALSE(t.json);
    EXPECT_STREQ(t.filter, "");
    for (const char *bad : {"trace", "trace c0", "trace c0 text", "trace c0 xml -",
                            "tracer c0 json -", "trace c0 json - more"})
        EXPECT_FALSE(cxemu_control_is_trace(bad, &t)) << bad;
}

/* A client of the socket. */
class Client
{
  public:
    explicit Client(const std::string &path)
    {
        sockaddr_un addr = {};
        addr.sun_family = AF_UNIX;
        strcpy(addr.sun_path, path.c_str());
        fd = socket(AF_UNIX, SOCK_STREAM, 0);
        EXPECT_EQ(connect(fd, reinterpret_cast<sockaddr *>(&addr), sizeof(addr)), 0);
    }
    ~Client()
    {
        close(fd);
    }
    void say(const std::string &bytes)
    {
        EXPECT_EQ(send(fd, bytes.data(), bytes.size(), MSG_NOSIGNAL), ssize_t(bytes.size()));
    }
    std::string hear()
    {
        std::string all;
        char chunk[4096];
        for (ssize_t n; (n = recv(fd, chunk, sizeof(chunk), 0)) > 0;)
            all.append(chunk, size_t(n));
        return all;
    }
    int fd;
};

class ControlSocket : public Control
{
  protected:
    void SetUp() override
    {
        Control::SetUp();
        char dir[] = "/tmp/cxemu-control-XXXXXX";
        ASSERT_NE(mkdtemp(dir), nullptr);
        dir_ = dir;
        path_ = dir_ + "/sock";
        ASSERT_EQ(cxemu_control_start(path_.c_str()), 0);
    }
    void TearDown() override
    {
        Control::TearDown();
        EXPECT_NE(access(path_.c_str(), F_OK), 0);
        EXPECT_EQ(rmdir(dir_.c_str()), 0);
    }
    std::string dir_, path_;
};

TEST_F(ControlSocket, AnswersOneLineAConnection)
{
    struct stat st;
    ASSERT_EQ(stat(path_.c_str(), &st), 0);
    EXPECT_EQ(st.st_mode & 0777, 0600u);
    EXPECT_EQ(cxemu_control_start("/tmp/another"), -EBUSY);
    for (int i = 0; i < 100; i++) { /* more than there may be at once */
        Client c(path_);
        c.say("nics\n");
        ASSERT_EQ(c.hear(), "c0\nok\n");
    }
    Client split(path_);
    split.say("ni");
    split.say("cs\nignored\n");
    EXPECT_EQ(split.hear(), "c0\nok\n");
}

TEST_F(ControlSocket, StreamsATraceUntilTheClientLeaves)
{
    Client tracing(path_);
    tracing.say("trace c0 text events\n");
    char err[256] = "", chunk[512];
    ASSERT_EQ(cxemu_nic_add(("name=c1," + wire_).c_str(), err, sizeof(err)), 0) << err;
    cxemu_pump(1);
    /* It begins to trace when its thread runs: change the link until it is seen. */
    std::string line;
    for (int i = 0; i < 1000 && line.empty(); i++) {
        Client other(path_);
        other.say(std::string("set c0 link=") + (i % 2 ? "up" : "down") + "\n");
        EXPECT_EQ(other.hear(), "ok\n");
        ssize_t n = recv(tracing.fd, chunk, sizeof(chunk), MSG_DONTWAIT);
        if (n > 0)
            line.assign(chunk, size_t(n));
    }
    EXPECT_TRUE(has(line, "c0 event event=PORT_")) << line;
    EXPECT_EQ(cxemu_nic_remove("c1"), 0);
    Client wrong(path_);
    wrong.say("trace nobody text -\n");
    EXPECT_EQ(wrong.hear(), "error: nobody: no NIC of that name\n");
    Client filter(path_);
    filter.say("trace c0 text wombats\n");
    EXPECT_TRUE(has(filter.hear(), "error: filter 'wombats'"));
}

TEST_F(ControlSocket, SurvivesThoseWhoTalkNonsense)
{
    Client nul(path_);
    nul.say(std::string("ni\0cs\n", 6));
    EXPECT_EQ(nul.hear(), "");
    Client huge(path_);
    std::string line(100000, 'x');
    (void)!send(huge.fd, line.data(), line.size(), MSG_NOSIGNAL | MSG_DONTWAIT);
    (void)huge.hear();
    {
        Client gone(path_);
        gone.say("counters c0\n"); /* and does not wait */
    }
    Client silent(path_); /* says nothing: stopping does not wait for it */
    Client good(path_);
    good.say("nics\n");
    EXPECT_EQ(good.hear(), "c0\nok\n");
}

} // namespace
