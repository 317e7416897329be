#!/usr/bin/env python3
# SPDX-License-Identifier: BSD-2-Clause
"""Runs rdma-core's Python tests, as packaged, in this process and writes each outcome as it is known.

usage: rdma_tests_child.py TESTS_FOLDER OUTCOMES_FILE [DONE_TEST ...]

To be started by rdma_tests.py under `cxemu run`. It does what the tests' own run_tests.py does, with
another result class: one JSON object a line in OUTCOMES_FILE, first the list of all tests, then for
each its start and its outcome, so that a crash or a hang can be laid at one test's door. Tests named
as done are left out: a second run after such a death goes on behind it. Nothing is put into the
tests' way: they are loaded from the folder as they are, and each decides for itself what it skips.
"""
import json
import os
import random
import signal
import subprocess
import sys
import unittest
from importlib.machinery import SourceFileLoader

TEST_SECONDS_MAX = 60


class Outcomes(unittest.TestResult):
    """A line a test; the worst that was said of it counts."""

    def __init__(self, file):
        super().__init__()
        self.file = file
        self.said = ('passed', '')

    def tell(self, **what):
        self.file.write(json.dumps(what) + '\n')
        self.file.flush()

    def startTest(self, test):
        super().startTest(test)
        self.said = ('passed', '')
        random.seed(test.id())  # tests draw flags and sizes: the same in each run
        self.tell(start=test.id())
        signal.alarm(TEST_SECONDS_MAX)  # no handler: a hung test ends this process

    def stopTest(self, test):
        signal.alarm(0)
        super().stopTest(test)
        self.tell(test=test.id(), outcome=self.said[0], why=self.said[1])

    def fail(self, err):
        self.said = ('failed', f'{err[0].__name__}: {err[1]}'.strip().splitlines()[0])

    def addError(self, test, err):
        super().addError(test, err)
        self.fail(err)

    def addFailure(self, test, err):
        super().addFailure(test, err)
        self.fail(err)

    def addSkip(self, test, reason):
        super().addSkip(test, reason)
        self.said = ('skipped', reason)

    def addSubTest(self, test, subtest, err):
        super().addSubTest(test, subtest, err)
        if err:
            self.fail(err)


def give_address():
    """The port's netdev is a tap that stands once a device was opened; some tests read its address."""
    import pyverbs.device
    netdev = os.environ.get('PYVERBS_NETDEV')
    pyverbs.device.Context(name=pyverbs.device.get_device_list()[0].name.decode()).close()
    if netdev:
        subprocess.run(['ip', 'addr', 'add', '10.77.0.1/24', 'dev', netdev], check=True)
        subprocess.run(['ip', 'link', 'set', netdev, 'up'], check=True)


def flatten(suite):
    for test in suite:
        if isinstance(test, unittest.TestSuite):
            yield from flatten(test)
        else:
            yield test


def main():
    folder, outcomes, done = sys.argv[1], sys.argv[2], set(sys.argv[3:])
    sys.path.insert(0, folder)
    sys.argv[1:] = []
    from args_parser import parser
    tests = SourceFileLoader('tests', os.path.join(folder, '__init__.py')).load_module()
    parser.parse_args()
    all_tests = list(flatten(unittest.defaultTestLoader.loadTestsFromModule(tests)))
    with open(outcomes, 'a') as file:
        result = Outcomes(file)
        result.tell(tests=sorted(test.id() for test in all_tests))
        give_address()
        suite = unittest.TestSuite(t for t in all_tests if t.id() not in done)
        suite.run(result)
        result.tell(end=True)


main()
