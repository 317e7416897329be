/* SPDX-License-Identifier: BSD-2-Clause */
/* Owns: see http_parse.h. */
#define _GNU_SOURCE
#include "http_parse.h"

#include <string.h>
#include <strings.h>

/* Bytes of a line, without its CRLF. */
struct line {
    const char *bytes;
    size_t len;
};

static int hex_digit(char c)
{
    if (c >= '0' && c <= '9')
        return c - '0';
    c |= 0x20;
    return c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

/* RFC 3986 2.1. Refuses bad escapes, control bytes and what does not fit. */
static bool decode_path(const char *in, size_t len, char *out, size_t out_len)
{
    size_t used = 0;
    for (size_t i = 0; i < len; i++) {
        int c = (unsigned char)in[i];
        if (c == '?' || c == '#')
            break;
        if (c == '%') {
            if (i + 2 >= len || hex_digit(in[i + 1]) < 0 || hex_digit(in[i + 2]) < 0)
                return false;
            c = hex_digit(in[i + 1]) * 16 + hex_digit(in[i + 2]);
            i += 2;
        }
        if (c < 0x20 || c == 0x7f || used + 1 >= out_len)
            return false;
        out[used++] = (char)c;
    }
    out[used] = '\0';
    return true;
}

/* Whether a path stays below the root: no component is "..", none is empty but the last. */
static bool stays_inside(const char *path)
{
    for (const char *part = path;;) {
        size_t len = strcspn(part, "/");
        if (len == 2 && part[0] == '.' && part[1] == '.')
            return false;
        if (part[len] == '\0')
            return true;
        if (len == 0)
            return false;
        part += len + 1;
    }
}

static bool parse_target(const char *target, size_t len, struct http_request *out)
{
    static const char index[] = "index.html";
    if (len == 0 || target[0] != '/' ||
        !decode_path(target + 1, len - 1, out->path, sizeof(out->path)) || !stays_inside(out->path))
        return false;
    size_t path_len = strlen(out->path);
    if (path_len == 0 || out->path[path_len - 1] == '/') {
        if (path_len + sizeof(index) > sizeof(out->path))
            return false;
        memcpy(out->path + path_len, index, sizeof(index));
    }
    return true;
}

/* RFC 9112 3: method SP request-target SP HTTP-version. */
static enum http_parse_result parse_request_line(struct line line, struct http_request *out)
{
    const char *method_end = memchr(line.bytes, ' ', line.len);
    if (method_end == NULL || method_end == line.bytes)
        return HTTP_BAD_REQUEST;
    const char *target = method_end + 1;
    const char *target_end = memchr(target, ' ', line.len - (size_t)(target - line.bytes));
    if (target_end == NULL)
        return HTTP_BAD_REQUEST;
    const char *version = target_end + 1;
    size_t version_len = line.len - (size_t)(version - line.bytes);
    if (version_len != 8 || memcmp(version, "HTTP/", 5) != 0 || version[6] != '.')
        return HTTP_BAD_REQUEST;
    if (version[5] != '1')
        return HTTP_VERSION_NOT_SUPPORTED;
    out->keep_alive = version[7] != '0';

    size_t method_len = (size_t)(method_end - line.bytes);
    out->head_only = method_len == 4 && memcmp(line.bytes, "HEAD", 4) == 0;
    if (!out->head_only && !(method_len == 3 && memcmp(line.bytes, "GET", 3) == 0))
        return HTTP_METHOD_NOT_ALLOWED;
    return parse_target(target, (size_t)(target_end - target), out) ? HTTP_OK : HTTP_BAD_REQUEST;
}

static bool is_field(struct line line, const char *name, struct line *value)
{
    size_t name_len = strlen(name);
    if (line.len <= name_len || line.bytes[name_len] != ':' ||
        strncasecmp(line.bytes, name, name_len) != 0)
        return false;
    value->bytes = line.bytes + name_len + 1;
    value->len = line.len - name_len - 1;
    while (value->len > 0 && (*value->bytes == ' ' || *value->bytes == '\t')) {
        value->bytes++;
        value->len--;
    }
    while (value->len > 0 &&
           (value->bytes[value->len - 1] == ' ' || value->bytes[value->len - 1] == '\t'))
        value->len--;
    return true;
}

static bool equals(struct line value, const char *text)
{
    return value.len == strlen(text) && strncasecmp(value.bytes, text, value.len) == 0;
}

/* The fields that matter here. A request with a body is refused, and the connection with it: a
 * server that reads no body must not take one for the next request (RFC 9112 11.2). */
static enum http_parse_result parse_field(struct line line, struct http_request *out,
                                          bool *has_host)
{
    struct line value;
    const char *colon = memchr(line.bytes, ':', line.len);
    if (colon == NULL || colon == line.bytes || line.bytes[0] == ' ' || line.bytes[0] == '\t' ||
        colon[-1] == ' ' || colon[-1] == '\t')
        return HTTP_BAD_REQUEST;
    if (is_field(line, "Host", &value)) {
        if (*has_host)
            return HTTP_BAD_REQUEST; /* RFC 9112 3.2 */
        *has_host = true;
    } else if (is_field(line, "Connection", &value)) {
        if (equals(value, "close"))
            out->keep_alive = false;
        else if (equals(value, "keep-alive"))
            out->keep_alive = true;
    } else if (is_field(line, "Transfer-Encoding", &value) ||
               (is_field(line, "Content-Length", &value) && !equals(value, "0"))) {
        return HTTP_BAD_REQUEST;
    }
    return HTTP_OK;
}

static struct line next_line(const char **at, const char *end)
{
    const char *line_end = memmem(*at, (size_t)(end - *at), "\r\n", 2);
    struct line line = {*at, (size_t)(line_end - *at)};
    *at = line_end + 2;
    return line;
}

enum http_parse_result http_parse(const char *bytes, size_t len, struct http_request *out,
                                  size_t *used)
{
    memset(out, 0, sizeof(*out));
    const char *empty_line = memmem(bytes, len, "\r\n\r\n", 4);
    if (empty_line == NULL)
        return HTTP_INCOMPLETE;
    const char *end = empty_line + 2; /* the last field line's CRLF is inside */
    const char *at = bytes;
    *used = (size_t)(empty_line + 4 - bytes);

    enum http_parse_result result = parse_request_line(next_line(&at, end), out);
    bool http_1_1 = out->keep_alive;
    bool has_host = false;
    while (at < end) {
        enum http_parse_result field = parse_field(next_line(&at, end), out, &has_host);
        if (field != HTTP_OK)
            result = field;
    }
    if (result == HTTP_OK && http_1_1 && !has_host)
        result = HTTP_BAD_REQUEST; /* RFC 9112 3.2 */
    if (result == HTTP_BAD_REQUEST || result == HTTP_VERSION_NOT_SUPPORTED)
        out->keep_alive = false; /* where the next request begins is no longer sure */
    return result;
}

const char *http_reason(enum http_parse_result status)
{
    switch (status) {
    case HTTP_OK:
        return "OK";
    case HTTP_BAD_REQUEST:
        return "Bad Request";
    case HTTP_NOT_FOUND:
        return "Not Found";
    case HTTP_METHOD_NOT_ALLOWED:
        return "Method Not Allowed";
    case HTTP_HEAD_TOO_LARGE:
        return "Request Header Fields Too Large";
    case HTTP_UNAVAILABLE:
        return "Service Unavailable";
    case HTTP_VERSION_NOT_SUPPORTED:
        return "HTTP Version Not Supported";
    case HTTP_INCOMPLETE:
        break;
    }
    return "Unknown";
}

const char *http_media_type(const char *path)
{
    static const char *const types[][2] = {
        {".html", "text/html; charset=utf-8"},
        {".txt", "text/plain; charset=utf-8"},
        {".css", "text/css"},
        {".js", "text/javascript"},
        {".json", "application/json"},
        {".png", "image/png"},
        {".svg", "image/svg+xml"},
    };
    const char *extension = strrchr(path, '.');
    for (size_t i = 0; extension != NULL && i < sizeof(types) / sizeof(types[0]); i++)
        if (strcasecmp(extension, types[i][0]) == 0)
            return types[i][1];
    return "application/octet-stream";
}
