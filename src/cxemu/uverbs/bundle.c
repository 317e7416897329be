/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The parser of bundle.h. Nothing here trusts a length: the header's length must be exactly that of
 * its attributes, each attribute is copied in before it is looked at, and only slots of the
 * method's own table are filled.
 */
#include "cxemu/uverbs/bundle.h"

#include "cxemu/uverbs/caller.h"
#include "cxemu/uverbs/umem.h"
#include <errno.h>
#include <rdma/ib_user_ioctl_cmds.h>
#include <rdma/ib_user_ioctl_verbs.h>
#include <string.h>

/* -1: a number that no table of ours can hold. */
static int slot_of(uint16_t id)
{
    unsigned space = id >> UVERBS_ID_NS_SHIFT, number = id & ~UVERBS_ID_NS_MASK;

    return space > 1 || number >= 16 ? -1 : (int)(space * 16 + number);
}

static const struct cxemu_attr_spec *find_spec(const struct cxemu_method *m, uint16_t id)
{
    for (const struct cxemu_attr_spec *s = m->specs; s && s->type != CXEMU_ATTR_ABSENT; s++)
        if (s->id == id)
            return s;
    return NULL;
}

static bool is_inline(uint16_t len)
{
    return len <= sizeof(((struct ib_uverbs_attr *)0)->data);
}

/* Are the bytes past the known ones zero? 0, -EFAULT, -EOPNOTSUPP. */
static int check_trailing(const struct ib_uverbs_attr *u, uint16_t known)
{
    uint8_t bytes[64];

    if (is_inline(u->len)) {
        uint64_t data = u->data;
        return known < 8 && u->len > known && data >> (known * 8) ? -EOPNOTSUPP : 0;
    }
    for (uint32_t at = known; at < u->len;) {
        uint32_t n = u->len - at < sizeof(bytes) ? u->len - at : sizeof(bytes);
        if (cxemu_umem_read(bytes, u->data + at, n))
            return -EFAULT;
        for (uint32_t i = 0; i < n; i++)
            if (bytes[i])
                return -EOPNOTSUPP;
        at += n;
    }
    return 0;
}

static int check_bytes(const struct cxemu_attr_spec *spec, const struct ib_uverbs_attr *u)
{
    if (spec->type == CXEMU_ATTR_ENUM ? u->attr_data.enum_data.reserved : u->attr_data.reserved)
        return -EINVAL;
    if (u->len > spec->max_bytes) {
        if (!spec->zero_trailing)
            return -EINVAL;
        if (spec->type != CXEMU_ATTR_OUT)
            return check_trailing(u, spec->max_bytes);
    }
    return u->len < spec->min_bytes ? -EINVAL : 0;
}

static int take_attr(struct cxemu_bundle *b, const struct ib_uverbs_attr *u, uint16_t index)
{
    const struct cxemu_attr_spec *spec = find_spec(b->method, u->attr_id);
    int slot = slot_of(u->attr_id);

    if (!spec || slot < 0)
        return u->flags & UVERBS_ATTR_F_MANDATORY ? -EPROTONOSUPPORT : 0;
    struct cxemu_attr *attr = &b->attrs[slot];
    if (attr->present)
        return -EINVAL;
    bool has_bytes = spec->type == CXEMU_ATTR_IN || spec->type == CXEMU_ATTR_ENUM ||
                     spec->type == CXEMU_ATTR_OUT;
    int err = has_bytes ? check_bytes(spec, u) : u->len || u->attr_data.reserved ? -EINVAL : 0;
    if (err)
        return err;
    *attr = (struct cxemu_attr){.present = true, .len = u->len, .index = index, .data = u->data};
    if (spec->type == CXEMU_ATTR_ENUM)
        attr->elem = u->attr_data.enum_data.elem_id;
    return 0;
}

static int take_attrs(struct cxemu_bundle *b, uint16_t count)
{
    struct ib_uverbs_attr u;

    for (uint16_t i = 0; i < count; i++) {
        if (cxemu_umem_read(&u, b->user_attrs + i * sizeof(u), sizeof(u)))
            return -EFAULT;
        int err = take_attr(b, &u, i);
        if (err)
            return err;
    }
    return 0;
}

static int check_mandatory(const struct cxemu_bundle *b)
{
    for (const struct cxemu_attr_spec *s = b->method->specs; s && s->type != CXEMU_ATTR_ABSENT; s++)
        if (s->mandatory && !cxemu_bundle_has(b, s->id))
            return -EINVAL;
    return 0;
}

int cxemu_bundle_parse(struct cxemu_bundle *b, uint64_t arg, cxemu_method_find_fn find)
{
    struct ib_uverbs_ioctl_hdr hdr;

    memset(b->attrs, 0, sizeof(b->attrs));
    if (cxemu_umem_read(&hdr, arg, sizeof(hdr)))
        return -EFAULT;
    if (hdr.length != sizeof(hdr) + hdr.num_attrs * sizeof(struct ib_uverbs_attr))
        return -EINVAL;
    if (hdr.reserved1 || hdr.reserved2)
        return -EPROTONOSUPPORT;
    if (hdr.driver_id != RDMA_DRIVER_MLX5)
        return -EINVAL;
    b->method = find(hdr.object_id, hdr.method_id);
    if (!b->method)
        return -EPROTONOSUPPORT;
    b->user_attrs = arg + sizeof(hdr);
    if (!b->method->handler)
        return 0; /* its attributes are not known; the caller refuses it by name */
    int err = take_attrs(b, hdr.num_attrs);
    return err ? err : check_mandatory(b);
}

const struct cxemu_attr *cxemu_bundle_attr(const struct cxemu_bundle *b, uint16_t id)
{
    int slot = slot_of(id);

    return slot >= 0 && b->attrs[slot].present ? &b->attrs[slot] : NULL;
}

bool cxemu_bundle_has(const struct cxemu_bundle *b, uint16_t id)
{
    return cxemu_bundle_attr(b, id) != NULL;
}

int cxemu_bundle_in(const struct cxemu_bundle *b, uint16_t id, void *dst, size_t len)
{
    const struct cxemu_attr *attr = cxemu_bundle_attr(b, id);

    if (!attr)
        return -ENOENT;
    size_t n = attr->len < len ? attr->len : len;
    if (is_inline(attr->len))
        memcpy(dst, &attr->data, n);
    else if (cxemu_umem_read(dst, attr->data, n))
        return -EFAULT;
    memset((uint8_t *)dst + n, 0, len - n);
    return 0;
}

int cxemu_bundle_number(const struct cxemu_bundle *b, uint16_t id, uint64_t *value)
{
    int err = cxemu_bundle_in(b, id, value, sizeof(*value));
    return err == -ENOENT ? 0 : err;
}

static int mark_valid(const struct cxemu_bundle *b, const struct cxemu_attr *attr)
{
    uint64_t at = b->user_attrs + attr->index * sizeof(struct ib_uverbs_attr) +
                  offsetof(struct ib_uverbs_attr, flags);
    uint16_t flags;

    if (cxemu_umem_read(&flags, at, sizeof(flags)))
        return -EFAULT;
    flags |= UVERBS_ATTR_F_VALID_OUTPUT;
    return cxemu_umem_write(at, &flags, sizeof(flags));
}

int cxemu_bundle_out(const struct cxemu_bundle *b, uint16_t id, const void *src, size_t len)
{
    const struct cxemu_attr *attr = cxemu_bundle_attr(b, id);

    if (!attr)
        return 0;
    int err = cxemu_umem_write(attr->data, src, attr->len < len ? attr->len : len);
    return err ? err : mark_valid(b, attr);
}

static uint64_t data_at(const struct cxemu_bundle *b, const struct cxemu_attr *attr)
{
    return b->user_attrs + attr->index * sizeof(struct ib_uverbs_attr) +
           offsetof(struct ib_uverbs_attr, data);
}

int cxemu_bundle_out_id(const struct cxemu_bundle *b, uint16_t id, uint64_t value)
{
    const struct cxemu_attr *attr = cxemu_bundle_attr(b, id);

    return attr ? cxemu_umem_write(data_at(b, attr), &value, sizeof(value)) : 0;
}

int cxemu_bundle_out_fd(const struct cxemu_bundle *b, uint16_t id, int fd)
{
    const struct cxemu_attr *attr = cxemu_bundle_attr(b, id);

    if (attr)
        cxemu_caller_give_fd(fd, data_at(b, attr), sizeof(uint64_t));
    return cxemu_bundle_out_id(b, id, (uint64_t)fd);
}
