/* SPDX-License-Identifier: BSD-2-Clause */
/* Making one NIC from its description: what it is plugged into, then the NIC itself. */
#ifndef CXEMU_HOST_NICS_MAKE_H
#define CXEMU_HOST_NICS_MAKE_H

#include "cxemu/host/cards.h"
#include "cxemu/host/error_text.h"
#include "cxemu/host/spec.h"

/* The seat gets the ends of the switch that the NIC is at. */
RS_MUST_USE int cxemu_nics_make(const struct cxemu_spec *spec, struct cxemu_seat *seat,
                                struct cxemu_nic **out, const struct cxemu_error_text *e);
/* Arms the faults of a description, which have parsed. */
void cxemu_nics_arm(struct cxemu_nic *nic, const char *text);

#endif
