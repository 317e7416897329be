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
#include <rdma/mlx5_user_ioctl_cmds.h>
#include <rdma/mlx5_user_ioctl_verbs.h>
#include <rdma/rdma_user_ioctl_cmds.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <unistd.h>
#include <vector>

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

    /* The page number of a new doorbell page. */
    uint32_t uar()
    {
        uint64_t offset;
        uint32_t length, page = 0;
        alignas(8) uint8_t bytes[sizeof(ib_uverbs_ioctl_hdr) + 5 * sizeof(ib_uverbs_attr)] = {};
        auto *req = reinterpret_cast<ib_uverbs_ioctl_hdr *>(bytes);

        req->length = sizeof(bytes);
        req->object_id = MLX5_IB_OBJECT_UAR;
        req->method_id = MLX5_IB_METHOD_UAR_OBJ_ALLOC;
        req->driver_id = RDMA_DRIVER_MLX5;
        req->num_attrs = 5;
        req->attrs[0].attr_id = MLX5_IB_ATTR_UAR_OBJ_ALLOC_HANDLE;
        req->attrs[1].attr_id = MLX5_IB_ATTR_UAR_OBJ_ALLOC_TYPE;
        req->attrs[1].len = 4;
        req->attrs[1].data = MLX5_IB_UAPI_UAR_ALLOC_TYPE_NC;
        req->attrs[2].attr_id = MLX5_IB_ATTR_UAR_OBJ_ALLOC_MMAP_OFFSET;
        req->attrs[2].len = 8;
        req->attrs[2].data = reinterpret_cast<uintptr_t>(&offset);
        req->attrs[3].attr_id = MLX5_IB_ATTR_UAR_OBJ_ALLOC_MMAP_LENGTH;
        req->attrs[3].len = 4;
        req->attrs[3].data = reinterpret_cast<uintptr_t>(&length);
        req->attrs[4].attr_id = MLX5_IB_ATTR_UAR_OBJ_ALLOC_PAGE_ID;
        req->attrs[4].len = 4;
        req->attrs[4].data = reinterpret_cast<uintptr_t>(&page);
        EXPECT_EQ(ioctl(fd, RDMA_VERBS_IOCTL, req), 0) << strerror(errno);
        uar_handle = static_cast<uint32_t>(req->attrs[0].data);
        return page;
    }

    int fd = -1;
    uint32_t uar_handle = 0;
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

/* A command whose answer cannot be written leaves nothing behind: no object, and no descriptor that
 * the program does not know of. */
TEST_F(Legacy, KeepsNothingOfWhatItCannotAnswer)
{
    struct {
        ib_uverbs_cmd_hdr hdr;
        uint64_t response;
    } channel = {{IB_USER_VERBS_CMD_CREATE_COMP_CHANNEL, 4, 1}, 8};
    struct __attribute__((packed)) {
        ib_uverbs_cmd_hdr hdr;
        struct { /* ib_uverbs_create_cq */
            uint64_t response, user_handle;
            uint32_t cqe, comp_vector;
            int32_t comp_channel;
            uint32_t reserved;
        } core;
        mlx5_ib_create_cq driver;
    } cq = {};
    struct {
        uint32_t handle, cqe; /* ib_uverbs_create_cq_resp */
        mlx5_ib_create_cq_resp driver;
    } made;
    GetContextResp context = {};
    int first = dup(fd); /* the lowest free number */

    close(first);
    EXPECT_EQ(get_context(reinterpret_cast<GetContextResp *>(8)), EFAULT);
    int next = dup(fd);
    close(next);
    EXPECT_EQ(next, first);
    ASSERT_EQ(get_context(&context), 0);
    first = dup(fd);
    close(first);
    EXPECT_EQ(write(fd, &channel, sizeof(channel)), -1);
    EXPECT_EQ(errno, EFAULT);
    next = dup(fd);
    close(next);
    EXPECT_EQ(next, first);

    std::vector<uint8_t> ring(8192);
    cq.hdr = {IB_USER_VERBS_CMD_CREATE_CQ, sizeof(cq) / 4, sizeof(made) / 4};
    cq.core.cqe = 15;
    cq.core.comp_channel = -1;
    cq.driver.buf_addr = (reinterpret_cast<uintptr_t>(ring.data()) + 63) & ~uintptr_t(63);
    cq.driver.db_addr = cq.driver.buf_addr + 4096;
    cq.driver.cqe_size = 64;
    cq.driver.flags = MLX5_IB_CREATE_CQ_FLAGS_UAR_PAGE_INDEX;
    cq.driver.uar_page_index = static_cast<uint16_t>(uar());
    /* The driver's part can be written, the core's cannot: it is a page that is only read. */
    void *page = mmap(nullptr, 4096, PROT_READ, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    ASSERT_NE(page, MAP_FAILED);
    cq.core.response = reinterpret_cast<uintptr_t>(page);
    EXPECT_EQ(write(fd, &cq, sizeof(cq)), -1);
    EXPECT_EQ(errno, EFAULT);
    EXPECT_EQ(cxemu_object_count("legacy", "cq"), 0u);
    munmap(page, 4096);
    page = mmap(nullptr, 8192, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    ASSERT_NE(page, MAP_FAILED);
    ASSERT_EQ(mprotect(page, 4096, PROT_READ), 0);
    cq.core.response = reinterpret_cast<uintptr_t>(page) + 4096 - offsetof(decltype(made), driver);
    EXPECT_EQ(write(fd, &cq, sizeof(cq)), -1);
    EXPECT_EQ(errno, EFAULT);
    EXPECT_EQ(cxemu_object_count("legacy", "cq"), 0u);
    munmap(page, 8192);

    cq.core.response = reinterpret_cast<uintptr_t>(&made);
    ASSERT_EQ(write(fd, &cq, sizeof(cq)), static_cast<ssize_t>(sizeof(cq))) << strerror(errno);
    EXPECT_EQ(cxemu_object_count("legacy", "cq"), 1u);
    struct {
        ib_uverbs_cmd_hdr hdr;
        ib_uverbs_destroy_cq core;
    } destroy = {};
    ib_uverbs_destroy_cq_resp destroyed;
    destroy.hdr = {IB_USER_VERBS_CMD_DESTROY_CQ, sizeof(destroy) / 4, sizeof(destroyed) / 4};
    destroy.core.response = reinterpret_cast<uintptr_t>(&destroyed);
    destroy.core.cq_handle = uar_handle; /* of another kind */
    EXPECT_EQ(write(fd, &destroy, sizeof(destroy)), -1);
    EXPECT_EQ(errno, EINVAL);
    destroy.core.cq_handle = made.handle;
    EXPECT_EQ(write(fd, &destroy, sizeof(destroy)), static_cast<ssize_t>(sizeof(destroy)));
    EXPECT_EQ(write(fd, &destroy, sizeof(destroy)), -1);
    EXPECT_EQ(errno, ENOENT);
    close(static_cast<int>(context.async_fd));
}

/* A program that makes a completion channel for each job and closes it may do so for ever. */
TEST_F(Legacy, ClosedChannelsAreGone)
{
    ib_uverbs_create_comp_channel_resp resp;
    struct {
        ib_uverbs_cmd_hdr hdr;
        uint64_t response;
    } channel = {{IB_USER_VERBS_CMD_CREATE_COMP_CHANNEL, 4, 1}, reinterpret_cast<uintptr_t>(&resp)};
    GetContextResp context = {};
    int first = -1;

    ASSERT_EQ(get_context(&context), 0);
    for (int i = 0; i < 20; i++) {
        ASSERT_EQ(write(fd, &channel, sizeof(channel)), static_cast<ssize_t>(sizeof(channel)));
        if (i == 1)
            first = static_cast<int>(resp.fd);
        close(static_cast<int>(resp.fd));
    }
    EXPECT_LE(static_cast<int>(resp.fd), first);
    close(static_cast<int>(context.async_fd));
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
