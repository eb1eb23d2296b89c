from __future__ import annotations

import shutil
import subprocess
from pathlib import Path

import pytest

DOCTOR = Path(__file__).parents[2] / "tools" / "doctor.sh"


@pytest.fixture
def bare_path(tmp_path: Path) -> Path:
    """Returns a folder for PATH with the shell's helpers and nothing that compiles."""
    folder = tmp_path / "bin"
    folder.mkdir()
    for name in ("bash", "env", "id", "sort", "head", "cut"):
        found = shutil.which(name)
        assert found is not None
        (folder / name).symlink_to(found)
    return folder


def program(folder: Path, name: str, script: str) -> None:
    path = folder / name
    path.write_text(f"#!{folder}/bash\n{script}\n")
    path.chmod(0o755)


def doctor(path: Path) -> subprocess.CompletedProcess[str]:
    command = [str(path / "bash"), str(DOCTOR)]
    return subprocess.run(command, env={"PATH": str(path)}, capture_output=True, text=True, check=False)


def test_all_that_is_missing_is_named_at_once_with_the_way_to_get_it(bare_path: Path) -> None:
    done = doctor(bare_path)
    assert done.returncode == 2
    assert done.stdout == ""
    for named in ("Python 3.11 or newer", "apt-get install python3", "Rust 1.95", "rustup.rs", "C compiler"):
        assert named in done.stderr


def test_an_old_rust_and_a_python_without_venv_are_named(bare_path: Path) -> None:
    program(bare_path, "rustc", 'echo "rustc 1.63.0 (4b91a6ea7 2022-08-08)"')
    for name in ("cargo", "cc"):
        program(bare_path, name, "exit 0")
    # A Python new enough that has no venv module: Debian's before python3-venv is installed.
    program(bare_path, "python3", '[[ "$2" != *venv* ]]')
    done = doctor(bare_path)
    assert done.returncode == 2
    assert "found: 1.63.0" in done.stderr
    assert "rustup update" in done.stderr
    assert "python3-venv" in done.stderr
    assert "C compiler" not in done.stderr


def test_a_machine_that_has_everything_is_told_which_python_to_use(bare_path: Path) -> None:
    program(bare_path, "rustc", 'echo "rustc 1.100.0 (0 2027-01-01)"')
    for name in ("cargo", "cc", "python3"):
        program(bare_path, name, "exit 0")
    done = doctor(bare_path)
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout == f"{bare_path / 'python3'}\n"
