/* SPDX-License-Identifier: BSD-2-Clause */
/* The text form of rules, both ways, and what each error names. */
#include <rawstack/tapm.h>

#include <cerrno>
#include <cstring>
#include <gtest/gtest.h>
#include <string>

namespace
{

struct Parsed {
    int rc;
    struct rs_match match;
    std::string err;
};

Parsed parse(const std::string &text)
{
    Parsed p = {};
    char err[256] = "";
    p.rc = tapm_rule_parse(text.c_str(), &p.match, err, sizeof(err));
    p.err = err;
    return p;
}

std::string format(const struct rs_match &match)
{
    char text[256];
    int n = tapm_rule_format(&match, text, sizeof(text));
    EXPECT_EQ(strlen(text), static_cast<size_t>(n));
    return text;
}

TEST(RuleText, CanonicalTextsSurviveARoundTrip)
{
    const char *const texts[] = {
        "tcp dst 10.0.0.2:80 src 10.0.0.1:any",
        "tcp dst 10.0.0.2:80 src 10.0.0.1:1234",
        "tcp dst 10.0.0.2:80",
        "tcp dst any:80",
        "tcp",
        "tcp src any:53",
        "udp dst 10.0.0.2:53",
        "udp dst 10.0.0.2:any",
        "icmp dst 10.0.0.2",
        "icmp copy",
        "arp copy",
        "arp",
        "ip dst 10.0.0.2",
        "ip src 10.0.0.2",
        "ip6 dst fe80::1",
        "tcp dst [fe80::1]:80 src [2001:db8::2]:any",
        "tcp6 dst any:80",
        "udp6",
        "icmp6 dst fe80::1",
        "ether 0x88b5",
        "any",
        "any mac 02:00:00:00:00:01",
        "tcp dst 10.0.0.2:80 mac 02:00:00:00:00:01 vlan 7 copy",
        "ip vlan 4094",
    };
    for (const char *text : texts) {
        Parsed p = parse(text);
        ASSERT_EQ(0, p.rc) << text << ": " << p.err;
        EXPECT_EQ(text, format(p.match));
    }
}

TEST(RuleText, SameRuleInOtherWords)
{
    const struct {
        const char *text, *canonical;
    } cases[] = {
        {"  tcp   dst 10.0.0.2:80\tsrc any ", "tcp dst 10.0.0.2:80"},
        {"tcp src 10.0.0.1 dst 10.0.0.2:80", "tcp dst 10.0.0.2:80 src 10.0.0.1:any"},
        {"tcp dst *:80", "tcp dst any:80"},
        {"tcp dst 10.0.0.2:*", "tcp dst 10.0.0.2:any"},
        {"arp copy copy", "arp copy"},
        {"ether 88b5", "ether 0x88b5"},
        {"ether 0x0806", "arp"},
        {"tcp6 dst [fe80::1]:80", "tcp dst [fe80::1]:80"},
        {"copy", nullptr},
    };
    for (const auto &c : cases) {
        Parsed p = parse(c.text);
        if (!c.canonical) {
            EXPECT_EQ(-EINVAL, p.rc);
            continue;
        }
        ASSERT_EQ(0, p.rc) << c.text << ": " << p.err;
        EXPECT_EQ(c.canonical, format(p.match));
    }
}

TEST(RuleText, FieldsArriveInTheMatch)
{
    struct rs_match m = parse("tcp dst 10.0.0.2:80 src 192.168.1.9:4321 vlan 12 copy").match;
    const uint8_t local[4] = {10, 0, 0, 2}, remote[4] = {192, 168, 1, 9};
    EXPECT_EQ(0x0800, m.ethertype);
    EXPECT_EQ(6, m.ip_proto);
    EXPECT_EQ(12, m.vlan_id);
    EXPECT_EQ(RS_FAMILY_IPV4, m.local_ip.family);
    EXPECT_EQ(0, memcmp(local, m.local_ip.bytes, 4));
    EXPECT_EQ(0, memcmp(remote, m.remote_ip.bytes, 4));
    EXPECT_EQ(80, m.local_port);
    EXPECT_EQ(4321, m.remote_port);
    EXPECT_TRUE(m.copy);
    EXPECT_FALSE(m.has_local_mac);
}

TEST(RuleText, ErrorsNameTheWord)
{
    const struct {
        const char *text, *named;
    } cases[] = {
        {"", "empty"},
        {"   ", "empty"},
        {"tpc dst 10.0.0.2:80", "\"tpc\""},
        {"tcp dest 10.0.0.2:80", "\"dest\""},
        {"tcp dst", "\"dst\" needs"},
        {"tcp dst 10.0.0.256:80", "\"10.0.0.256:80\""},
        {"tcp dst 10.0.0.2:0", "\"0\""},
        {"tcp dst 10.0.0.2:65536", "\"65536\""},
        {"tcp dst 10.0.0.2:http", "\"http\""},
        {"tcp dst 10.0.0.2:80x", "\"80x\""},
        {"tcp dst 10.0.0.2:-1", "\"-1\""},
        {"tcp dst [fe80::1:80", "[fe80::1:80"},
        {"ip vlan 0", "\"0\""},
        {"ip vlan 4095", "\"4095\""},
        {"ip mac 02:00:00:00:00", "02:00:00:00:00"},
        {"ip mac 02:00:00:00:00:zz", "zz"},
        {"ether 0x0100", "\"0x0100\""},
        {"ether 0x8100", "ethertype"},
        {"ether", "\"ether\" needs"},
        {"arp dst 10.0.0.2", "ethertype"},
        {"icmp dst 10.0.0.2:80", "ports"},
        {"ip dst fe80::1", "IPv4 and IPv6"},
        {"tcp dst 10.0.0.1:80 src [fe80::1]:80", "IPv4 and IPv6"},
        {"tcp6 dst 10.0.0.1:80", "IPv4 and IPv6"},
        {"icmp6 dst 10.0.0.1", "IPv4 and IPv6"},
        {"tcp dst 10.0.0.2:80 "
         "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa",
         "longer than"},
    };
    for (const auto &c : cases) {
        Parsed p = parse(c.text);
        EXPECT_EQ(-EINVAL, p.rc) << c.text;
        EXPECT_NE(std::string::npos, p.err.find(c.named)) << c.text << ": " << p.err;
    }
}

TEST(RuleText, ErrorTextIsOptionalAndBounded)
{
    struct rs_match m;
    char err[8];
    EXPECT_EQ(-EINVAL, tapm_rule_parse("nonsense", &m, nullptr, 0));
    EXPECT_EQ(-EINVAL, tapm_rule_parse("nonsense", &m, err, sizeof(err)));
    EXPECT_EQ(sizeof(err) - 1, strlen(err));
}

TEST(RuleText, FormatIsBoundedAsSnprintf)
{
    struct rs_match m = parse("tcp dst 10.0.0.2:80").match;
    char text[256];
    int whole = tapm_rule_format(&m, text, sizeof(text));
    for (size_t len = 0; len < sizeof(text); len++) {
        memset(text, 'x', sizeof(text));
        EXPECT_EQ(whole, tapm_rule_format(&m, text, len));
        if (len > 0) {
            EXPECT_EQ(std::min(len - 1, static_cast<size_t>(whole)), strlen(text));
        }
        EXPECT_EQ('x', text[len]);
    }
}

TEST(RuleText, MalformedMatchSaysSo)
{
    struct rs_match m = {};
    m.local_port = 80;
    EXPECT_NE(std::string::npos, format(m).find("malformed"));
}

TEST(RuleText, NoTextCrashesIt)
{
    /* Every prefix, and every single changed byte, of a text with everything in it. */
    const std::string text = "tcp dst [fe80::1]:80 src [::2]:any mac 02:00:00:00:00:01 vlan 7 copy";
    for (size_t n = 0; n <= text.size(); n++)
        parse(text.substr(0, n));
    for (size_t i = 0; i < text.size(); i++) {
        for (int c = 1; c < 256; c++) {
            std::string odd = text;
            odd[i] = static_cast<char>(c);
            Parsed p = parse(odd);
            if (p.rc == 0) {
                std::string canonical = format(p.match);
                EXPECT_EQ(canonical, format(parse(canonical).match)) << odd;
            }
        }
    }
}

} // namespace
