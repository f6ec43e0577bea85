"""Programs in other languages under clients/, with the libraries they need.

The npm ones are installed by `npm ci` into a copy under build/, once, from the
lock file that is checked in.
"""
import filecmp
import os
import shutil
import subprocess

from . import ROOT
from .testing import Skip

CLIENTS = os.path.join(ROOT, "tests", "cluster", "clients")
INSTALLED = os.path.join(ROOT, "build", "cluster-clients")
MANIFESTS = ("package.json", "package-lock.json")


def install_once():
    """`npm ci`, unless what is installed is what the lock file says."""
    if shutil.which("npm") is None:
        raise Skip("npm is not installed")
    done = os.path.join(INSTALLED, "installed")
    os.makedirs(INSTALLED, exist_ok=True)
    if os.path.exists(done) and all(
            filecmp.cmp(os.path.join(CLIENTS, name), os.path.join(INSTALLED, name), shallow=False)
            for name in MANIFESTS):
        return
    for name in MANIFESTS:
        shutil.copy(os.path.join(CLIENTS, name), INSTALLED)
    result = subprocess.run(["npm", "ci", "--no-audit", "--no-fund"], cwd=INSTALLED,
                            capture_output=True, text=True, timeout=300)
    assert result.returncode == 0, "npm ci failed:\n" + result.stdout + result.stderr
    open(done, "w").close()


def run_script(t, program, name, *words):
    """Run the script NAME with keyway's port and WORDS; it must end with the line "ok"."""
    result = subprocess.run([program, name, str(t.keyway.port), *map(str, words)],
                            capture_output=True, text=True, timeout=60 * t.patience)
    assert result.returncode == 0 and result.stdout.endswith("ok\n"), \
        "%s:\n%s%s" % (name, result.stdout, result.stderr)


def run_node_script(t, name, *words):
    install_once()
    shutil.copy(os.path.join(CLIENTS, name), INSTALLED)    # beside its node_modules
    run_script(t, "node", os.path.join(INSTALLED, name), *words)
