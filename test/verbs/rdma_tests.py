#!/usr/bin/env python3
# SPDX-License-Identifier: BSD-2-Clause
"""rdma-core's own Python tests, as the distribution packages them, on cxemu.

usage: rdma_tests.py run CXEMU [--update | --list] [--folder TESTS]
       rdma_tests.py table [--check FILE | --write FILE]

run: unpacks the tests, unmodified, into a temporary folder, runs all of them and compares each
outcome with rdma_tests_expected.txt. A test that newly fails or newly skips is an error; one that newly
passes asks for --update. table: the same file as a table for people. Exit status 77: cannot run here.
"""
import argparse
import gzip
import json
import os
import shutil
import signal
import subprocess
import sys
import tempfile
import time

HERE = os.path.dirname(os.path.abspath(__file__))
EXPECTED = os.path.join(HERE, 'rdma_tests_expected.txt')
PACKAGED = '/usr/share/doc/rdma-core/tests'
PYTHON = '/usr/bin/python3'  # the one that python3-pyverbs is for
SECONDS_MAX = 400


def skip(why):
    print('skipped:', why)
    sys.exit(77)


# --- running ----------------------------------------------------------------------------------


def unpack(source, to):
    shutil.copytree(source, to)
    for name in os.listdir(to):
        if name.endswith('.gz'):
            path = os.path.join(to, name)
            with gzip.open(path, 'rb') as packed, open(path[:-3], 'wb') as plain:
                shutil.copyfileobj(packed, plain)
            os.remove(path)


def read_outcomes(path, results):
    """Returns all tests' names, the one that has started and not ended, and whether all is done."""
    tests, open_test, ended = [], None, False
    with open(path) as file:
        for line in file:
            said = json.loads(line)
            if 'tests' in said:
                tests = said['tests']
            elif 'start' in said:
                open_test = said['start']
            elif 'test' in said:
                results[said['test']] = (said['outcome'], said['why'])
                open_test = None
            ended = ended or 'end' in said
    return tests, open_test, ended


def run_child(args, folder, scratch, done, env):
    outcomes = os.path.join(scratch, f'outcomes{len(done)}')
    open(outcomes, 'w').close()
    nics = ['--nic', 'wire=mem:w', '--nic', 'wire=mem:w']
    command = [args.cxemu, 'run', *nics, '--', PYTHON, os.path.join(HERE, 'rdma_tests_child.py'),
               folder, outcomes, *done]
    with open(os.path.join(scratch, 'log'), 'a') as log:
        child = subprocess.Popen(command, stdout=log, stderr=log, env=env, cwd=scratch,
                                 start_new_session=True)
        try:
            child.wait(timeout=SECONDS_MAX)
        except subprocess.TimeoutExpired:
            pass
        try:
            os.killpg(child.pid, signal.SIGKILL)  # what it left behind as well
        except ProcessLookupError:
            pass
        child.wait()
    return outcomes, child.returncode


def run_tests(args, scratch):
    folder = os.path.join(scratch, 'tests')
    unpack(args.folder, folder)
    env = dict(os.environ, HOME=scratch)
    results, ended, deaths = {}, False, 0
    while not ended:
        outcomes, status = run_child(args, folder, scratch, sorted(results), env)
        tests, open_test, ended = read_outcomes(outcomes, results)
        if ended:
            break
        deaths += 1
        how = 'hung' if status == -signal.SIGALRM or status == 128 + signal.SIGALRM else 'died'
        if not open_test or deaths > 8:
            sys.stderr.write(open(os.path.join(scratch, 'log')).read()[-4000:])
            sys.exit(f'the tests {how} with status {status} outside a test')
        results[open_test] = ('failed', f'{how}, status {status}')
    return results


# --- judging ----------------------------------------------------------------------------------


def read_expected():
    """Lines `name | outcome | why`; # opens a comment."""
    expected = {}
    with open(EXPECTED) as file:
        for line in file:
            line = line.strip()
            if line and not line.startswith('#'):
                name, outcome, why = (part.strip() for part in (line + ' | ').split('|')[:3])
                expected[name] = (outcome, why)
    return expected


def write_expected(results):
    with open(EXPECTED, 'w') as file:
        file.write("# rdma-core's Python tests on cxemu: what each is expected to do, and why it skips or fails.\n"
                   '# Written by `rdma_tests.py run CXEMU --update`; rdma_tests.py holds runs against it.\n')
        for name, (outcome, why) in sorted(results.items()):
            why = ' '.join(why.replace('|', '/').split())
            file.write(f'{name} | {outcome} | {why}'.rstrip(' |') + '\n')


RANK = {'passed': 2, 'skipped': 1, 'failed': 0}


def judge(results, expected):
    """Prints what differs. True: nothing got worse."""
    good = True
    for name, (outcome, why) in sorted(results.items()):
        was = expected.get(name, ('unknown', ''))
        if outcome == was[0]:
            continue
        worse = RANK[outcome] < RANK.get(was[0], 2)
        good = good and not worse
        print(f'{"WORSE" if worse else "better"}: {name}: {was[0]} -> {outcome} {why}')
        if not worse:
            print('    update rdma_tests_expected.txt: rdma_tests.py run CXEMU --update')
    for name in sorted(set(expected) - set(results)):
        print(f'gone: {name} was {expected[name][0]}; this rdma-core does not have it')
    return good


def count(results):
    n = {key: 0 for key in ('passed', 'failed', 'skipped')}
    for outcome, _ in results.values():
        n[outcome] += 1
    return n


def have_namespace():
    """Taps and addresses in a network namespace that goes with this process."""
    if os.environ.get('CXEMU_TEST_NETNS'):
        return
    if subprocess.run(['unshare', '-n', 'true'], stderr=subprocess.DEVNULL).returncode:
        skip('network namespaces are not permitted here')
    os.environ['CXEMU_TEST_NETNS'] = '1'
    os.execvp('unshare', ['unshare', '-n', sys.executable, *sys.argv])


def run(args):
    args.cxemu = os.path.abspath(args.cxemu)
    if not os.path.exists(os.path.join(args.folder, 'run_tests.py')):
        skip(f'no tests in {args.folder} (Debian package python3-pyverbs, without documentation '
             'left out)')
    if subprocess.run([PYTHON, '-c', 'import pyverbs.device'], stderr=subprocess.DEVNULL).returncode:
        skip('no pyverbs (Debian package python3-pyverbs)')
    if os.geteuid() != 0:
        skip('RAW_PACKET queue pairs, taps and network namespaces need root')
    if not os.path.exists('/dev/net/tun'):
        skip('there is no /dev/net/tun')
    have_namespace()
    started = time.monotonic()
    with tempfile.TemporaryDirectory() as scratch:
        results = run_tests(args, scratch)
    n = count(results)
    print(f'{len(results)} tests in {time.monotonic() - started:.0f} s: {n["passed"]} passed, '
          f'{n["failed"]} failed, {n["skipped"]} skipped')
    if args.list:
        for name, (outcome, why) in sorted(results.items()):
            print(f'  {outcome:8}{name}  {why}')
    if args.update:
        write_expected(results)
        return 0
    if args.list:
        return 0
    return 0 if judge(results, read_expected()) else 1


# --- the table ---------------------------------------------------------------------------------

ROCE = 'RoCE queue pairs (RC, UC, UD, XRC): out of scope'
DEVX = 'needs DevX, which is refused at open'
# What a test says when it skips or fails, and what is behind it. Tests of one module first.
REASONS = [
    ('test_mlx5_dc', '', 'dynamically connected queue pairs: out of scope'),
    ('test_rdmacm', '', 'connection manager over RoCE: out of scope'),
    ('test_mlx5_rdmacm', '', 'connection manager over RoCE: out of scope'),
    ('test_atomic', '', 'atomics of RoCE queue pairs: out of scope'),
    ('', 'No relevant GID', ROCE),
    ('', 'GID table', 'a port without GIDs, as RoCE is off'),
    ('', 'gid', 'a port without GIDs, as RoCE is off: the test takes it for granted'),
    ('', 'QP with', 'other queue pairs than RAW_PACKET: out of scope'),
    ('', 'EFA', "another vendor's device"),
    ('', 'Device memory', 'memory on the device: out of scope'),
    ('', 'dmabuf', 'needs a graphics device'),
    ('', 'cuda', 'needs a graphics device'),
    ('', 'DrTable', f'software steering: {DEVX}'),
    ('test_mlx5_dr', '', f'software steering: {DEVX}'),
    ('', 'Crypto', 'cryptographic keys of RoCE: out of scope'),
    ('', 'DevX', DEVX),
    ('', 'huge pages', 'the machine has no huge pages reserved'),
    ('test_mlx5_huge_page', 'Failed to create QP', 'creates an RC queue pair: out of scope'),
    ('', 'PCI device', 'needs VFIO: a card that a program drives without a kernel'),
    ('', 'memory window', 'memory windows: out of scope'),
    ('', 'LAG', 'no bonded ports'),
    ('', 'schedule', 'scheduling elements of the switch: out of scope'),
    ('', 'VAR', 'doorbells of virtio devices: out of scope'),
    ('', 'reserved QP', 'RoCE queue pairs (RC, UC, UD, XRC): out of scope'),
]


def explain(name, why):
    module = name.split('.')[1]
    for of_module, text, reason in REASONS:
        if of_module in ('', module) and text.lower() in why.lower():
            return reason
    return 'not emulated'


def make_table(expected):
    n = count(expected)
    modules = sorted({name.split('.')[1] for name in expected})
    lines = ["# rdma-core's Python tests on cxemu", '',
             'Written by `test/verbs/rdma_tests.py table` from `rdma_tests_expected.txt`, which the test',
             '`rdma_core.tests` holds the tests of Debian\'s python3-pyverbs against, unmodified.', '',
             f'{len(expected)} tests: {n["passed"]} passed, {n["failed"]} failed, '
             f'{n["skipped"]} skip themselves.', '', '| module | passed | failed | skipped |',
             '|---|---|---|---|']
    for module in modules:
        m = count({k: v for k, v in expected.items() if k.split('.')[1] == module})
        lines.append(f'| {module} | {m["passed"]} | {m["failed"]} | {m["skipped"]} |')
    lines += ['', '| test | outcome | says | because |', '|---|---|---|---|']
    for name, (outcome, why) in sorted(expected.items()):
        short = '.'.join((name.split('.')[1], name.split('.')[3]))
        because = '' if outcome == 'passed' else explain(name, why)
        lines.append(f'| {short} | {outcome} | {why} | {because} |')
    return '\n'.join(lines) + '\n'


BY_HAND = '\n<!-- written by hand from here on -->\n'


def split(path):
    """What the table is compared with, and what stands behind it by hand."""
    with open(path) as file:
        return file.read().partition(BY_HAND)


def table(args):
    text = make_table(read_expected())
    if args.write:
        by_hand = ''.join(split(args.write)[1:]) if os.path.exists(args.write) else ''
        with open(args.write, 'w') as file:
            file.write(text + by_hand)
    elif args.check:
        if split(args.check)[0] != text:
            print(f'{args.check} is not what rdma_tests_expected.txt says: rdma_tests.py table '
                  f'--write {args.check}')
            return 1
    else:
        print(text, end='')
    return 0


def main():
    parser = argparse.ArgumentParser()
    verbs = parser.add_subparsers(dest='verb', required=True)
    verb = verbs.add_parser('run')
    verb.add_argument('cxemu')
    verb.add_argument('--update', action='store_true')
    verb.add_argument('--list', action='store_true', help='print outcomes, compare nothing')
    verb.add_argument('--folder', default=PACKAGED)
    verb = verbs.add_parser('table')
    verb.add_argument('--write')
    verb.add_argument('--check')
    args = parser.parse_args()
    sys.exit(run(args) if args.verb == 'run' else table(args))


main()
