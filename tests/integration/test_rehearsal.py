"""The chart, rehearsed: every container's command, arguments and environment as rendered, started as processes on this machine.

Each pod has an address of its own. As root with `ip` it is a network namespace, a router between them lets through exactly what
the rendered network policies let through, the file system is read-only but for the pod's volumes, and the user is the chart's;
without, each pod is an address of 127.0.0.0/8 (and the parts that need confinement are skipped with the reason). Ports are the
chart's. Names of services are put in as addresses, paths of volumes as folders of this run.
"""

from __future__ import annotations

import contextlib
import ctypes
import json
import os
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import threading
import time
import urllib.request
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest
from chart_render import REPO, Object, component, container_environment, of_kind, pods, value_set
from chart_render import objects as rendered_objects

from twm.cli.embedded_redis import server_binary
from twm.cli.healthcheck import status

pytestmark = [
    pytest.mark.redis,
    pytest.mark.slow,
    pytest.mark.alone,
    pytest.mark.timeout(400),
    pytest.mark.skipif(not os.environ.get("TWM_LONG"), reason="half a minute of a core: set TWM_LONG=1 (CI does)"),
]

LIBC = ctypes.CDLL(None, use_errno=True)
CLONE_NEWNET = 0x40000000
READY_S = 120.0
FLOW_S = 90.0
USER = 10001
LAUNCHER = REPO / "tests" / "rehearsal_pod.py"
POLICY_STEPS = 2


def unconfined_because() -> str:
    """Why pods cannot be confined here; empty where they can."""
    if os.environ.get("TWM_REHEARSAL") == "loopback":
        return "TWM_REHEARSAL=loopback"
    if os.geteuid() != 0:
        return "not root"
    if shutil.which("ip") is None:
        return "no ip command"
    name = f"twmr-try-{os.getpid()}"
    made = subprocess.run(["ip", "netns", "add", name], capture_output=True, text=True, check=False)
    if made.returncode:
        return f"no network namespaces: {made.stderr.strip()[:100]}"
    rule = ["ip", "-n", name, "rule", "add", "pref", "9", "ipproto", "tcp", "dport", "9", "lookup", "main"]
    tried = subprocess.run(rule, capture_output=True, text=True, check=False)
    subprocess.run(["ip", "netns", "del", name], check=False)
    return f"no routing rules by port: {tried.stderr.strip()[:100]}" if tried.returncode else ""


@dataclass
class Pod:
    """One pod of the rehearsal."""

    name: str
    labels: Mapping[str, str]
    container: Object
    address: str
    folder: Path
    namespace: str = ""
    process: subprocess.Popen[bytes] | None = None
    ports: dict[str, int] = field(default_factory=dict)

    def log(self) -> str:
        """End of what it wrote."""
        path = self.folder / "log"
        return path.read_text(errors="replace")[-1500:] if path.is_file() else ""


class Rehearsal:
    """All pods of a rendered chart. `confined`: in namespaces, as the chart's user, read-only."""

    def __init__(self, found: list[Object], folder: Path, *, confined: bool) -> None:
        self.confined = confined
        self._prefix = f"twmr{os.getpid() % 10000}-"
        self._secrets: dict[tuple[str, str], str] = {}
        self._found = found
        self.pods: dict[str, Pod] = {}
        for number, (_, meta, spec) in enumerate(pods(found), start=10):
            (container,) = spec["containers"]
            name = meta["labels"]["app.kubernetes.io/component"]
            place = folder / name
            place.mkdir()
            address = f"10.87.0.{number}" if confined else f"127.87.0.{number}"
            ports = {p["name"]: p["containerPort"] for p in container.get("ports", [])}
            namespace = f"{self._prefix}{number}" if confined else ""
            self.pods[name] = Pod(name, meta["labels"], container, address, place, namespace, ports=ports)
        self._hub = f"{self._prefix}hub"

    # --- network ------------------------------------------------------------------------------------------------------------

    def build_network(self) -> None:
        """A namespace a pod, a router between them with a rule for each allowed flow; everything else is prohibited."""
        ip("netns", "add", self._hub)
        ip("-n", self._hub, "link", "set", "lo", "up")
        forward = "echo 1 > /proc/sys/net/ipv4/ip_forward; echo 0 > /proc/sys/net/ipv4/conf/all/rp_filter"
        ip("netns", "exec", self._hub, "sh", "-c", forward)
        for pod in self.pods.values():
            inner, outer = f"{pod.namespace}i", f"{pod.namespace}o"
            ip("netns", "add", pod.namespace)
            ip("link", "add", inner, "type", "veth", "peer", "name", outer)
            ip("link", "set", inner, "netns", pod.namespace)
            ip("link", "set", outer, "netns", self._hub)
            ip("-n", pod.namespace, "link", "set", "lo", "up")
            ip("-n", pod.namespace, "address", "add", f"{pod.address}/32", "dev", inner)
            ip("-n", pod.namespace, "link", "set", inner, "up")
            ip("-n", pod.namespace, "route", "add", "10.87.0.1/32", "dev", inner)
            ip("-n", pod.namespace, "route", "add", "default", "via", "10.87.0.1", "dev", inner)
            ip("-n", self._hub, "address", "add", "10.87.0.1/32", "dev", outer)
            ip("-n", self._hub, "link", "set", outer, "up")
            ip("-n", self._hub, "route", "add", f"{pod.address}/32", "dev", outer)
        for client, server, port in self.allowed():
            ends = ("from", f"{client.address}/32", "to", f"{server.address}/32")
            back = ("from", f"{server.address}/32", "to", f"{client.address}/32")
            ip("-n", self._hub, "rule", "add", "pref", "100", *ends, "ipproto", "tcp", "dport", str(port), "lookup", "main")
            ip("-n", self._hub, "rule", "add", "pref", "100", *back, "ipproto", "tcp", "sport", str(port), "lookup", "main")
        ip("-n", self._hub, "rule", "add", "pref", "200", "from", "10.87.0.8/29", "to", "10.87.0.0/24", "prohibit")
        ip("-n", self._hub, "rule", "add", "pref", "201", "from", "10.87.0.16/28", "to", "10.87.0.0/24", "prohibit")

    def allowed(self) -> list[tuple[Pod, Pod, int]]:
        """(client, server, port) that both the client's egress and the server's ingress policies let through."""
        policies = [o["spec"] for o in of_kind(self._found, "NetworkPolicy")]

        def lets(pod: Pod, other: Pod, port: int, direction: str) -> bool:
            mine = [p for p in policies if p["podSelector"]["matchLabels"].items() <= pod.labels.items()]
            rules = [rule for p in mine for rule in p.get(direction.lower(), [])]
            named = (pod if direction == "Ingress" else other).ports
            side = "from" if direction == "Ingress" else "to"
            return any(
                peer.get("podSelector", {}).get("matchLabels", {"": ""}).items() <= other.labels.items()
                and "namespaceSelector" not in peer
                and port in [named.get(p["port"], p["port"]) for p in rule["ports"] if p["protocol"] == "TCP"]
                for rule in rules
                for peer in rule.get(side, [])
            )

        return [
            (client, server, port)
            for client in self.pods.values()
            for server in self.pods.values()
            if client is not server
            for port in server.ports.values()
            if lets(client, server, port, "Egress") and lets(server, client, port, "Ingress")
        ]

    # --- pods ---------------------------------------------------------------------------------------------------------------

    def environment(self, pod: Pod) -> dict[str, str]:
        """What the container's process gets: the image's variables, then the chart's."""
        image = {
            "PATH": f"{Path(sys.executable).parent}:/usr/bin:/bin",
            "PYTHONPATH": f"{REPO}/services:{REPO}/models",
            "PYTHONUNBUFFERED": "1",
            "PYTHONDONTWRITEBYTECODE": "1",
            "OMP_NUM_THREADS": "1",
            "OPENBLAS_NUM_THREADS": "1",
        }
        return {**image, **{k: self._here(pod, v) for k, v in container_environment(pod.container, self._secrets).items()}}

    def command(self, pod: Pod, given: list[str]) -> list[str]:
        """A command of the container, with programs, addresses and volumes of this run."""
        program = {"python": sys.executable, "valkey-server": str(server_binary())}.get(given[0], given[0])
        bind = ["--bind", pod.address] if given[0] == "valkey-server" and not self.confined else []
        return [program, *(self._here(pod, argument) for argument in given[1:]), *bind]

    def start(self, name: str) -> None:
        """Start a pod's container."""
        pod = self.pods[name]
        command = self.command(pod, [*pod.container["command"], *pod.container.get("args", [])])
        with (pod.folder / "log").open("ab") as log:
            pod.process = subprocess.Popen(
                self._inside(pod, command), stdout=log, stderr=log, env=self.environment(pod), cwd=pod.folder, process_group=0
            )

    def probe(self, name: str, probe: str) -> bool:
        """Whether a probe of the pod passes: an HTTP one as the kubelet asks, an exec one by its own command."""
        pod, asked = self.pods[name], self.pods[name].container[probe]
        if "exec" in asked and asked["exec"]["command"][0] == "python":
            return self.run_in(pod, self.command(pod, asked["exec"]["command"])).returncode == 0
        if "httpGet" in asked:
            url = f"http://{pod.address}:{pod.ports[asked['httpGet']['port']]}{asked['httpGet']['path']}"
            return bool(self.within(pod, lambda: status(url)) == "200")
        # The client program of the Redis image is not here: what it would ask is asked by hand.
        return bool(self.within(pod, lambda: _pings(pod.address, pod.ports["redis"])))

    def within(self, pod: Pod, ask: Callable[[], Any]) -> Any:
        """What `ask` returns on a thread that is in the pod's network."""
        if not self.confined:
            return ask()
        answer: list[Any] = []

        def run() -> None:
            with open(f"/run/netns/{pod.namespace}", "rb") as namespace:
                assert LIBC.setns(namespace.fileno(), CLONE_NEWNET) == 0
            answer.append(ask())

        thread = threading.Thread(target=run)
        thread.start()
        thread.join(30)
        return answer[0] if answer else None

    def run_in(self, pod: Pod, command: list[str]) -> subprocess.CompletedProcess[bytes]:
        """A command in the pod's network with the pod's environment, to its end."""
        prefix = ["ip", "netns", "exec", pod.namespace] if self.confined else []
        return subprocess.run([*prefix, *command], env=self.environment(pod), capture_output=True, timeout=90, check=False)

    def wait_ready(self, *names: str) -> None:
        """Until the readiness probes of these pass."""
        until = time.monotonic() + READY_S
        waiting = set(names)
        while waiting:
            for name in sorted(waiting):
                process = self.pods[name].process
                assert process is not None and process.poll() is None, f"{name} ended: {self.pods[name].log()}"
                if self.probe(name, "readinessProbe"):
                    waiting.discard(name)
            assert time.monotonic() < until, "\n".join(f"{n} is not ready: {self.pods[n].log()}" for n in waiting)
            time.sleep(1.0)

    def lend(self, owner: str, borrower: str, volume: str) -> None:
        """Copy what lies in a volume of one pod into that of another."""
        shutil.copytree(self.pods[owner].folder / volume, self.pods[borrower].folder / volume)

    def reaches(self, client: str, server: str, port: int) -> bool:
        """Whether a TCP connection can be made."""
        return bool(self.within(self.pods[client], lambda: _connects(self.pods[server].address, port)))

    def stop(self) -> dict[str, int]:
        """SIGTERM to all; exit codes. The namespaces go too."""
        codes = {}
        for pod in reversed(self.pods.values()):
            if pod.process is not None and pod.process.poll() is None:
                pod.process.send_signal(signal.SIGTERM)
        for name, pod in self.pods.items():
            if pod.process is not None:
                with contextlib.suppress(subprocess.TimeoutExpired):
                    codes[name] = pod.process.wait(20)
                if pod.process.poll() is None:
                    os.killpg(pod.process.pid, signal.SIGKILL)
                    pod.process.wait(5)
        if self.confined:
            for namespace in (*(pod.namespace for pod in self.pods.values()), self._hub):
                subprocess.run(["ip", "netns", "del", namespace], capture_output=True, check=False)
        return codes

    def _inside(self, pod: Pod, command: list[str]) -> list[str]:
        if not self.confined:
            return command
        spec = {
            "command": command, "environment": self.environment(pod), "folder": str(pod.folder), "user": USER,
            "reach": [sys.base_prefix, sys.prefix, str(REPO)],
        }  # fmt: skip
        path = pod.folder / "spec.json"
        path.write_text(json.dumps(spec))
        for owned in (pod.folder, *pod.folder.rglob("*")):
            os.chown(owned, USER, USER)
        return ["ip", "netns", "exec", pod.namespace, sys.executable, str(LAUNCHER), str(path)]

    def _here(self, pod: Pod, text: str) -> str:
        """A value of the chart with this run's addresses and folders."""
        for mount in sorted(pod.container.get("volumeMounts", []), key=lambda m: -len(m["mountPath"])):
            if text == mount["mountPath"] or text.startswith(mount["mountPath"] + "/"):
                place = pod.folder / mount["mountPath"].strip("/").replace("/", "-")
                place.mkdir(exist_ok=True)
                text = str(place) + text[len(mount["mountPath"]) :]
                break
        for service in of_kind(self._found, "Service"):
            if component(service) in self.pods:
                text = text.replace(f"{service['metadata']['name']}:", f"{self.pods[component(service)].address}:")
        if not self.confined:
            text = text.replace("0.0.0.0", pod.address).replace("127.0.0.1", pod.address)
        return text


def _connects(address: str, port: int) -> bool:
    try:
        socket.create_connection((address, port), 2).close()
    except OSError:
        return False
    return True


def _pings(address: str, port: int) -> bool:
    try:
        with socket.create_connection((address, port), 2) as connection:
            connection.sendall(b"PING\r\n")
            return connection.recv(16).startswith(b"+PONG")
    except OSError:
        return False


def ip(*arguments: str) -> None:
    """Run ip(8)."""
    done = subprocess.run(["ip", *arguments], capture_output=True, text=True, check=False)
    assert done.returncode == 0, f"ip {' '.join(arguments)}: {done.stderr}"


def chart() -> list[Object]:
    """The laboratory's values: one replica each, the emulator as gNBs."""
    values: dict[str, Any] = value_set("lab")
    values["processes"]["emulator"]["settings"]["TWM_SPEED"] = 20
    # This machine may be busy with other tests: a plan gets the time it takes, rather than the reactive rule's answer.
    values["processes"]["planner"]["settings"] = {"TWM_PLAN_BUDGET_S": 10, "TWM_PLAN_GRACE_S": 5}
    return rendered_objects(values)


@pytest.fixture(scope="module")
def rehearsal() -> Iterator[Rehearsal]:
    with tempfile.TemporaryDirectory(prefix="twm-rehearsal-") as folder:
        os.chmod(folder, 0o755)
        started = Rehearsal(chart(), Path(folder), confined=not unconfined_because())
        try:
            if started.confined:
                started.build_network()
            started.start("redis")
            started.wait_ready("redis")
            processes = [name for name in started.pods if name not in ("redis", "test", "emulator")]
            for name in processes:
                started.start(name)
            started.wait_ready(*processes)
            started.lend("twin", "emulator", "tmp")  # both compile the simulator; once is enough here
            started.start("emulator")
            started.wait_ready("emulator")
            yield started
        finally:
            started.stop()


def rest(rehearsal: Rehearsal, path: str) -> Any:
    """The gateway's answer, asked where a port-forward would ask: inside its pod."""
    gateway = rehearsal.pods["gateway"]
    address = "127.0.0.1" if rehearsal.confined else gateway.address
    url = f"http://{address}:8080{path}"

    def ask() -> bytes:
        with urllib.request.urlopen(url, timeout=10) as answer:
            content: bytes = answer.read()
            return content

    content = rehearsal.within(gateway, ask)
    assert content is not None, gateway.log()
    return json.loads(content)


def test_proposals_are_judged(rehearsal: Rehearsal) -> None:
    """Frames come in, plans with the words of world model and twin come out, and the guardrail judges each."""
    until = time.monotonic() + FLOW_S
    verdicts: list[dict[str, Any]] = []
    while len(verdicts) < POLICY_STEPS:
        assert time.monotonic() < until, {name: pod.log()[-400:] for name, pod in rehearsal.pods.items()}
        time.sleep(0.5)
        verdicts = rest(rehearsal, "/v1/verdicts")["items"]
    status = rest(rehearsal, "/v1/status")
    assert status["mode"].lower().endswith("shadow")
    proposals = rest(rehearsal, "/v1/proposals")["items"]
    assert "search" in {proposal["source"] for proposal in proposals}, [p.get("fallback_reason") for p in proposals]
    assert (rehearsal.pods["gateway"].folder / "var-lib-twm" / "audit-poc-city.jsonl").stat().st_size > 0


def test_the_helm_test_passes(rehearsal: Rehearsal) -> None:
    pod = rehearsal.pods["test"]
    done = rehearsal.run_in(pod, rehearsal.command(pod, [*pod.container["command"], *pod.container["args"]]))
    assert done.returncode == 0, done.stderr.decode()


def test_liveness_and_startup_probes_pass(rehearsal: Rehearsal) -> None:
    for name, pod in rehearsal.pods.items():
        if name not in ("test", "redis"):
            assert rehearsal.probe(name, "livenessProbe"), pod.log()
            assert rehearsal.probe(name, "startupProbe"), pod.log()


def test_only_declared_flows_pass(rehearsal: Rehearsal) -> None:
    """What the policies let through passes, and nothing else between pods does."""
    if not rehearsal.confined:
        pytest.skip(f"pods are not confined: {unconfined_because()}")
    passing = {(client.name, server.name, port) for client, server, port in rehearsal.allowed()}
    assert ("planner", "inference", 50051) in passing
    for client, server, port in (
        ("planner", "inference", 50051),
        ("ingester", "redis", 6379),
        ("twin", "redis", 6379),
        ("emulator", "redis", 6379),
        ("emulator", "planner", 8080),
        ("ingester", "inference", 50051),
        ("inference", "ingester", 50051),
        ("test", "planner", 8080),
        ("test", "redis", 6379),
        ("planner", "gateway", 8080),
        ("redis", "planner", 8080),
    ):
        assert rehearsal.reaches(client, server, port) == ((client, server, port) in passing), (client, server, port)


def test_pods_are_the_chart_s_user_on_a_read_only_root(rehearsal: Rehearsal) -> None:
    """As they run: user, no rights, and a root that refuses writes."""
    if not rehearsal.confined:
        pytest.skip(f"pods are not confined: {unconfined_because()}")
    for name, pod in rehearsal.pods.items():
        if pod.process is None:
            continue
        status = dict(
            line.split(":\t", 1) for line in Path(f"/proc/{pod.process.pid}/status").read_text().splitlines() if ":\t" in line
        )
        assert set(status["Uid"].split()) == {str(USER)}, name
        assert int(status["CapEff"], 16) == int(status["CapPrm"], 16) == 0, name
        assert status["NoNewPrivs"] == "1", name
        mounts = Path(f"/proc/{pod.process.pid}/mounts").read_text().splitlines()
        options = {line.split()[1]: line.split()[3].split(",") for line in mounts}
        assert options["/"][0] == "ro", name
        assert options[str(pod.folder)][0] == "rw", name


def test_sigterm_ends_every_process_well(rehearsal: Rehearsal) -> None:
    """Last in this file, since nothing runs afterwards."""
    codes = rehearsal.stop()
    assert {name: code for name, code in codes.items() if code != 0} == {}
    assert set(codes) == set(rehearsal.pods) - {"test"}
