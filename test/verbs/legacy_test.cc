/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The command descriptor by hand: legacy commands by write(2), which libibverbs 44 falls back to
 * only on old kernels, and malformed requests of both kinds.
 */
#include "fixture.h"

#include <cerrno>
#include <fcntl.h>
#include <rdma/ib_user_ioctl_cmds.h>
#include <rdma/ib_user_ioctl_verbs.h>
#include <rdma/ib_user_verbs.h>
#include <rdma/mlx5-abi.h>
#include <rdma/rdma_user_ioctl_cmds.h>
#include <sys/ioctl.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <unistd.h>

namespace verbs
{

class Legacy : public ::testing::Test
{
  protected:
    void SetUp() override
    {
        char err[256];
        ASSERT_EQ(cxemu_nic_add("name=legacy,wire=none", err, sizeof(err)), 0) << err;
        for (int i = 0; i < 64 && fd < 0; i++)
            fd = open(("/dev/infiniband/uverbs" + std::to_string(i)).c_str(), O_RDWR | O_CLOEXEC);
        ASSERT_GE(fd, 0);
    }
    void TearDown() override
    {
        if (fd >= 0)
            close(fd);
        EXPECT_EQ(cxemu_object_count("legacy", "context"), 0u);
        EXPECT_EQ(cxemu_nic_remove("legacy"), 0);
    }

    struct __attribute__((packed)) GetContext {
        ib_uverbs_cmd_hdr hdr;
        uint64_t response;
        mlx5_ib_alloc_ucontext_req_v2 driver;
    };
    struct GetContextResp {
        uint32_t async_fd, num_comp_vectors; /* ib_uverbs_get_context_resp */
        mlx5_ib_alloc_ucontext_resp driver;
    };

    int get_context(GetContextResp *resp)
    {
        GetContext req = {};
        req.hdr.command = IB_USER_VERBS_CMD_GET_CONTEXT;
        req.hdr.in_words = sizeof(req) / 4;
        req.hdr.out_words = sizeof(*resp) / 4;
        req.response = reinterpret_cast<uintptr_t>(resp);
        req.driver.total_num_bfregs = 16;
        req.driver.num_low_latency_bfregs = 4;
        req.driver.max_cqe_version = 1;
        req.driver.lib_caps = MLX5_LIB_CAP_4K_UAR | MLX5_LIB_CAP_DYN_UAR;
        return write(fd, &req, sizeof(req)) == sizeof(req) ? 0 : errno;
    }

    int fd = -1;
};

TEST_F(Legacy, DescriptorLooksLikeTheDevice)
{
    struct stat st;

    ASSERT_EQ(fstat(fd, &st), 0);
    EXPECT_TRUE(S_ISCHR(st.st_mode));
    EXPECT_EQ(major(st.st_rdev), 231u);
}

TEST_F(Legacy, CommandsByWrite)
{
    GetContextResp context = {};
    struct {
        ib_uverbs_cmd_hdr hdr;
        uint64_t response;
    } alloc = {{IB_USER_VERBS_CMD_ALLOC_PD, 4, 1}, 0};
    struct {
        ib_uverbs_cmd_hdr hdr;
        uint32_t pd;
    } dealloc = {{IB_USER_VERBS_CMD_DEALLOC_PD, 3, 0}, 0};
    uint32_t handle = ~0u;

    alloc.response = reinterpret_cast<uintptr_t>(&handle);
    EXPECT_EQ(write(fd, &alloc, sizeof(alloc)), -1); /* no context yet */
    EXPECT_EQ(errno, EINVAL);
    ASSERT_EQ(get_context(&context), 0);
    EXPECT_EQ(context.driver.cqe_version, 1);
    EXPECT_EQ(get_context(&context), EINVAL); /* only once */
    ASSERT_EQ(write(fd, &alloc, sizeof(alloc)), static_cast<ssize_t>(sizeof(alloc)));
    EXPECT_EQ(cxemu_object_count("legacy", "pd"), 1u);
    dealloc.pd = handle;
    ASSERT_EQ(write(fd, &dealloc, 12), 12);
    EXPECT_EQ(write(fd, &dealloc, 12), -1);
    EXPECT_EQ(errno, ENOENT);
    close(static_cast<int>(context.async_fd));
}

TEST_F(Legacy, ObjectsDieWithTheLastDescriptor)
{
    GetContextResp context = {};
    uint32_t handle;
    struct {
        ib_uverbs_cmd_hdr hdr;
        uint64_t response;
    } alloc = {{IB_USER_VERBS_CMD_ALLOC_PD, 4, 1}, reinterpret_cast<uintptr_t>(&handle)};

    ASSERT_EQ(get_context(&context), 0);
    ASSERT_EQ(write(fd, &alloc, sizeof(alloc)), static_cast<ssize_t>(sizeof(alloc)));
    int copy = dup(fd);
    ASSERT_GE(copy, 0);
    close(fd);
    EXPECT_EQ(cxemu_object_count("legacy", "pd"), 1u);
    struct stat st;
    ASSERT_EQ(fstat(copy, &st), 0);
    EXPECT_TRUE(S_ISCHR(st.st_mode)); /* a duplicate is the device, too */
    fd = copy;
    ib_uverbs_ioctl_hdr none = {};
    EXPECT_EQ(ioctl(fd, RDMA_VERBS_IOCTL, &none), -1);
    close(fd);
    EXPECT_EQ(cxemu_object_count("legacy", "pd"), 0u);
    EXPECT_EQ(cxemu_object_count("legacy", "context"), 0u);
    fd = -1;
    close(static_cast<int>(context.async_fd));
}

TEST_F(Legacy, ExtendedCommandByWrite)
{
    GetContextResp context = {};
    struct {
        ib_uverbs_cmd_hdr hdr;
        ib_uverbs_ex_cmd_hdr ex;
        ib_uverbs_ex_query_device in;
    } req = {};
    ib_uverbs_ex_query_device_resp resp = {};

    ASSERT_EQ(get_context(&context), 0);
    req.hdr.command = IB_USER_VERBS_CMD_FLAG_EXTENDED | IB_USER_VERBS_EX_CMD_QUERY_DEVICE;
    req.hdr.in_words = sizeof(req.in) / 8;
    req.hdr.out_words = sizeof(resp) / 8;
    req.ex.response = reinterpret_cast<uintptr_t>(&resp);
    ASSERT_EQ(write(fd, &req, sizeof(req)), static_cast<ssize_t>(sizeof(req))) << strerror(errno);
    EXPECT_EQ(resp.response_length, sizeof(resp));
    EXPECT_EQ(resp.base.vendor_part_id, 4119u);
    req.in.comp_mask = 1;
    EXPECT_EQ(write(fd, &req, sizeof(req)), -1);
    EXPECT_EQ(errno, EINVAL);
    req.in.comp_mask = 0;
    req.ex.response = 8; /* no memory there */
    EXPECT_EQ(write(fd, &req, sizeof(req)), -1);
    EXPECT_EQ(errno, EFAULT);
    close(static_cast<int>(context.async_fd));
}

TEST_F(Legacy, RefusesWrongLengths)
{
    struct {
        ib_uverbs_cmd_hdr hdr;
        uint64_t response;
    } req = {{IB_USER_VERBS_CMD_QUERY_DEVICE, 4, 1}, 0};

    EXPECT_EQ(write(fd, &req, 4), -1);
    EXPECT_EQ(errno, EINVAL);
    EXPECT_EQ(write(fd, &req, sizeof(req)), -1); /* no room for the response */
    EXPECT_EQ(errno, ENOSPC);
    req.hdr.in_words = 5;
    EXPECT_EQ(write(fd, &req, sizeof(req)), -1);
    EXPECT_EQ(errno, EINVAL);
    req.hdr = {49, 4, 0};
    EXPECT_EQ(write(fd, &req, sizeof(req)), -1);
    EXPECT_EQ(errno, EOPNOTSUPP);
}

TEST_F(Legacy, RefusesMalformedIoctls)
{
    alignas(8) uint8_t bytes[sizeof(ib_uverbs_ioctl_hdr) + sizeof(ib_uverbs_attr)] = {};
    ib_uverbs_ioctl_hdr *req = reinterpret_cast<ib_uverbs_ioctl_hdr *>(bytes);

    req->length = sizeof(*req);
    req->object_id = UVERBS_OBJECT_DEVICE;
    req->method_id = UVERBS_METHOD_QUERY_PORT;
    req->driver_id = RDMA_DRIVER_MLX5;
    EXPECT_EQ(ioctl(fd, RDMA_VERBS_IOCTL, req), -1); /* no port number */
    EXPECT_EQ(errno, EINVAL);
    req->num_attrs = 1;
    EXPECT_EQ(ioctl(fd, RDMA_VERBS_IOCTL, req), -1); /* length does not fit */
    EXPECT_EQ(errno, EINVAL);
    req->length = sizeof(bytes);
    req->attrs[0].attr_id = 15;
    req->attrs[0].flags = UVERBS_ATTR_F_MANDATORY;
    EXPECT_EQ(ioctl(fd, RDMA_VERBS_IOCTL, req), -1);
    EXPECT_EQ(errno, EPROTONOSUPPORT);
    req->driver_id = RDMA_DRIVER_MLX4;
    EXPECT_EQ(ioctl(fd, RDMA_VERBS_IOCTL, req), -1);
    EXPECT_EQ(errno, EINVAL);
    EXPECT_EQ(ioctl(fd, RDMA_VERBS_IOCTL, nullptr), -1);
    EXPECT_EQ(errno, EFAULT);
    EXPECT_EQ(ioctl(fd, _IO(0x1b, 99), nullptr), -1);
    EXPECT_EQ(errno, ENOTTY);
}

} // namespace verbs
