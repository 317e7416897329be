/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The control socket's protocol, against clients of every kind. No device: a tapm made by hand,
 * with an eventfd where its events would come from.
 */
#include "control/control_socket.h"

#include <cerrno>
#include <chrono>
#include <cstdlib>
#include <cstring>
#include <dirent.h>
#include <gtest/gtest.h>
#include <json-c/json.h>
#include <poll.h>
#include <string>
#include <sys/eventfd.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <thread>
#include <unistd.h>
#include <vector>

namespace
{

class ControlSocket : public testing::Test
{
  protected:
    void SetUp() override
    {
        char name[] = "/tmp/rawstack-control.XXXXXX";
        ASSERT_NE(nullptr, mkdtemp(name));
        dir = name;
        tapm = make("one");
        ASSERT_EQ(0, tapm_control_start(tapm, dir.c_str())) << tapm->error;
        path = tapm_control_path(tapm);
    }
    void TearDown() override
    {
        stop(tapm);
        for (const auto &name : entries())
            unlink((dir + "/" + name).c_str());
        EXPECT_EQ(0, rmdir(dir.c_str()));
    }

    struct tapm *make(const char *owner)
    {
        auto *t = static_cast<struct tapm *>(calloc(1, sizeof(struct tapm)));
        t->context = static_cast<struct ibv_context *>(calloc(1, sizeof(struct ibv_context)));
        t->context->async_fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
        pthread_mutex_init(&t->calls, nullptr);
        pthread_mutex_init(&t->state, nullptr);
        pthread_mutex_init(&t->provider_lock, nullptr);
        snprintf(t->device, sizeof(t->device), "mlx5_7");
        snprintf(t->owner, sizeof(t->owner), "%s", owner);
        t->port = 1;
        return t;
    }
    void stop(struct tapm *t)
    {
        tapm_control_stop(t);
        close(t->context->async_fd);
        free(t->context);
        free(t);
    }

    std::vector<std::string> entries()
    {
        std::vector<std::string> names;
        DIR *d = opendir(dir.c_str());
        while (struct dirent *e = readdir(d)) {
            if (e->d_name[0] != '.')
                names.push_back(e->d_name);
        }
        closedir(d);
        return names;
    }

    int connect_to(const std::string &to)
    {
        struct sockaddr_un address = {};
        address.sun_family = AF_UNIX;
        memcpy(address.sun_path, to.c_str(), to.size());
        int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
        if (connect(fd, reinterpret_cast<struct sockaddr *>(&address), sizeof(address)) != 0) {
            close(fd);
            return -1;
        }
        return fd;
    }
    std::string read_all(int fd)
    {
        std::string text;
        char bytes[4096];
        ssize_t n;
        struct pollfd p = {fd, POLLIN, 0};
        while (poll(&p, 1, 10000) == 1 && (n = read(fd, bytes, sizeof(bytes))) > 0)
            text.append(bytes, static_cast<size_t>(n));
        return text;
    }
    std::string ask(const std::string &request)
    {
        int fd = connect_to(path);
        EXPECT_GE(fd, 0);
        EXPECT_EQ(static_cast<ssize_t>(request.size()),
                  send(fd, request.data(), request.size(), MSG_NOSIGNAL));
        std::string answer = read_all(fd);
        close(fd);
        return answer;
    }
    /* The member of the answer, or "" when it is not JSON or has none. */
    static std::string member(const std::string &json, const char *name)
    {
        struct json_object *object = json_tokener_parse(json.c_str()), *m = nullptr;
        std::string text;
        if (object && json_object_object_get_ex(object, name, &m) && m)
            text = json_object_get_string(m);
        json_object_put(object);
        return text;
    }

    std::string dir, path;
    struct tapm *tapm = nullptr;
};

TEST_F(ControlSocket, AnswersShow)
{
    std::string answer = ask("show\n");
    EXPECT_EQ("mlx5_7", member(answer, "device"));
    EXPECT_NE(std::string::npos, member(answer, "process").find("one"));
    EXPECT_NE("", member(answer, "taps"));
    EXPECT_EQ("", member(answer, "error"));
}

TEST_F(ControlSocket, OnlyItsOwnerMayAsk)
{
    struct stat st;
    ASSERT_EQ(0, stat(path.c_str(), &st));
    EXPECT_EQ(0600u, st.st_mode & 0777);
}

TEST_F(ControlSocket, GarbageIsAnsweredWithAnError)
{
    const std::string garbage[] = {
        "frob\n",
        "\n",
        "SHOW\n",
        "show me\n",
        std::string("sh\0ow\n", 6),
        "\xff\xfe\x80\n",
        "overlap\n",
        "overlap \n",
        "overlap 0 1\n",
        "overlap 0 1 nonsense\n",

        std::string(500, 'x') + "\n",
    };
    for (const auto &request : garbage)
        EXPECT_NE("", member(ask(request), "error")) << request;
    EXPECT_EQ("", member(ask("show\n"), "error")) << "and it goes on";
}

TEST_F(ControlSocket, OversizeIsRefusedAndNotStored)
{
    int fd = connect_to(path);
    std::string huge(512, 'x');
    ASSERT_EQ(512, send(fd, huge.data(), huge.size(), MSG_NOSIGNAL));
    EXPECT_NE("", member(read_all(fd), "error"));
    close(fd);
    fd = connect_to(path);
    std::string endless(1 << 20, 'x');
    while (send(fd, endless.data(), endless.size(), MSG_NOSIGNAL | MSG_DONTWAIT) > 0)
        ;
    read_all(fd); /* ends: the connection is closed, whatever was left unread */
    close(fd);
    EXPECT_EQ("", member(ask("show\n"), "error"));
}

TEST_F(ControlSocket, RequestInPiecesIsOneRequest)
{
    int fd = connect_to(path);
    for (char c : std::string("show\n")) {
        ASSERT_EQ(1, send(fd, &c, 1, MSG_NOSIGNAL));
        usleep(2000);
    }
    EXPECT_EQ("mlx5_7", member(read_all(fd), "device"));
    close(fd);
}

TEST_F(ControlSocket, SilentClientsKeepNobodyWaiting)
{
    std::vector<int> silent;
    for (unsigned i = 0; i + 1 < TAPM_CLIENTS_MAX; i++)
        silent.push_back(connect_to(path));
    int gone = connect_to(path); /* connects and leaves without a word */
    close(gone);
    EXPECT_EQ("mlx5_7", member(ask("show\n"), "device"));
    for (int fd : silent)
        close(fd);
}

TEST_F(ControlSocket, FullHouseEmptiesByDeadline)
{
    std::vector<int> silent;
    for (unsigned i = 0; i < TAPM_CLIENTS_MAX; i++)
        silent.push_back(connect_to(path));
    /* The next waits in the backlog until the silent ones have had their time. */
    EXPECT_EQ("mlx5_7", member(ask("show\n"), "device"));
    for (int fd : silent) {
        EXPECT_EQ("", read_all(fd)) << "closed without an answer";
        close(fd);
    }
}

size_t many_counters(void *, struct rs_counter *out, size_t n)
{
    for (size_t i = 0; i < n; i++)
        out[i] = {
            "a_counter_with_quite_a_long_name_so_that_the_answer_is_long_as_well_and_fills_it", i};
    return n;
}

TEST_F(ControlSocket, ClientThatDoesNotReadKeepsNobodyWaiting)
{
    tapm_stats_provider_set(tapm, "big", many_counters, nullptr);
    int fd = connect_to(path);
    int small = 1024;
    setsockopt(fd, SOL_SOCKET, SO_RCVBUF, &small, sizeof(small));
    ASSERT_EQ(6, send(fd, "stats\n", 6, MSG_NOSIGNAL));
    for (int i = 0; i < 20; i++)
        EXPECT_EQ("mlx5_7", member(ask("show\n"), "device"));
    close(fd);
}

size_t two_counters(void *ctx, struct rs_counter *out, size_t n)
{
    EXPECT_GE(n, 2u);
    out[0] = {"apples", *static_cast<uint64_t *>(ctx)};
    out[1] = {"pears", 5};
    return 2;
}

TEST_F(ControlSocket, StatsHaveTheProgramsSection)
{
    uint64_t apples = 41;
    tapm_stats_provider_set(tapm, "fruit", two_counters, &apples);
    std::string sections = member(ask("stats\n"), "sections");
    EXPECT_EQ("{ \"apples\": 41, \"pears\": 5 }", member(sections, "fruit")) << sections;
    tapm_stats_provider_set(tapm, nullptr, nullptr, nullptr);
    EXPECT_EQ("{ }", member(ask("stats\n"), "sections"));
}

TEST_F(ControlSocket, StopRemovesTheSocket)
{
    struct tapm *other = make("two");
    ASSERT_EQ(0, tapm_control_start(other, dir.c_str()));
    EXPECT_EQ(2u, entries().size()) << "two of one process and device have two names";
    EXPECT_NE(path, tapm_control_path(other));
    stop(other);
    EXPECT_EQ(1u, entries().size());
}

TEST_F(ControlSocket, SocketsOfTheDeadAreRemoved)
{
    pid_t child = fork();
    ASSERT_GE(child, 0);
    if (child == 0) { /* binds, and dies without a clean-up */
        char where[TAPM_PATH_BYTES];
        int fd = tapm_run_dir_listen(dir.c_str(), "mlx5_9", where, sizeof(where));
        _exit(fd >= 0 ? 0 : 1);
    }
    int status = -1;
    ASSERT_EQ(child, waitpid(child, &status, 0));
    ASSERT_EQ(0, status);
    EXPECT_EQ(2u, entries().size());

    std::vector<std::string> answers;
    auto collect = [](void *ctx, const char *json) {
        static_cast<std::vector<std::string> *>(ctx)->push_back(json);
    };
    EXPECT_EQ(1, tapm_control_query(dir.c_str(), "show", collect, &answers)) << "dead ones skipped";
    struct tapm *other = make("two");
    ASSERT_EQ(0, tapm_control_start(other, dir.c_str()));
    EXPECT_EQ(2u, entries().size()) << "the dead one's is gone";
    for (const auto &name : entries())
        EXPECT_EQ(std::string::npos, name.find("mlx5_9"));
    stop(other);
}

TEST_F(ControlSocket, QueryReachesEveryProcess)
{
    struct tapm *other = make("two");
    ASSERT_EQ(0, tapm_control_start(other, dir.c_str()));
    std::string all;
    auto collect = [](void *ctx, const char *json) { *static_cast<std::string *>(ctx) += json; };
    EXPECT_EQ(2, tapm_control_query(dir.c_str(), "show", collect, &all));
    EXPECT_NE(std::string::npos, all.find("\"one\""));
    EXPECT_NE(std::string::npos, all.find("\"two\""));
    stop(other);
    EXPECT_EQ(-EINVAL, tapm_control_query(dir.c_str(), "frob", collect, &all));
    EXPECT_EQ(0, tapm_control_query("/tmp/there-is-no-such-directory", "show", collect, &all));
}

TEST_F(ControlSocket, DirectoryThatCannotBeUsedIsNamed)
{
    struct tapm *other = make("two");
    EXPECT_LT(tapm_control_start(other, "/proc/nowhere"), 0);
    EXPECT_NE(std::string::npos, std::string(other->error).find("/proc/nowhere")) << other->error;
    std::string deep = dir + "/" + std::string(120, 'x');
    EXPECT_EQ(-ENAMETOOLONG, tapm_control_start(other, deep.c_str()));
    EXPECT_NE(std::string::npos, std::string(other->error).find(deep)) << other->error;
    rmdir(deep.c_str());
    EXPECT_EQ(0, tapm_control_start(other, "")) << "no socket is fine when asked for";
    EXPECT_STREQ("", tapm_control_path(other));
    stop(other);
}

TEST_F(ControlSocket, RunDirOfTheEnvironmentComesFirst)
{
    char out[256];
    setenv("RAWSTACK_RUN_DIR", "/tmp/here", 1);
    EXPECT_TRUE(tapm_run_dir(0, out, sizeof(out)));
    EXPECT_STREQ("/tmp/here", out);
    EXPECT_FALSE(tapm_run_dir(1, out, sizeof(out)));
    unsetenv("RAWSTACK_RUN_DIR");
    setenv("XDG_RUNTIME_DIR", "/run/user/7", 1);
    EXPECT_TRUE(tapm_run_dir(0, out, sizeof(out)));
    EXPECT_STREQ("/run/rawstack", out);
    EXPECT_TRUE(tapm_run_dir(1, out, sizeof(out)));
    EXPECT_STREQ("/run/user/7/rawstack", out);
    EXPECT_FALSE(tapm_run_dir(2, out, sizeof(out)));
}

} // namespace
