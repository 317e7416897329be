#!/usr/bin/env python3
# SPDX-License-Identifier: BSD-2-Clause
"""Two stacks, the admin tool and a kernel socket program on one emulated NIC, four processes at once.

usage: one_nic.py CXEMU ECHO TCP_LAT TAPM_VERBS four|loopback

The NIC is one end of a veth, and has a tap as its netdev; at the other end, in a namespace of its own,
is a kernel host that talks to all of them without a pause. One stack is killed: the others notice
nothing, its rules and objects are gone, and its address can be taken again. `loopback`: two stacks talk
to each other inside of the port. Exit status 77: cannot run here.
"""
import json
import os
import signal
import socket
import subprocess
import sys
import tempfile
import threading
import time

SECONDS_MAX = 40
STACK_A, STACK_B, KERNEL = '10.77.0.2', '10.77.0.4', '10.77.0.3'
NIC = 'n0'


def skip(why):
    print('skipped:', why)
    sys.exit(77)


def fail(why):
    print('failed:', why)
    sys.exit(1)


def sh(command):
    subprocess.run(command, shell=True, check=True, timeout=SECONDS_MAX)


def wait_until(what, done):
    deadline = time.monotonic() + SECONDS_MAX
    while not done():
        if time.monotonic() > deadline:
            fail(f'never: {what}')
        time.sleep(0.05)


class Lab:
    def __init__(self, directory, programs):
        self.cxemu, self.echo, self.tcp_lat, self.tapm = programs
        self.processes = []
        os.mkdir(directory + '/run')
        os.environ['RAWSTACK_RUN_DIR'] = directory + '/run'
        os.environ['CXEMU_RUN_DIR'] = directory + '/nics'
        self.directory = directory
        sh('echo 1 >/proc/sys/net/ipv6/conf/default/disable_ipv6; ip link set lo up')
        # The kernel host: a process that holds its namespace.
        self.host = subprocess.Popen(['unshare', '-n', 'sleep', '300'])
        self.processes.append(self.host)
        own = os.readlink('/proc/self/ns/net')
        wait_until('the host has a namespace',
                   lambda: os.readlink(f'/proc/{self.host.pid}/ns/net') != own)
        sh('ip link add nic type veth peer name eth && ip link set nic arp off up && '
           f'ip link set eth netns {self.host.pid}')
        self.on_host('echo 1 >/proc/sys/net/ipv6/conf/all/disable_ipv6; '
                     'ip addr add 10.77.0.1/24 dev eth && ip link set eth up')
        sh(f'{self.cxemu} start one --nic name={NIC},wire=packet:nic,netdev=tap0,'
           'mac=02:00:00:00:00:01')
        sh(f'ip addr add {KERNEL}/24 dev tap0 && ip link set tap0 up')

    def on_host(self, command):
        sh(f"nsenter -t {self.host.pid} -n sh -c '{command}'")

    def start(self, name, *command):
        log = open(f'{self.directory}/{name}.log', 'w')
        process = subprocess.Popen([self.cxemu, 'run', '--nic', 'one', '--', *command], stdout=log,
                                   stderr=subprocess.STDOUT)
        self.processes.append(process)
        return process

    def text(self, name):
        with open(f'{self.directory}/{name}.log') as log:
            return log.read()

    def flows(self):
        status = json.loads(subprocess.run([self.cxemu, 'status', '--json', 'one'], check=True,
                                           stdout=subprocess.PIPE, timeout=SECONDS_MAX).stdout)
        return status

    def admin(self, *words):
        done = subprocess.run([self.cxemu, 'run', '--nic', 'one', '--', self.tapm, *words],
                              stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True,
                              timeout=SECONDS_MAX)
        if done.returncode:
            fail(f'tapm-verbs {" ".join(words)}: {done.stdout}')
        return done.stdout

    def end(self):
        for process in self.processes:
            if process.poll() is None:
                process.kill()
                process.wait()
        subprocess.run([self.cxemu, 'stop', 'one'], check=False, timeout=SECONDS_MAX)


def host_socket(lab):
    """A socket of the kernel host's namespace."""
    made = []

    def enter():  # a thread may be in another namespace than its process
        with open(f'/proc/{lab.host.pid}/ns/net') as ns:
            import ctypes
            if ctypes.CDLL(None, use_errno=True).setns(ns.fileno(), 0x40000000) == 0:
                made.append(socket.socket())
    thread = threading.Thread(target=enter)
    thread.start()
    thread.join()
    if not made:
        fail('cannot enter the host\'s namespace')
    made[0].settimeout(SECONDS_MAX)
    return made[0]


class Talk(threading.Thread):
    """A connection that sends and compares, without a pause, until it is told to end."""

    def __init__(self, lab, address, port):
        super().__init__(daemon=True)
        self.address, self.error, self.bytes, self.stop = address, None, 0, False
        deadline = time.monotonic() + SECONDS_MAX
        while True:
            self.socket = host_socket(lab)
            try:
                self.socket.connect((address, port))
                break
            except OSError as error:
                self.socket.close()
                if time.monotonic() > deadline:
                    fail(f'{address}: {error}')
                time.sleep(0.2)
        self.start()

    def run(self):
        try:
            while not self.stop:
                block = os.urandom(3000)
                self.socket.sendall(block)
                back = b''
                while len(back) < len(block):
                    part = self.socket.recv(65536)
                    if not part:
                        raise OSError('the connection ended')
                    back += part
                if back != block:
                    raise OSError('other bytes came back')
                self.bytes += len(block)
        except OSError as error:
            self.error = error

    def goes_on(self, more=30000):
        start = self.bytes
        wait_until(f'{more} bytes more from {self.address}',
                   lambda: self.error or self.bytes >= start + more)
        if self.error:
            fail(f'{self.address}: {self.error}')

    def end(self):
        self.stop = True
        self.join(SECONDS_MAX)
        self.socket.close()


def kernel_echo():
    """The plain kernel socket program: knows nothing of NICs."""
    return subprocess.Popen([sys.executable, '-c', f'''
import socket
s = socket.create_server(("{KERNEL}", 7))
while True:
    c = s.accept()[0]
    while (d := c.recv(65536)):
        c.sendall(d)
'''])


def four(lab):
    a = lab.start('a', lab.echo, NIC, STACK_A, '7')
    lab.start('b', lab.echo, NIC, STACK_B, '7')
    lab.processes.append(kernel_echo())
    talks = {address: Talk(lab, address, 7) for address in (STACK_A, STACK_B, KERNEL)}
    for talk in talks.values():
        talk.goes_on()
    shown = lab.admin('show')
    for address in (STACK_A, STACK_B):
        if address not in shown:
            fail(f'tapm-verbs show does not know {address}: {shown}')
    if NIC not in lab.admin('list'):
        fail('tapm-verbs list')
    os.kill(a.pid, signal.SIGKILL)
    a.wait()
    for address in (STACK_B, KERNEL):
        talks[address].goes_on()
    wait_until('what the killed stack held is gone', lambda: str(a.pid) not in json_pids(lab))
    shown = lab.admin('show')
    if STACK_A in shown or STACK_B not in shown:
        fail(f'tapm-verbs show after the kill: {shown}')
    lab.start('c', lab.echo, NIC, STACK_A, '7')  # its address is free
    again = Talk(lab, STACK_A, 7)
    again.goes_on()
    for address in (STACK_B, KERNEL):
        talks[address].goes_on()
        talks[address].end()
    again.end()
    print('four processes on one NIC:',
          ', '.join(f'{t.address} {t.bytes}' for t in (*talks.values(), again)), 'bytes')


def json_pids(lab):
    return json.dumps(lab.flows())


def loopback(lab):
    server = lab.start('server', lab.tcp_lat, '-d', NIC, '--ip', f'{STACK_A}/24')
    wait_until('the server is up', lambda: 'server on port' in lab.text('server'))
    client = lab.start('client', lab.tcp_lat, '-d', NIC, '--ip', f'{STACK_B}/24', '-n', '300',
                       '--warmup', '20', STACK_A)
    status = client.wait(timeout=SECONDS_MAX)
    print(lab.text('client'))
    if status:
        fail(f'the client ended with {status}')
    if server.wait(timeout=SECONDS_MAX):
        fail(f'the server: {lab.text("server")}')


def main():
    if os.geteuid() != 0:
        skip('network namespaces, taps and packet sockets need root')
    if not os.environ.get('ONE_NIC_NETNS'):
        if subprocess.run(['unshare', '-n', 'true'], stderr=subprocess.DEVNULL).returncode:
            skip('network namespaces are not permitted here')
        if not os.path.exists('/dev/net/tun'):
            skip('there is no /dev/net/tun')
        os.environ['ONE_NIC_NETNS'] = '1'
        os.execvp('unshare', ['unshare', '-n', sys.executable, *sys.argv])
    with tempfile.TemporaryDirectory() as directory:
        lab = None
        try:
            lab = Lab(directory, [os.path.abspath(p) for p in sys.argv[1:5]])
            {'four': four, 'loopback': loopback}[sys.argv[5]](lab)
        finally:
            if lab:
                for name in ('a', 'b', 'c', 'server'):
                    if os.path.exists(f'{directory}/{name}.log'):
                        print(f'{name}: {lab.text(name)}')
                lab.end()


main()
