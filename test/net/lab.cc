/* SPDX-License-Identifier: BSD-2-Clause */
/* Owns: see lab.h. */
#include "lab.h"

#include <gtest/gtest.h>

#include <fcntl.h>
#include <sched.h>
#include <signal.h>
#include <spawn.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cerrno>
#include <cstdlib>
#include <cstring>
#include <sstream>

extern char **environ;

namespace net
{

namespace
{

int run_shell(const std::string &command, int netns_fd)
{
    pid_t pid = fork();
    if (pid == 0) {
        if (netns_fd >= 0 && setns(netns_fd, CLONE_NEWNET) != 0)
            _exit(126);
        execl("/bin/sh", "sh", "-c", command.c_str(), nullptr);
        _exit(127);
    }
    int status = -1;
    waitpid(pid, &status, 0);
    return WIFEXITED(status) ? WEXITSTATUS(status) : -1;
}

} // namespace

std::string why_no_lab()
{
    if (geteuid() != 0)
        return "needs root: network namespaces";
    if (access("/dev/net/tun", R_OK | W_OK) != 0)
        return "needs /dev/net/tun";
    if (run_shell("unshare -n ip link add rs0 type veth peer name rs1 2>/dev/null", -1) != 0)
        return "this kernel makes no network namespace with a veth in it";
    return "";
}

Namespace::Namespace()
{
    int pipe_fds[2];
    if (pipe2(pipe_fds, O_CLOEXEC) != 0)
        return;
    pid_t parent = getpid();
    holder_ = fork();
    if (holder_ == 0) {
        prctl(PR_SET_PDEATHSIG, SIGKILL);
        if (getppid() != parent || unshare(CLONE_NEWNET) != 0 || write(pipe_fds[1], "k", 1) != 1)
            _exit(1);
        for (;;)
            pause();
    }
    char ok;
    close(pipe_fds[1]);
    EXPECT_EQ(read(pipe_fds[0], &ok, 1), 1) << "no network namespace";
    close(pipe_fds[0]);
    fd_ = open(("/proc/" + std::to_string(holder_) + "/ns/net").c_str(), O_RDONLY | O_CLOEXEC);
    EXPECT_GE(fd_, 0);
    run("ip link set lo up");
}

Namespace::~Namespace()
{
    if (fd_ >= 0)
        close(fd_);
    if (holder_ > 0) {
        kill(holder_, SIGKILL);
        waitpid(holder_, nullptr, 0);
    }
}

void Namespace::run(const std::string &command) const
{
    EXPECT_EQ(run_shell(command, fd_), 0) << command;
}

pid_t Namespace::spawn(const std::vector<std::string> &argv, int *out_fd) const
{
    int pipe_fds[2];
    if (pipe2(pipe_fds, O_CLOEXEC) != 0)
        return -1;
    std::vector<char *> pointers;
    for (const std::string &argument : argv)
        pointers.push_back(const_cast<char *>(argument.c_str()));
    pointers.push_back(nullptr);
    pid_t pid = fork();
    if (pid == 0) {
        prctl(PR_SET_PDEATHSIG, SIGKILL);
        if (setns(fd_, CLONE_NEWNET) != 0 || dup2(pipe_fds[1], STDOUT_FILENO) < 0)
            _exit(126);
        execvp(pointers[0], pointers.data());
        _exit(127);
    }
    close(pipe_fds[1]);
    fcntl(pipe_fds[0], F_SETFL, O_NONBLOCK);
    *out_fd = pipe_fds[0];
    return pid;
}

void enter_fresh_namespace()
{
    ASSERT_EQ(unshare(CLONE_NEWNET), 0) << strerror(errno);
    run_here("ip link set lo up");
}

void run_here(const std::string &command)
{
    EXPECT_EQ(run_shell(command, -1), 0) << command;
}

Peer::Peer(const Namespace &where, const std::vector<std::string> &argv)
{
    pid_ = where.spawn(argv, &out_fd_);
}

Peer::~Peer()
{
    if (!ended_) {
        kill_hard();
        waitpid(pid_, nullptr, 0);
    }
    close(out_fd_);
}

void Peer::send_signal(int number)
{
    kill(pid_, number);
}

void Peer::kill_hard()
{
    send_signal(SIGKILL);
}

void Peer::update()
{
    char buffer[4096];
    ssize_t n;
    while ((n = read(out_fd_, buffer, sizeof(buffer))) > 0)
        text_.append(buffer, static_cast<size_t>(n));
    int status;
    if (ended_ || waitpid(pid_, &status, WNOHANG) != pid_)
        return;
    ended_ = true;
    status_ = WIFEXITED(status) ? WEXITSTATUS(status) : -1;
    while ((n = read(out_fd_, buffer, sizeof(buffer))) > 0)
        text_.append(buffer, static_cast<size_t>(n));
}

std::string Peer::word(const std::string &key) const
{
    std::istringstream words(text_);
    for (std::string word; words >> word;)
        if (word.compare(0, key.size() + 1, key + "=") == 0)
            return word.substr(key.size() + 1);
    return "";
}

long long Peer::number(const std::string &key) const
{
    std::string text = word(key);
    return text.empty() ? -1 : atoll(text.c_str());
}

std::vector<std::string> peer_script(const std::vector<std::string> &arguments)
{
    std::vector<std::string> argv = {"python3", PEER_SCRIPT};
    argv.insert(argv.end(), arguments.begin(), arguments.end());
    return argv;
}

} // namespace net
