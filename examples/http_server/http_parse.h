/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The little of HTTP/1.1 that a static file server must read: a request's head, into a struct; and
 * what it may do to a path. No I/O. Hold beside it: RFC 9112 (messages), RFC 3986 2.1 (percent
 * encoding).
 */
#ifndef HTTP_PARSE_H
#define HTTP_PARSE_H

#include <stdbool.h>
#include <stddef.h>

#ifdef __cplusplus
extern "C" {
#endif

#define HTTP_PATH_MAX 512 /* bytes of a decoded path, NUL included */

struct http_request {
    bool head_only; /* HEAD */
    bool keep_alive;
    char path[HTTP_PATH_MAX]; /* decoded, relative, without a query; "index.html" added to a folder
                               */
};

enum http_parse_result {
    HTTP_INCOMPLETE = 0, /* no empty line yet */
    HTTP_OK = 200,
    HTTP_BAD_REQUEST = 400,
    HTTP_NOT_FOUND = 404,
    HTTP_METHOD_NOT_ALLOWED = 405,
    HTTP_HEAD_TOO_LARGE = 431,
    HTTP_UNAVAILABLE = 503,
    HTTP_VERSION_NOT_SUPPORTED = 505,
};

/* Reads the request at the start of bytes[0..len). HTTP_OK: *out is filled and *used says how many
 * bytes its head took. HTTP_INCOMPLETE: come back with more. Else the status to answer with; *out's
 * keep_alive and head_only are then valid too, and *used when keep_alive is set. */
enum http_parse_result http_parse(const char *bytes, size_t len, struct http_request *out,
                                  size_t *used);

/* Reason phrase of a status. */
const char *http_reason(enum http_parse_result status);

/* Media type by the path's extension. */
const char *http_media_type(const char *path);

#ifdef __cplusplus
}
#endif
#endif
