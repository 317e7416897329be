/* SPDX-License-Identifier: BSD-2-Clause */
#include "cxemu/uverbs/bundle.h"

#include <cerrno>
#include <cstring>
#include <gtest/gtest.h>
#include <rdma/ib_user_ioctl_verbs.h>
#include <vector>

static const cxemu_attr_spec specs[] = {
    {0, CXEMU_ATTR_IN, true, 4, 8, false, nullptr},
    {1, CXEMU_ATTR_OUT, false, 8, 8, false, nullptr},
    {2, CXEMU_ATTR_OBJ, false, 0, 0, false, nullptr},
    {3, CXEMU_ATTR_IN, false, 4, 12, true, nullptr},
    {0x1000, CXEMU_ATTR_IN, false, 0, 64, false, nullptr},
    {0, CXEMU_ATTR_ABSENT, false, 0, 0, false, nullptr},
};

static int nothing(cxemu_bundle *)
{
    return 0;
}

static const cxemu_method method = {7, 1, "METHOD", nothing, 0, false, specs};

static const cxemu_method *find(uint16_t object, uint16_t id)
{
    return object == 7 && id == 1 ? &method : nullptr;
}

/* An ioctl's argument, to be bent. */
class Bundle : public ::testing::Test
{
  protected:
    void SetUp() override
    {
        bytes.resize(sizeof(ib_uverbs_ioctl_hdr));
        hdr()->object_id = 7;
        hdr()->method_id = 1;
        hdr()->driver_id = RDMA_DRIVER_MLX5;
        add(0, 4, 77);
    }
    ib_uverbs_ioctl_hdr *hdr()
    {
        return reinterpret_cast<ib_uverbs_ioctl_hdr *>(bytes.data());
    }
    ib_uverbs_attr *attr(unsigned i)
    {
        return hdr()->attrs + i;
    }
    void add(uint16_t id, uint16_t len, uint64_t data, uint16_t flags = UVERBS_ATTR_F_MANDATORY)
    {
        ib_uverbs_attr a = {};
        a.attr_id = id;
        a.len = len;
        a.flags = flags;
        a.data = data;
        const uint8_t *p = reinterpret_cast<const uint8_t *>(&a);
        bytes.insert(bytes.end(), p, p + sizeof(a));
        hdr()->num_attrs++;
        hdr()->length = static_cast<uint16_t>(bytes.size());
    }
    int parse()
    {
        return cxemu_bundle_parse(&b, reinterpret_cast<uint64_t>(bytes.data()), find);
    }
    std::vector<uint8_t> bytes;
    cxemu_bundle b;
};

TEST_F(Bundle, TakesAttributes)
{
    uint8_t blob[64], copy[64];
    uint64_t number = 0, out = 0, value = 42;

    memset(blob, 0x5a, sizeof(blob));
    add(0x1000, 64, reinterpret_cast<uint64_t>(blob));
    add(1, 8, reinterpret_cast<uint64_t>(&out));
    add(2, 0, 5);
    ASSERT_EQ(parse(), 0);
    EXPECT_EQ(cxemu_bundle_number(&b, 0, &number), 0);
    EXPECT_EQ(number, 77u);
    EXPECT_EQ(cxemu_bundle_in(&b, 0x1000, copy, sizeof(copy)), 0);
    EXPECT_EQ(memcmp(copy, blob, sizeof(blob)), 0);
    EXPECT_EQ(cxemu_bundle_attr(&b, 2)->data, 5u);
    EXPECT_FALSE(cxemu_bundle_has(&b, 3));
    EXPECT_EQ(cxemu_bundle_out(&b, 1, &value, sizeof(value)), 0);
    EXPECT_EQ(out, 42u);
    EXPECT_TRUE(attr(2)->flags & UVERBS_ATTR_F_VALID_OUTPUT);
    EXPECT_EQ(cxemu_bundle_out_id(&b, 2, 9), 0);
    EXPECT_EQ(attr(3)->data, 9u);
}

TEST_F(Bundle, WantsTheExactLength)
{
    hdr()->length--;
    EXPECT_EQ(parse(), -EINVAL);
    hdr()->length += 2;
    EXPECT_EQ(parse(), -EINVAL);
    hdr()->length--;
    hdr()->num_attrs = 4095;
    EXPECT_EQ(parse(), -EINVAL);
}

TEST_F(Bundle, RefusesReservedFieldsAndOtherDrivers)
{
    hdr()->reserved1 = 1;
    EXPECT_EQ(parse(), -EPROTONOSUPPORT);
    hdr()->reserved1 = 0;
    hdr()->driver_id = RDMA_DRIVER_MLX4;
    EXPECT_EQ(parse(), -EINVAL);
    hdr()->driver_id = RDMA_DRIVER_MLX5;
    attr(0)->attr_data.reserved = 1;
    EXPECT_EQ(parse(), -EINVAL);
    attr(0)->attr_data.reserved = 0;
    hdr()->method_id = 2;
    EXPECT_EQ(parse(), -EPROTONOSUPPORT);
}

TEST_F(Bundle, UnknownAttributesMatterOnlyWhenMandatory)
{
    add(9, 8, 0, 0);
    EXPECT_EQ(parse(), 0);
    add(0x2000, 8, 0, 0);
    EXPECT_EQ(parse(), 0);
    add(9, 8, 0);
    EXPECT_EQ(parse(), -EPROTONOSUPPORT);
}

TEST_F(Bundle, RefusesDuplicatesAndMissingOnes)
{
    add(0, 4, 1);
    EXPECT_EQ(parse(), -EINVAL);
    attr(0)->attr_id = 2;
    attr(0)->len = 0;
    attr(1)->attr_id = 2;
    attr(1)->len = 0;
    EXPECT_EQ(parse(), -EINVAL);
    attr(1)->attr_id = 3;
    attr(1)->len = 4;
    EXPECT_EQ(parse(), -EINVAL); /* attribute 0 is mandatory */
}

TEST_F(Bundle, ChecksLengthsOfAttributes)
{
    attr(0)->len = 3;
    EXPECT_EQ(parse(), -EINVAL);
    attr(0)->len = 9;
    EXPECT_EQ(parse(), -EINVAL);
    attr(0)->len = 8;
    EXPECT_EQ(parse(), 0);
    add(2, 1, 5); /* handles have no length */
    EXPECT_EQ(parse(), -EINVAL);
}

TEST_F(Bundle, LongerIsFineWhenTheRestIsZero)
{
    uint8_t blob[100] = {1, 2, 3};

    add(3, sizeof(blob), reinterpret_cast<uint64_t>(blob));
    EXPECT_EQ(parse(), 0);
    blob[99] = 1;
    EXPECT_EQ(parse(), -EOPNOTSUPP);
    blob[99] = 0;
    blob[12] = 1;
    EXPECT_EQ(parse(), -EOPNOTSUPP);
}

TEST_F(Bundle, FaultsOnBadAddresses)
{
    uint8_t copy[64];

    EXPECT_EQ(cxemu_bundle_parse(&b, 16, find), -EFAULT);
    add(0x1000, 64, 16);
    ASSERT_EQ(parse(), 0); /* not looked at before the handler wants it */
    EXPECT_EQ(cxemu_bundle_in(&b, 0x1000, copy, sizeof(copy)), -EFAULT);
}
