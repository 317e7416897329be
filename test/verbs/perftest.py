#!/usr/bin/env python3
# SPDX-License-Identifier: BSD-2-Clause
"""perftest's raw Ethernet tools, as the distribution packages them, on cxemu.

usage: perftest.py CXEMU CASE | perftest.py --list

A case is one or more runs of a tool with the same options and other sizes. Each run is a server and a
client, processes with a NIC of their own each, joined by a veth pair in a network namespace that goes
with this script, or by a wire in shared memory (shm_*); or (shared_*) two processes on the NICs of
one instance of `cxemu start`. A run is good when both end in time with status 0, neither complains, and each
prints a result line with the size and the number of iterations that were asked for. Exit status 77:
cannot run here.

What perftest 4.5 cannot do by its own fault or build, as its source says (v4.5-0.17):
  -e / --events     nothing in raw_ethernet_send_{bw,lat,burst_lat}.c or perftest_resources.c calls
                    ibv_req_notify_cq (send_bw.c and others do in main()), so that the first
                    ibv_get_cq_event waits for ever. Case `events` shows it: it hangs, with no CQ armed.
  -G / --use_rss    perftest_parameters.c refuses it unless HAVE_RSS_EXP, which configure.ac never
                    defines: it is of the old experimental verbs. Case `rss` shows the refusal.
  -Y / --ethertype  is in the help, not in the letters that parser() gives getopt_long: refused.
  --flow_label      is in the server's rule and in no packet (gen_ipv6_header in
                    raw_ethernet_resources.c): nothing can match.
  --raw_mcast       takes its server's rule from ibv_attach_mcast, which kernel ib_attach_mcast refuses
                    any queue pair but UD; the answer is not looked at, and nothing is ever received.
  fs_rate           is one process; it has no other side.
  burst_lat         run_iter_lat_burst allocates burst_size completions and polls for 16 of them
                    (CTX_POLL_BATCH), so that --burst_size below 16 overruns its heap; it asks for a
                    completion only through -Q 1; and without --rate_limit_type it takes SW, which it
                    then refuses for its own test (perftest_parameters.c, force_dependecies).
  -HW rate limit    is the static rate of an address vector, which a raw packet queue pair has not;
                    it is --rate_limit_type=PP that paces one.
"""
import os
import re
import subprocess
import sys
import tempfile
import time

MAC_A, MAC_B = '02:00:00:00:00:0a', '02:00:00:00:00:0b'
MTU = 9100  # of the veth: a frame of 9000 bytes and its tag
SECONDS_MAX = 30
SIZES = (64, 128, 256, 512, 1024, 1500, 4096, 9000)
FEW = (64, 9000)

# Both sides are told the same: -J and -K are the server's, -j and -k the client's.
UDP4 = ['-J', '10.0.0.1', '-j', '10.0.0.2', '-K', '7001', '-k', '7000']
UDP6 = ['--raw_ipv6', '-J', 'fd00::1', '-j', 'fd00::2', '-K', '7001', '-k', '7000']
GROUP = ['-J', '239.1.2.3', '-j', '10.0.0.2', '-K', '7001', '-k', '7000']

LAT, BW, BURST, RULES = ('raw_ethernet_lat', 'raw_ethernet_bw', 'raw_ethernet_burst_lat',
                         'raw_ethernet_fs_rate')


class Case:
    """options are for both sides; to_server and to_client add to them."""

    def __init__(self, tool, options=(), sizes=(64,), iters=200, to_server=(), to_client=(),
                 check=None, wire='packet', shared=None):
        self.tool, self.options, self.sizes, self.iters = tool, list(options), sizes, iters
        self.to_server, self.to_client = list(to_server), list(to_client)
        self.check, self.wire = check, wire
        self.shared = shared  # keys of two NICs of one instance, joined in memory


def mbytes_per_s(low, high):
    """Judges the client's average: the fourth column, MB/s of 2^20 bytes."""
    def check(columns):
        rate = float(columns[3])
        if not low <= rate <= high:
            fail(f'{rate} MB/s is not within {low} and {high}')
    return check


VLAN = ['--vlan_en', '--vlan_pcp=3']
PACED = ['--rate_limit=1', '--rate_units=M', '--rate_limit_type=PP']
BURSTS = ['-Q', '1', '-t', '2048', '--burst_size=16', '--reply_every=16', '--rate_limit=10000',
          '--rate_units=M', '--rate_limit_type=PP']
# raw_ethernet_bw waits for each frame, and a wire in memory hands over more at once than it posts
# receive entries for; a link does not.
WAITS = 'rx_wait=2s'
CASES = {
    'lat_sizes': Case(LAT, sizes=SIZES),
    'lat_vlan': Case(LAT, VLAN, sizes=FEW),
    'lat_vlan_each_pcp': Case(LAT, ['--vlan_en', '--vlan_pcp=8']),
    'lat_udp': Case(LAT, UDP4, sizes=(9000,)),
    'lat_tcp': Case(LAT, [*UDP4, '--tcp'], sizes=FEW),
    'lat_tcp_vlan': Case(LAT, [*UDP4, '--tcp', *VLAN], sizes=(9000,)),
    'lat_ipv6': Case(LAT, UDP6, sizes=(9000,)),
    'lat_ipv6_tcp': Case(LAT, [*UDP6, '--tcp'], sizes=(128,)),
    'lat_ttl': Case(LAT, [*UDP4, '-L', '7']),
    'lat_flows': Case(LAT, [*UDP4, '--flows=10', '--flows_burst=2']),
    'lat_promiscuous': Case(LAT, ['--promiscuous']),
    'lat_no_inline': Case(LAT, ['-I', '0']),
    'lat_duration': Case(LAT, ['-D', '1', '-f', '0'], iters=None),
    'bw_sizes': Case(BW, sizes=SIZES),
    'bw_vlan': Case(BW, VLAN, sizes=FEW),
    'bw_udp': Case(BW, UDP4, sizes=(9000,)),
    'bw_tcp': Case(BW, [*UDP4, '--tcp'], sizes=FEW),
    'bw_ipv6': Case(BW, UDP6, sizes=(9000,)),
    'bw_ipv6_tcp': Case(BW, [*UDP6, '--tcp'], sizes=(128,)),
    'bw_duplex': Case(BW, ['-b'], sizes=(9000,)),
    'bw_duplex_tcp': Case(BW, [*UDP4, '--tcp', '-b']),
    'bw_gbits': Case(BW, ['--report_gbits'], sizes=(1500,)),
    'bw_promiscuous': Case(BW, to_server=['--promiscuous']),
    'bw_sniffer': Case(BW, to_server=['--sniffer']),
    'bw_flows': Case(BW, [*UDP4, '--flows=10', '--flows_burst=4']),
    'bw_queues': Case(BW, [*UDP4, '-q', '1', '-l', '20']),
    'bw_inline': Case(BW, ['-I', '64']),
    'bw_deep': Case(BW, ['-t', '512', '-Q', '64'], iters=512),
    # A device thread that gets no processor sends later, never faster.
    'bw_pacing': Case(BW, to_client=PACED, sizes=(1000,), iters=500,
                      check=mbytes_per_s(0.4, 1.06)),
    'bw_pacing_burst': Case(BW, to_client=[*PACED, '--burst_size=4000', '--typical_pkt_size=1000'],
                            sizes=(1000,), iters=500, check=mbytes_per_s(0.4, 1.06)),
    'burst_lat': Case(BURST, BURSTS, iters=256, sizes=(64, 1500)),
    'burst_lat_vlan': Case(BURST, [*BURSTS, *VLAN], iters=256),
    'burst_lat_tcp': Case(BURST, [*BURSTS, *UDP4, '--tcp'], iters=256),
    'shm_lat': Case(LAT, [*UDP4, '--tcp'], sizes=FEW, wire='shm'),
    'shm_bw': Case(BW, VLAN, sizes=(64, 1500, 9000), wire='shm'),
    'shm_burst_lat': Case(BURST, BURSTS, iters=256, wire='shm'),
    'burst_lat_ipv6': Case(BURST, [*BURSTS, *UDP6], sizes=(128,), iters=256),
    'shared_lat': Case(LAT, sizes=SIZES, shared=''),
    'shared_lat_tcp': Case(LAT, [*UDP4, '--tcp'], shared=''),
    'shared_bw': Case(BW, sizes=SIZES, iters=1000, shared=WAITS),
    'shared_bw_duplex': Case(BW, ['-b'], sizes=FEW, shared=WAITS),
    'shared_burst_lat': Case(BURST, BURSTS, iters=256, sizes=(64, 1500), shared=WAITS),
}


def skip(why):
    print('skipped:', why)
    sys.exit(77)


def fail(why):
    print('failed:', why)
    sys.exit(1)


# --- the two sides ----------------------------------------------------------------------------


def have_namespace():
    if os.environ.get('CXEMU_TEST_NETNS'):
        return
    if os.environ.get('CXEMU_TEST_SKIP_TRAFFIC'):
        skip(f'not under {os.environ["CXEMU_TEST_SKIP_TRAFFIC"]}')
    if os.geteuid() != 0:
        skip('network namespaces and packet sockets need root')
    if subprocess.run(['unshare', '-n', 'true'], stderr=subprocess.DEVNULL).returncode:
        skip('network namespaces are not permitted here')
    os.environ['CXEMU_TEST_NETNS'] = '1'
    os.execvp('unshare', ['unshare', '-n', sys.executable, *sys.argv])


def make_veth():
    open('/proc/sys/net/ipv6/conf/default/disable_ipv6', 'w').write('1')
    for command in (f'link add fronta mtu {MTU} type veth peer name frontb mtu {MTU}',
                    'link set fronta arp off up', 'link set frontb arp off up'):
        subprocess.run(['ip', *command.split()], check=True)
    while 'state UP' not in subprocess.run(['ip', 'link', 'show', 'fronta'], check=True, text=True,
                                           stdout=subprocess.PIPE).stdout:
        time.sleep(0.01)


def nic(case, end):
    wire = f'packet:front{end}' if case.wire == 'packet' else f'shm:perftest{os.getpid()}'
    return f'wire={wire},mtu=9000,mac={MAC_A if end == "a" else MAC_B}'


def start(cxemu, case, end, size, log):
    mine, other = (MAC_A, MAC_B) if end == 'a' else (MAC_B, MAC_A)
    where, device = (nic(case, end), 'mlx5_0') if case.shared is None else (
        'perftest', 'mlx5_0' if end == 'a' else 'mlx5_1')
    command = [cxemu, 'run', '--nic', where, '--', 'stdbuf', '-oL', case.tool, '-d', device,
               '--client' if end == 'a' else '--server', '-B', mine, '-E', other, '-m', '9010',
               '-s', str(size), '-F']
    if case.iters:
        command += ['-n', str(case.iters)]
    command += case.options + (case.to_client if end == 'a' else case.to_server)
    print('+', ' '.join(command[5:]))
    return subprocess.Popen(command, stdout=log, stderr=subprocess.STDOUT)


def read(log):
    with open(log.name) as file:
        return file.read()


def cpu_ticks(process):
    """Of the main thread, which has become the tool: what it has used so far."""
    with open(f'/proc/{process.pid}/task/{process.pid}/stat') as file:
        fields = file.read().rsplit(')', 1)[1].split()
    return int(fields[11]) + int(fields[12])


def wait_for_head(server, log):
    """The head of the table is printed shortly before receive buffers are posted: a frame that comes
    in between is lost, and never sent again. Then the tool polls: it is ready when it has done
    nothing else for some time of its own."""
    for _ in range(SECONDS_MAX * 50):
        if '#bytes' in read(log):
            before, deadline = cpu_ticks(server), time.monotonic() + 2
            while cpu_ticks(server) < before + 8 and time.monotonic() < deadline:
                time.sleep(0.02)
            return
        if server.poll() is not None:
            fail(f'the server ended early\n{read(log)}')
        time.sleep(0.02)
    fail(f'the server does not start\n{read(log)}')


def finish(side, process, log):
    try:
        status = process.wait(timeout=SECONDS_MAX)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()
        return f'the {side} hangs'
    return f'the {side} ended with status {status}' if status else ''


def judge_output(case, size, side, text):
    if re.search(r"couldn't|unable|failed|error|invalid", text, re.IGNORECASE):
        fail(f'the {side} complains')
    rows = [line.split() for line in text.splitlines() if re.match(rf'^\s*{size}\s+\d+\s', line)]
    if not rows:
        fail(f'the {side} prints no result for {size} bytes')
    if case.iters and int(rows[0][1]) != case.iters:
        fail(f'the {side} did {rows[0][1]} iterations')
    return rows[0]


def run_pair(cxemu, case, size):
    with tempfile.NamedTemporaryFile('w+') as log_a, tempfile.NamedTemporaryFile('w+') as log_b:
        server = start(cxemu, case, 'b', size, log_b)
        client = None
        try:
            wait_for_head(server, log_b)
            client = start(cxemu, case, 'a', size, log_a)
            bad = finish('client', client, log_a)
            if bad:
                bad += ', the server ' + ('runs' if server.poll() is None else 'has ended')
            bad = bad or finish('server', server, log_b)
        finally:
            for process in (client, server):
                if process and process.poll() is None:
                    process.kill()
                    process.wait()
        client_text, server_text = read(log_a), read(log_b)
        print(client_text, server_text, sep='\n')
        if bad:
            fail(bad)
        columns = judge_output(case, size, 'client', client_text)
        if case.tool != BURST:
            judge_output(case, size, 'server', server_text)
        if case.check:
            case.check(columns)


def run_sizes(cxemu, case):
    for size in case.sizes:
        run_pair(cxemu, case, size)


def run_shared(cxemu, case):
    with tempfile.TemporaryDirectory() as directory:
        os.environ['CXEMU_RUN_DIR'] = directory
        command = [cxemu, 'start', 'perftest']
        for mac in (MAC_A, MAC_B):
            command += ['--nic', ','.join(['wire=mem:w', f'mac={mac}', 'mtu=9000',
                                           *([case.shared] if case.shared else [])])]
        subprocess.run(command, check=True, timeout=SECONDS_MAX)
        try:
            run_sizes(cxemu, case)
        finally:
            subprocess.run([cxemu, 'stop', 'perftest'], check=False, timeout=SECONDS_MAX)


# --- cases of their own -----------------------------------------------------------------------


def one(cxemu, command, seconds=SECONDS_MAX):
    """Status and output of one process with a NIC, or None and its output when it hangs."""
    command = [cxemu, 'run', '--nic', 'wire=mem:w', '--nic', 'wire=mem:w', '--', *command]
    print('+', ' '.join(command[7:]))
    try:
        done = subprocess.run(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True,
                              timeout=seconds)
    except subprocess.TimeoutExpired as hung:
        return None, (hung.stdout or b'').decode()
    print(done.stdout)
    return done.returncode, done.stdout


def rules(cxemu, options):
    status, text = one(cxemu, [RULES, '-d', 'mlx5_0', '-B', MAC_A, '-E', MAC_B, '--server', '-F',
                               '-n', '1000', *options])
    if status or re.search(r"couldn't|unable|failed|error", text, re.IGNORECASE):
        fail(f'status {status}')
    if not re.search(r'^\s*1000\s+[\d.]+', text, re.MULTILINE):
        fail('no result for 1000 rules')


def rss(cxemu):
    """perftest has no RSS in this build, and says so; the day it has, this case must grow up."""
    status, text = one(cxemu, [BW, '-d', 'mlx5_0', '-B', MAC_A, '-E', MAC_B, '--server',
                               '--use_rss', '-q', '2', '-n', '10'])
    if status != 1 or 'RSS feature is not available' not in text:
        fail('perftest has RSS now: run it')
    skip('perftest was built without RSS (HAVE_RSS_EXP, see the head of this file); RSS is tested '
         "by test_verbs and by rdma-core's test_rss_traffic")


def events(cxemu):
    """-e waits for an event of a CQ that was never armed: on any NIC. Shown, then skipped."""
    case = Case(LAT, ['-e'], iters=10)
    with tempfile.NamedTemporaryFile('w+') as log_a, tempfile.NamedTemporaryFile('w+') as log_b:
        server = start(cxemu, case, 'b', 64, log_b)
        wait_for_head(server, log_b)
        client = start(cxemu, case, 'a', 64, log_a)
        time.sleep(3)
        hung = client.poll() is None and server.poll() is None
        for process in (client, server):
            process.kill()
            process.wait()
        print(read(log_a), read(log_b))
    if not hung:
        fail('perftest no longer hangs with -e: make this an ordinary case')
    skip('perftest never arms its CQs (see the head of this file); events are tested by test_verbs')


def multicast(cxemu):
    """The server attaches its queue pair to a group without looking at the answer, which is EINVAL."""
    case = Case(BW, ['--raw_mcast', *GROUP], iters=10)
    with tempfile.NamedTemporaryFile('w+') as log:
        server = start(cxemu, case, 'b', 64, log)
        wait_for_head(server, log)
        waits = server.poll() is None
        server.kill()
        server.wait()
        text = read(log)
        print(text)
    if not waits or 'MGID' not in text:
        fail('perftest does something else with --raw_mcast now: make this an ordinary case')
    skip('no kernel attaches a raw packet queue pair to a group (see the head of this file); groups '
         'are tested by test_verbs')


OWN = {
    'bw_multicast': multicast,
    'fs_rate': lambda cxemu: rules(cxemu, []),
    'fs_rate_udp': lambda cxemu: rules(cxemu, UDP4),
    'fs_rate_tcp': lambda cxemu: rules(cxemu, [*UDP4, '--tcp']),
    'fs_rate_ipv6': lambda cxemu: rules(cxemu, UDP6),
    'fs_rate_vlan': lambda cxemu: rules(cxemu, ['--vlan_en', '--vlan_pcp=1', *UDP4]),
    'rss': rss,
    'events': events,
}


def main():
    if sys.argv[1:] == ['--list']:
        print('\n'.join([*CASES, *OWN]))
        return
    cxemu, name = os.path.abspath(sys.argv[1]), sys.argv[2]
    tool = CASES[name].tool if name in CASES else RULES
    if not os.path.exists('/usr/bin/' + tool):
        skip(f'there is no {tool} (Debian package perftest)')
    have_namespace()
    if name in OWN or CASES[name].shared is None:
        make_veth()
    if name in OWN:
        OWN[name](cxemu)
        return
    case = CASES[name]
    if case.shared is None:
        run_sizes(cxemu, case)
    else:
        run_shared(cxemu, case)
    print(f'{len(case.sizes)} runs are good')


main()
