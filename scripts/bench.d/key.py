"""Keys against C: `key.py list` reads 10,000 objects, `key.py sign` signs with RSA-2048 and P-256 in 1 and 2 processes.

Ratios of runs taken in turn. Two processes have a SoftHSM folder each: it stands no two in one.
"""

import os
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
import uuid
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import AbstractContextManager, ExitStack, contextmanager
from pathlib import Path

from hsmctl.adapters.clock import SystemClock
from hsmctl.adapters.token import AgentTokens
from hsmctl.domain.key import KeyKind, KeySpec
from hsmctl.domain.key_bench import BENCHES, together
from hsmctl.domain.sync import Replica
from hsmctl.ports import Login, Token
from hsmctl.secret import Secret

ROOT = Path(__file__).resolve().parents[2]
MODULE = "/usr/lib/softhsm/libsofthsm2.so"
PIN, OBJECTS, ROUNDS = "ops_cu:bench", 10_000, 5
SECONDS, PAIRS = 0.2, 40
"""Short turns and many: the machine is noisy, and what disturbs one turn is to disturb its neighbour as well."""
SIGNING = {"RSA-2048": ("rsa", "rsa-2048"), "P-256": ("ec", "ec-p256")}


def main() -> None:
    with tempfile.TemporaryDirectory(prefix="hsmctl-bench-") as folder:
        {"list": listing, "sign": signing}[sys.argv[1]](Path(folder))


def listing(folder: Path) -> None:
    """Every object of a token, with whole processes and with the agent alone."""
    configuration = token(folder / "a")
    with opened(folder, configuration) as ready:
        ready.generate(spec("aes", "256"))
    copies(next((folder / "a").rglob("[!t]*.object")))
    read = built(folder, "read")
    (folder / "pin").write_text(PIN.partition(":")[2])
    (folder / "pin").chmod(0o600)
    (folder / "config.toml").write_text(CONFIG.format(module=MODULE, pin=folder / "pin"))
    environ = {**os.environ, "SOFTHSM2_CONF": str(configuration), "HSMCTL_CONFIG": str(folder / "config.toml")}
    environ |= {"HSMCTL_STATE_HOME": str(folder / "state"), "HSMCTL_CONTEXT": "bench", "TOKEN_PIN": PIN}
    ours = [str(ROOT / ".venv/bin/hsmctl"), "key", "list", "-o", "name"]
    tool = ["pkcs11-tool", "--module", MODULE, "--token-label", "bench", "--login", "--pin", "env:TOKEN_PIN", "-O"]
    rounds = []
    for _ in range(ROUNDS):
        with opened(folder, configuration) as ready:
            began = time.perf_counter()
            seen = len(ready.inventory().keys)
            alone = time.perf_counter() - began
        if seen != OBJECTS:
            sys.exit(f"{seen} objects were listed")
        in_c = [str(read), MODULE, "bench", PIN, str(configuration)]
        by_c = [timed(in_c, environ | how) for how in ({}, {"LEAST": "1"}, {"NONE": "1"})]
        rounds.append((timed(ours, environ), alone, timed(tool, environ), *by_c))
    whole, alone, theirs, in_c, least, none = (statistics.median(column) for column in zip(*rounds, strict=True))
    print(f"{OBJECTS:,} objects: hsmctl key list {whole:.2f} s, its agent's listing alone {alone:.2f} s,")
    print(f"  pkcs11-tool -O {theirs:.2f} s, C {in_c:.2f} s")
    print(f"  pkcs11-tool / hsmctl {ratio(rounds, 2, 0):.1f} (goal 5), hsmctl / C {ratio(rounds, 0, 3):.2f} (goal 1.5)")
    print(f"  the listing alone / C {ratio(rounds, 1, 3):.2f}")
    print(f"  the floor: C with class, id and label alone {least:.2f} s: pkcs11-tool / that {ratio(rounds, 2, 4):.1f};")
    print(f"  SoftHSM opens the token and finds all in {none:.2f} s: pkcs11-tool / that {ratio(rounds, 2, 5):.1f}")


def signing(folder: Path) -> None:
    """Signatures a second with session keys, ours as `key bench` makes them, in turn with a C program's."""
    configurations = [token(folder / name) for name in "ab"]
    program = built(folder, "sign")
    for name, (kind, bench) in SIGNING.items():
        for processes in (1, 2):
            # A program and an agent on one SoftHSM folder only look at their own session keys.
            with ExitStack() as stack, ThreadPoolExecutor() as pool:
                used = configurations[:processes]
                programs = [stack.enter_context(signing_in_c(program, each, kind)) for each in used]
                tokens = [stack.enter_context(opened(folder, each)) for each in used]
                for ready in tokens:
                    ready.speed.prepare(BENCHES[bench])
                pairs = [(ours(pool, tokens, bench), theirs(programs)) for _ in range(PAIRS)]
            our, their = (statistics.median(column) for column in zip(*pairs, strict=True))
            share = statistics.median(our / their for our, their in pairs)
            goal = {1: 0.95, 2: 0.85}[processes]
            print(f"{name}, {processes} process(es): hsmctl {our:,.0f}/s, C {their:,.0f}/s, ratio {share:.2f}", end="")
            print(f" (goal {goal})")


def ours(pool: ThreadPoolExecutor, tokens: list[Token], name: str) -> float:
    speed = together(list(pool.map(lambda ready: ready.speed.measure(BENCHES[name], SECONDS, 1), tokens)))
    return speed.count / speed.seconds


def theirs(programs: list[subprocess.Popen[str]]) -> float:
    for each in programs:
        each.stdin.write("\n")
        each.stdin.flush()
    return sum(float(each.stdout.readline()) for each in programs)


@contextmanager
def signing_in_c(program: Path, configuration: Path, kind: str) -> Iterator[subprocess.Popen[str]]:
    """The program, logged in and with a key."""
    command, environ = [program, MODULE, "bench", PIN, kind, str(SECONDS)], {"SOFTHSM2_CONF": str(configuration)}
    piped = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE}
    with subprocess.Popen(command, env={**os.environ, **environ}, text=True, **piped) as running:
        yield running
        running.stdin.close()


def opened(folder: Path, configuration: Path) -> AbstractContextManager[Token]:
    user, _, password = PIN.partition(":")
    address = f"module:{MODULE}?token=bench&env=SOFTHSM2_CONF%3D{configuration}"
    tokens = AgentTokens(SystemClock(), folder / "locks")
    return tokens.open(Replica(name="bench", address=address), Login(user, Secret(password)), time.monotonic() + 300)


def spec(kind: str, size: str) -> KeySpec:
    attributes = {"secret": {"encrypt": True}}
    return KeySpec(kind=KeyKind(kind), size=size, label=kind.encode(), key_id=b"\1", attributes=attributes)


def token(folder: Path) -> Path:
    (folder / "tokens").mkdir(parents=True)
    configuration = folder / "softhsm2.conf"
    configuration.write_text(f"directories.tokendir = {folder / 'tokens'}\n")
    command = ["softhsm2-util", "--init-token", "--free", "--label", "bench", "--so-pin", "12345678", "--pin", PIN]
    subprocess.run(command, env={**os.environ, "SOFTHSM2_CONF": str(configuration)}, check=True, capture_output=True)
    return configuration


def copies(original: Path) -> None:
    """As many objects as there are to be, by their files."""
    for _ in range(OBJECTS - 1):
        copy = original.with_name(f"{uuid.uuid4()}.object")
        shutil.copyfile(original, copy)
        copy.with_suffix(".lock").touch()


def built(folder: Path, name: str) -> Path:
    source = ROOT / "scripts" / "bench.d" / f"{name}.c"
    subprocess.run(["gcc", "-O2", "-w", "-o", str(folder / name), str(source), "-ldl"], check=True)
    return folder / name


def timed(command: list[str], environ: dict[str, str]) -> float:
    began = time.perf_counter()
    subprocess.run(command, check=True, env=environ, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    return time.perf_counter() - began


def ratio(rounds: list[tuple[float, ...]], over: int, under: int) -> float:
    return statistics.median(each[over] / each[under] for each in rounds)


CONFIG = """
[context.bench]
[[context.bench.tokens]]
name = "bench"
label = "bench"
module = "{module}"
user = "ops_cu"
password = {{ file = "{pin}" }}
"""

if __name__ == "__main__":
    main()
