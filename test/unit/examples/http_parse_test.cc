/* SPDX-License-Identifier: BSD-2-Clause */
/* Tests examples/http_server/http_parse.c. */
#include "http_server/http_parse.h"

#include <gtest/gtest.h>

#include <string>

namespace
{

struct Parsed {
    enum http_parse_result result;
    struct http_request request;
    size_t used;
};

Parsed parse(const std::string &text)
{
    Parsed parsed{};
    parsed.result = http_parse(text.data(), text.size(), &parsed.request, &parsed.used);
    return parsed;
}

Parsed get(const std::string &target)
{
    return parse("GET " + target + " HTTP/1.1\r\nHost: a\r\n\r\n");
}

TEST(HttpParse, ReadsAGet)
{
    const std::string text = "GET /dir/a.txt?q=1 HTTP/1.1\r\nHost: a\r\n\r\n";
    Parsed parsed = parse(text + "GET /next");
    EXPECT_EQ(parsed.result, HTTP_OK);
    EXPECT_EQ(parsed.used, text.size());
    EXPECT_STREQ(parsed.request.path, "dir/a.txt");
    EXPECT_TRUE(parsed.request.keep_alive);
    EXPECT_FALSE(parsed.request.head_only);
}

TEST(HttpParse, EachPrefixIsIncomplete)
{
    const std::string text = "HEAD / HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n";
    for (size_t len = 0; len < text.size(); len++)
        EXPECT_EQ(parse(text.substr(0, len)).result, HTTP_INCOMPLETE) << len;
    Parsed parsed = parse(text);
    EXPECT_EQ(parsed.result, HTTP_OK);
    EXPECT_TRUE(parsed.request.head_only);
    EXPECT_FALSE(parsed.request.keep_alive);
    EXPECT_STREQ(parsed.request.path, "index.html");
}

TEST(HttpParse, Version10ClosesUnlessAsked)
{
    EXPECT_FALSE(parse("GET / HTTP/1.0\r\n\r\n").request.keep_alive);
    EXPECT_EQ(parse("GET / HTTP/1.0\r\n\r\n").result, HTTP_OK);
    EXPECT_TRUE(parse("GET / HTTP/1.0\r\nConnection: Keep-Alive\r\n\r\n").request.keep_alive);
}

TEST(HttpParse, RefusesToLeaveTheRoot)
{
    for (const char *target : {"/..", "/../etc/passwd", "/a/../../b", "/%2e%2e/b", "/a/..%2f..%2fb",
                               "/a//b", "//etc/passwd", "/a%00b", "/%zz", "/%2", "a", "*"})
        EXPECT_EQ(get(target).result, HTTP_BAD_REQUEST) << target;
    for (const char *target : {"/..a", "/a..", "/.../b", "/a%20b"})
        EXPECT_EQ(get(target).result, HTTP_OK) << target;
}

TEST(HttpParse, RefusesPathsThatDoNotFit)
{
    EXPECT_EQ(get("/" + std::string(HTTP_PATH_MAX - 1, 'a')).result, HTTP_OK);
    EXPECT_EQ(get("/" + std::string(HTTP_PATH_MAX, 'a')).result, HTTP_BAD_REQUEST);
    EXPECT_EQ(get("/" + std::string(HTTP_PATH_MAX - 5, 'a') + "/").result, HTTP_BAD_REQUEST);
}

TEST(HttpParse, OtherMethodsKeepTheConnection)
{
    Parsed parsed = parse("DELETE /a HTTP/1.1\r\nHost: a\r\n\r\n");
    EXPECT_EQ(parsed.result, HTTP_METHOD_NOT_ALLOWED);
    EXPECT_TRUE(parsed.request.keep_alive);
}

TEST(HttpParse, BadRequestsCloseTheConnection)
{
    for (const char *text :
         {"\r\n\r\n", "GET\r\n\r\n", "GET /\r\n\r\n", "GET / HTTP/1.1\r\n\r\n",
          "GET / HTTP/1.1\r\nHost: a\r\nHost: b\r\n\r\n", "GET / HTTX/1.1\r\nHost: a\r\n\r\n",
          "GET / HTTP/1.1\r\nHost: a\r\nno colon\r\n\r\n", "GET / HTTP/1.1\r\nHost : a\r\n\r\n",
          "GET / HTTP/1.1\r\nHost: a\r\n folded: b\r\n\r\n",
          "GET / HTTP/1.1\r\nHost: a\r\nContent-Length: 5\r\n\r\n",
          "POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n"}) {
        Parsed parsed = parse(text);
        EXPECT_EQ(parsed.result, HTTP_BAD_REQUEST) << text;
        EXPECT_FALSE(parsed.request.keep_alive) << text;
    }
    EXPECT_EQ(parse("GET / HTTP/2.0\r\nHost: a\r\n\r\n").result, HTTP_VERSION_NOT_SUPPORTED);
}

TEST(HttpParse, TellsMediaTypes)
{
    EXPECT_STREQ(http_media_type("a/b.html"), "text/html; charset=utf-8");
    EXPECT_STREQ(http_media_type("b.PNG"), "image/png");
    EXPECT_STREQ(http_media_type("noextension"), "application/octet-stream");
}

} // namespace
