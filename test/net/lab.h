/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * A laboratory in network namespaces without names, so that nothing is left behind however a test
 * ends: this process moves to one of its own, and each further one lives as long as a child that
 * dies with this process. Hold beside it: network_namespaces(7), veth(4).
 */
#ifndef TEST_NET_LAB_H
#define TEST_NET_LAB_H

#include <sys/types.h>

#include <string>
#include <vector>

namespace net
{

/* Empty when namespaces, veth and tap can be made here; else why not. */
std::string why_no_lab();

/* A further network namespace. */
class Namespace
{
  public:
    Namespace();
    ~Namespace();
    Namespace(const Namespace &) = delete;
    Namespace &operator=(const Namespace &) = delete;

    pid_t holder() const
    {
        return holder_;
    }
    /* Runs a shell command inside; a failure is a test failure that shows the command. */
    void run(const std::string &command) const;
    /* Starts a program inside; its standard output is readable from *out_fd. */
    pid_t spawn(const std::vector<std::string> &argv, int *out_fd) const;

  private:
    pid_t holder_ = -1;
    int fd_ = -1;
};

/* Moves this process to a fresh namespace, loopback up. */
void enter_fresh_namespace();
/* Runs a shell command in this process's namespace. */
void run_here(const std::string &command);

/* The kernel's end: a program in a namespace that ends by printing key=value words. */
class Peer
{
  public:
    Peer(const Namespace &where, const std::vector<std::string> &argv);
    ~Peer();
    Peer(const Peer &) = delete;
    Peer &operator=(const Peer &) = delete;

    /* Takes in what it has printed and whether it has ended. */
    void update();
    bool ended() const
    {
        return ended_;
    }
    bool ready() const
    {
        return text_.find("READY") != std::string::npos;
    }
    int exit_status() const
    {
        return status_;
    }
    const std::string &text() const
    {
        return text_;
    }
    /* A number it reported; -1 when it did not. */
    long long number(const std::string &key) const;
    std::string word(const std::string &key) const;
    void send_signal(int number);
    void kill_hard();

  private:
    pid_t pid_ = -1;
    int out_fd_ = -1;
    bool ended_ = false;
    int status_ = -1;
    std::string text_;
};

/* Command line of peer.py. */
std::vector<std::string> peer_script(const std::vector<std::string> &arguments);

} // namespace net

#endif
