"""What a record says of where it was made, and what machines that share a sweep must agree in."""

from __future__ import annotations

import hashlib
import platform
import resource
import subprocess
from datetime import UTC, datetime
from functools import cache
from pathlib import Path


def environment() -> dict[str, object]:
    """Versions, machine and commit, and the time now (UTC)."""
    return {**_fixed(), "started": datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")}


@cache
def _fixed() -> dict[str, object]:
    import numpy
    import torch

    return {
        "commit": git("rev-parse", "HEAD"),
        # of the code: a run of several suites writes the first one's report before the last runs
        "dirty": bool(
            git("status", "--porcelain", "--untracked-files=no", "--", ":/*.py", ":/*.toml")
        ),
        "python": platform.python_version(),
        "torch": torch.__version__,
        "numpy": numpy.__version__,
        "system": f"{platform.system()} {platform.machine()}",
        "cpu": _cpu(),
        "cpu_capability": torch.backends.cpu.get_cpu_capability(),
        "gpu": torch.cuda.get_device_name() if torch.cuda.is_available() else None,
        "cuda": torch.version.cuda,
        "threads": torch.get_num_threads(),
    }


@cache
def versions() -> dict[str, str]:
    """The code and the packages that decide numbers: all machines of a sweep must have the same.

    The build of torch may differ (``+cpu``, ``+cu126``): a GPU needs another one.
    """
    import numpy
    import torch

    root = Path(__file__).parent.parent
    digest = hashlib.sha256()
    for package in ("benchmarks", "techniques"):
        for path in sorted((root / package).rglob("*.py")):
            digest.update(f"{path.relative_to(root).as_posix()}\0".encode())
            digest.update(path.read_bytes().replace(b"\r\n", b"\n") + b"\0")
    return {
        "code": digest.hexdigest()[:12],
        "python": ".".join(platform.python_version_tuple()[:2]),
        "torch": torch.__version__.split("+")[0],
        "numpy": numpy.__version__,
    }


def git(*arguments: str, folder: Path = Path(__file__).parent) -> str | None:
    """Output of git in a folder, the project's; None where there is no git or no repository."""
    try:
        done = subprocess.run(
            ["git", *arguments],
            cwd=folder,
            capture_output=True,
            text=True,
            encoding="utf-8",
            errors="replace",  # an old file may be anything
            timeout=20,
        )
    except (OSError, subprocess.TimeoutExpired):
        return None
    return done.stdout.strip() if done.returncode == 0 else None


def peak_memory() -> int:
    """Bytes that this process has held at most."""
    try:  # getrusage would count what the process that started this one held
        lines = Path("/proc/self/status").read_text().splitlines()
        return 1024 * next(int(line.split()[1]) for line in lines if line.startswith("VmHWM"))
    except (OSError, StopIteration):
        unit = 1 if platform.system() == "Darwin" else 1024
        return unit * resource.getrusage(resource.RUSAGE_SELF).ru_maxrss


def _cpu() -> str:
    try:
        lines = Path("/proc/cpuinfo").read_text().splitlines()
        return next(
            line.split(":", 1)[1].strip() for line in lines if line.startswith("model name")
        )
    except (OSError, StopIteration):
        return platform.processor() or "unknown"
