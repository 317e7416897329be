/* SPDX-License-Identifier: BSD-2-Clause */
/* Options of tcp_lat, under perftest's names where perftest has them. */
#ifndef TCP_LAT_OPTIONS_H
#define TCP_LAT_OPTIONS_H

#include <rawstack/types.h>

#include <netinet/in.h>

enum transport_kind { TRANSPORT_RAWSTACK, TRANSPORT_KERNEL, TRANSPORT_KINDS };

/* One end's part of an option that takes two, "CLIENT,SERVER". A run that is only one end uses [0].
 */
struct options {
    const char *devices[2];
    struct in_addr ips[2]; /* of the rawstack ends */
    uint8_t prefix_len;
    const char *kernel_netns[2]; /* NULL: this one */
    struct in_addr kernel_ips[2];
    struct in_addr remote; /* client alone: the server */

    bool use[TRANSPORT_KINDS];
    bool both;      /* both ends here, in one thread */
    bool is_client; /* else, unless both: server */
    bool pump;
    bool half;
    bool json;
    bool shared; /* the stack shares its address with the kernel */
    uint16_t port;
    size_t size_bytes;
    uint64_t iterations;
    uint64_t warm_up;
    uint64_t duration_ns; /* 0: iterations count */
};

#define TCP_LAT_SIZE_MAX 65536u

/* Ends the program with a message on a bad command line, as argp does. */
void options_parse(struct options *options, int argc, char **argv);

#endif
