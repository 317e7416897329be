/* SPDX-License-Identifier: BSD-2-Clause */
/* Discovery, queries, memory registration, and what is refused. */
#include "fixture.h"

#include <cerrno>
#include <ctime>
#include <dirent.h>
#include <fcntl.h>
#include <fstream>
#include <infiniband/mlx5dv.h>
#include <linux/netlink.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

namespace verbs
{

using Device = PairTest;

TEST_F(Device, IsFoundByFixedPaths)
{
    struct stat st;
    std::ifstream type("/sys/class/infiniband/" + a.name + "/node_type");
    std::string line;

    ASSERT_TRUE(std::getline(type, line));
    EXPECT_EQ(line, "1: CA");
    DIR *dir = opendir("/sys/class/infiniband_verbs");
    ASSERT_NE(dir, nullptr);
    int devices = 0;
    while (dirent *e = readdir(dir))
        devices += std::string(e->d_name).compare(0, 6, "uverbs") == 0;
    closedir(dir);
    EXPECT_EQ(devices, 2);
    ASSERT_EQ(stat("/sys/class/infiniband", &st), 0);
    EXPECT_TRUE(S_ISDIR(st.st_mode));
    EXPECT_EQ(access(("/sys/class/infiniband/" + a.name + "/device/vendor").c_str(), R_OK), 0);
    EXPECT_EQ(socket(AF_NETLINK, SOCK_RAW, NETLINK_RDMA), -1);
    EXPECT_EQ(open("/dev/infiniband/uverbs250", O_RDWR), -1);
    EXPECT_EQ(errno, ENOENT);
}

TEST_F(Device, TellsWhatItIs)
{
    ibv_device_attr attr;
    ibv_port_attr port;

    ASSERT_EQ(ibv_query_device(a.ctx, &attr), 0);
    EXPECT_EQ(attr.vendor_id, 0x02c9u);
    EXPECT_EQ(attr.vendor_part_id, 4119u);
    EXPECT_STREQ(attr.fw_ver, "16.35.4030");
    EXPECT_EQ(attr.phys_port_cnt, 1);
    ASSERT_EQ(ibv_query_port(a.ctx, 1, &port), 0);
    EXPECT_EQ(port.state, IBV_PORT_ACTIVE);
    EXPECT_EQ(port.link_layer, IBV_LINK_LAYER_ETHERNET);
    EXPECT_NE(ibv_query_port(a.ctx, 2, &port), 0);
    EXPECT_NE(ibv_query_port(a.ctx, 0, &port), 0);
}

/* Outside of switchdev mode the driver has nothing to tell, and says so without an error. */
TEST_F(Device, HasPortsThatAreNoRepresentors)
{
    mlx5dv_port port{};
    ASSERT_EQ(mlx5dv_query_port(a.ctx, 1, &port), 0);
    EXPECT_EQ(port.flags, 0u);
    EXPECT_EQ(port.vport, 0);
    EXPECT_EQ(mlx5dv_query_port(a.ctx, 2, &port), EINVAL);
}

TEST_F(Device, ClaimsOnlyWhatItDoes)
{
    ibv_device_attr_ex attr = {};
    mlx5dv_context dv = {};

    ASSERT_EQ(ibv_query_device_ex(a.ctx, nullptr, &attr), 0);
    EXPECT_TRUE(attr.raw_packet_caps & IBV_RAW_PACKET_CAP_IP_CSUM);
    EXPECT_TRUE(attr.raw_packet_caps & IBV_RAW_PACKET_CAP_CVLAN_STRIPPING);
    EXPECT_TRUE(attr.raw_packet_caps & IBV_RAW_PACKET_CAP_SCATTER_FCS);
    EXPECT_FALSE(attr.raw_packet_caps & IBV_RAW_PACKET_CAP_DELAY_DROP);
    EXPECT_EQ(attr.rss_caps.supported_qpts, 1u << IBV_QPT_RAW_PACKET);
    EXPECT_EQ(attr.rss_caps.max_rwq_indirection_table_size, 2048u);
    EXPECT_EQ(mlx5dv_query_device(a.ctx, &dv), 0);
    EXPECT_EQ(dv.version, 0);
}

/* The page that programs read, completions' stamps and the factors to UTC are of one clock. */
TEST_F(Device, ClockPageTurnsIntoUtc)
{
    ibv_device_attr_ex attr = {};
    ibv_values_ex now = {IBV_VALUES_MASK_RAW_CLOCK, {}};
    mlx5dv_clock_info info;
    timespec before, after;

    ASSERT_EQ(ibv_query_device_ex(a.ctx, nullptr, &attr), 0);
    EXPECT_EQ(attr.hca_core_clock, 78125u); /* a ConnectX-5's */
    clock_gettime(CLOCK_REALTIME, &before);
    pump(1);
    ASSERT_EQ(ibv_query_rt_values_ex(a.ctx, &now), 0);
    clock_gettime(CLOCK_REALTIME, &after);
    ASSERT_EQ(mlx5dv_get_clock_info(a.ctx, &info), 0);
    auto ns = [](const timespec &t) {
        return static_cast<int64_t>(t.tv_sec) * 1000000000 + t.tv_nsec;
    };
    /* tv_nsec has the cycles, as libmlx5 fills it. The page shows the last pass: no later than
     * after, and at most what the machine took for it before; 1 ms for the clocks' own steps. */
    const int64_t utc =
        static_cast<int64_t>(mlx5dv_ts_to_ns(&info, static_cast<uint64_t>(now.raw_clock.tv_nsec)));
    EXPECT_GE(utc, ns(before) - 1000000);
    EXPECT_LE(utc, ns(after) + 1000000);
}

TEST_F(Device, HasAClockThatRuns)
{
    ibv_values_ex first = {IBV_VALUES_MASK_RAW_CLOCK, {}}, second = first;

    ASSERT_EQ(ibv_query_rt_values_ex(a.ctx, &first), 0);
    pump(2);
    ASSERT_EQ(ibv_query_rt_values_ex(a.ctx, &second), 0);
    EXPECT_GT(second.raw_clock.tv_nsec, first.raw_clock.tv_nsec);
}

TEST_F(Device, RefusesBadMemory)
{
    static const char read_only[8192] __attribute__((aligned(4096))) = {1};
    void *gap = mmap(nullptr, 3 * 4096, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    ASSERT_NE(gap, MAP_FAILED);
    ASSERT_EQ(munmap(static_cast<char *>(gap) + 4096, 4096), 0);

    EXPECT_EQ(ibv_reg_mr(a.pd, gap, 3 * 4096, IBV_ACCESS_LOCAL_WRITE), nullptr);
    EXPECT_EQ(errno, EFAULT);
    EXPECT_EQ(ibv_reg_mr(a.pd, a.at(0), 4096, IBV_ACCESS_REMOTE_WRITE), nullptr);
    EXPECT_EQ(errno, EINVAL);
    EXPECT_EQ(ibv_reg_mr(a.pd, a.at(0), 4096, 1 << 12), nullptr);
    EXPECT_EQ(errno, EINVAL);
    EXPECT_EQ(ibv_reg_mr(a.pd, const_cast<char *>(read_only), 4096, IBV_ACCESS_LOCAL_WRITE),
              nullptr);
    EXPECT_EQ(errno, EFAULT);
    ibv_mr *mr = ibv_reg_mr(a.pd, const_cast<char *>(read_only), 4096, 0);
    EXPECT_NE(mr, nullptr);
    EXPECT_EQ(ibv_dereg_mr(mr), 0);
    munmap(gap, 4096);
    munmap(static_cast<char *>(gap) + 2 * 4096, 4096);
}

TEST_F(Device, Reregisters)
{
    ibv_mr *mr = ibv_reg_mr(a.pd, a.at(0), 4096, IBV_ACCESS_LOCAL_WRITE);
    ibv_pd *other = ibv_alloc_pd(a.ctx);

    ASSERT_NE(mr, nullptr);
    ASSERT_NE(other, nullptr);
    EXPECT_EQ(ibv_rereg_mr(mr, IBV_REREG_MR_CHANGE_TRANSLATION, nullptr, a.at(4096), 8192, 0), 0);
    EXPECT_EQ(ibv_rereg_mr(mr, IBV_REREG_MR_CHANGE_PD, other, nullptr, 0, 0), 0);
    EXPECT_EQ(ibv_dealloc_pd(other), EBUSY); /* the region moved there */
    EXPECT_EQ(ibv_dereg_mr(mr), 0);
    EXPECT_EQ(ibv_dealloc_pd(other), 0);
}

TEST_F(Device, RefusesWhatIsNotThereByItsErrno)
{
    ibv_srq_init_attr srq = {};
    srq.attr = {16, 1, 0};
    EXPECT_EQ(ibv_create_srq(a.pd, &srq), nullptr); /* libmlx5: a limit of 0 */
    ibv_qp_init_attr rc = {};
    rc.send_cq = rc.recv_cq = a.cq;
    rc.cap = {16, 16, 1, 1, 0};
    rc.qp_type = IBV_QPT_RC;
    EXPECT_EQ(ibv_create_qp(a.pd, &rc), nullptr);
    EXPECT_EQ(errno, EOPNOTSUPP);
}

TEST_F(Device, ChecksCompletionQueues)
{
    EXPECT_EQ(ibv_create_cq(a.ctx, 10, nullptr, nullptr, 8), nullptr); /* vectors are 0..7 */
    EXPECT_EQ(errno, EINVAL);
    EXPECT_EQ(ibv_create_cq(a.ctx, 1 << 23, nullptr, nullptr, 0), nullptr);
    EXPECT_EQ(ibv_destroy_cq(a.cq), EBUSY); /* the queue pair uses it */
    EXPECT_EQ(ibv_dealloc_pd(a.pd), EBUSY);
}

TEST_F(Device, ImportsAContextByADuplicate)
{
    int fd = dup(a.ctx->cmd_fd);
    ASSERT_GE(fd, 0);
    ibv_context *imported = ibv_import_device(fd);
    ASSERT_NE(imported, nullptr) << strerror(errno);
    ibv_pd *pd = ibv_import_pd(imported, a.pd->handle);
    ASSERT_NE(pd, nullptr);
    ibv_mr *mr = ibv_reg_mr(pd, a.at(0), 4096, IBV_ACCESS_LOCAL_WRITE);
    EXPECT_NE(mr, nullptr);
    EXPECT_EQ(ibv_dereg_mr(mr), 0);
    ibv_unimport_pd(pd);
    EXPECT_EQ(ibv_close_device(imported), 0);
    ibv_device_attr attr;
    EXPECT_EQ(ibv_query_device(a.ctx, &attr), 0); /* the first descriptor still holds it */
}

TEST_F(Device, FailsCommandsOfAForkedChild)
{
    pid_t child = fork();
    if (child == 0) {
        ibv_device_attr attr;
        int err = ibv_query_device(a.ctx, &attr);
        _exit(err == EIO ? 0 : 1);
    }
    int status = -1;
    ASSERT_EQ(waitpid(child, &status, 0), child);
    EXPECT_EQ(status, 0);
    ibv_device_attr attr;
    EXPECT_EQ(ibv_query_device(a.ctx, &attr), 0);
}

/* Every model by its verbs, as its owner would see it. */
TEST(Models, TellWhatTheyAre)
{
    const struct {
        const char *model;
        uint32_t part;
        const char *fw;
        uint8_t width, speed;
        uint64_t clock;
        bool real_time;
    } cases[] = {
        {"cx4lx", 4117, "14.32.1010", 1, 32, 156250, false},
        {"cx5", 4119, "16.35.4030", 2, 32, 78125, false},
        {"cx6dx", 4125, "22.35.4030", 2, 64, 1000000, true},
        {"cx7", 4129, "28.39.3004", 2, 128, 1000000, true},
    };

    for (const auto &c : cases) {
        char err[256];
        const std::string name = c.model;
        ASSERT_EQ(cxemu_nic_add(("name=" + name + ",model=" + name).c_str(), err, sizeof(err)), 0)
            << err;
        ibv_context *ctx = open_device(name);
        ASSERT_NE(ctx, nullptr) << name;
        ibv_device_attr_ex attr = {};
        ibv_port_attr port = {};
        mlx5dv_context dv = {};
        ASSERT_EQ(ibv_query_device_ex(ctx, nullptr, &attr), 0);
        ASSERT_EQ(ibv_query_port(ctx, 1, &port), 0);
        ASSERT_EQ(mlx5dv_query_device(ctx, &dv), 0);
        EXPECT_EQ(attr.orig_attr.vendor_part_id, c.part);
        EXPECT_STREQ(attr.orig_attr.fw_ver, c.fw);
        EXPECT_EQ(attr.hca_core_clock, c.clock);
        EXPECT_EQ(port.active_width, c.width);
        EXPECT_EQ(port.active_speed, c.speed);
        EXPECT_EQ(!!(dv.flags & MLX5DV_CONTEXT_FLAGS_REAL_TIME_TS), c.real_time) << name;
        EXPECT_EQ(ibv_close_device(ctx), 0);
        EXPECT_EQ(cxemu_nic_remove(name.c_str()), 0);
    }
}

TEST(Api, SaysWhatIsWrongWithADescription)
{
    char err[256];

    ASSERT_EQ(cxemu_nic_add("name=one,wire=none", err, sizeof(err)), 0) << err;
    EXPECT_EQ(cxemu_nic_add("name=one", err, sizeof(err)), -EEXIST);
    EXPECT_NE(std::string(err).find("one"), std::string::npos);
    EXPECT_EQ(cxemu_nic_add("mtu=9001", err, sizeof(err)), -EINVAL);
    EXPECT_NE(std::string(err).find("9001"), std::string::npos);
    EXPECT_EQ(cxemu_nic_add("wire=packet:cxemu-none0", err, sizeof(err)), -ENODEV) << err;
    EXPECT_NE(std::string(err).find("cxemu-none0"), std::string::npos);
    EXPECT_EQ(cxemu_drive_set(CXEMU_DRIVE_THREAD), -EBUSY);
    EXPECT_EQ(cxemu_drive_set(CXEMU_DRIVE_PUMP), 0);
    EXPECT_EQ(cxemu_nic_remove("one"), 0);
    EXPECT_EQ(cxemu_nic_remove("one"), -ENOENT);
    EXPECT_EQ(cxemu_link_set("one", true), -ENOENT);
}

} // namespace verbs
