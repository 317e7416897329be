/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * One RDMA_VERBS_IOCTL, decoded: the bounded parser of struct ib_uverbs_ioctl_hdr and its
 * attributes, checked against the method's attribute table the way the kernel's
 * drivers/infiniband/core/uverbs_ioctl.c checks them (ABI: <rdma/rdma_user_ioctl_cmds.h>).
 *
 * Attribute numbers of the core namespace are slots 0..15, of the driver's (0x1000 up) 16..31.
 */
#ifndef CXEMU_UVERBS_BUNDLE_H
#define CXEMU_UVERBS_BUNDLE_H

#include "cxemu/uverbs/device.h"
#include <rdma/rdma_user_ioctl_cmds.h>

#ifdef __cplusplus
extern "C" {
#endif

#define CXEMU_ATTR_SLOTS 32

enum cxemu_attr_type {
    CXEMU_ATTR_ABSENT = 0, /* end of a table */
    CXEMU_ATTR_IN,         /* bytes from the program; up to 8 of them inline */
    CXEMU_ATTR_ENUM,       /* the same, and a number of which kind they are */
    CXEMU_ATTR_OUT,        /* bytes to the program */
    CXEMU_ATTR_OBJ,        /* the handle of an existing object */
    CXEMU_ATTR_OBJ_NEW,    /* a new handle, written back */
    CXEMU_ATTR_FD,         /* an existing descriptor */
    CXEMU_ATTR_FD_NEW,     /* a new descriptor, written back */
};

struct cxemu_attr_spec {
    uint16_t id;
    uint8_t type; /* enum cxemu_attr_type */
    bool mandatory;
    uint16_t min_bytes, max_bytes; /* IN and OUT */
    bool zero_trailing;            /* IN longer than max_bytes is fine when the rest is zero */
    const char *name;              /* of the constant, for traces; may be NULL */
};

struct cxemu_bundle;
typedef int (*cxemu_method_fn)(struct cxemu_bundle *bundle);

/* A method without a handler is known but not implemented: `err` is what it answers. */
struct cxemu_method {
    uint16_t object, id;
    const char *name;
    cxemu_method_fn handler;
    int err;
    bool before_open; /* allowed before GET_CONTEXT */
    const struct cxemu_attr_spec *specs;
};

struct cxemu_attr {
    bool present;
    uint8_t elem; /* of an ENUM */
    uint16_t len;
    uint16_t index; /* in the program's array */
    uint64_t data;  /* pointer, inline bytes, handle or descriptor */
};

struct cxemu_bundle {
    struct cxemu_ctx *ctx;
    const struct cxemu_method *method;
    uint64_t user_attrs; /* the program's attribute array */
    struct cxemu_attr attrs[CXEMU_ATTR_SLOTS];
};

/* Parses and validates; `find` resolves object and method (NULL: not known). 0, -EFAULT, -EINVAL,
 * -EPROTONOSUPPORT (unknown method or mandatory attribute), -EOPNOTSUPP. */
typedef const struct cxemu_method *(*cxemu_method_find_fn)(uint16_t object, uint16_t method);
RS_MUST_USE int cxemu_bundle_parse(struct cxemu_bundle *bundle, uint64_t arg,
                                   cxemu_method_find_fn find);

/* --- for handlers ------------------------------------------------------------------------- */

const struct cxemu_attr *cxemu_bundle_attr(const struct cxemu_bundle *b, uint16_t id);
bool cxemu_bundle_has(const struct cxemu_bundle *b, uint16_t id);
/* Copies min(len, the attribute's length) and clears the rest. -ENOENT: absent. */
RS_MUST_USE int cxemu_bundle_in(const struct cxemu_bundle *b, uint16_t id, void *dst, size_t len);
/* A number of 4 or 8 bytes; `value` is left alone when absent. */
RS_MUST_USE int cxemu_bundle_number(const struct cxemu_bundle *b, uint16_t id, uint64_t *value);
/* Writes min(len, the attribute's length) and marks it valid. Absent: 0. */
RS_MUST_USE int cxemu_bundle_out(const struct cxemu_bundle *b, uint16_t id, const void *src,
                                 size_t len);
/* A new handle or descriptor. */
/* A descriptor made for the program: its number, and from success on the descriptor itself. */
RS_MUST_USE int cxemu_bundle_out_fd(const struct cxemu_bundle *b, uint16_t id, int fd);
RS_MUST_USE int cxemu_bundle_out_id(const struct cxemu_bundle *b, uint16_t id, uint64_t value);

#ifdef __cplusplus
}
#endif
#endif
