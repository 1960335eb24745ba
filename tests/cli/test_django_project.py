"""In a project of Django's, the command knows its settings and its models, as `manage.py` does."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

SETTINGS = """
INSTALLED_APPS = ["django.contrib.contenttypes"]
ACTIVE_WORKFLOW = {"STORE": "sqlite:///of_django.db"}
"""
MODULE = """
import active_workflow as aw
from django.contrib.contenttypes.models import ContentType

class Told(aw.Workflow):
    @aw.step
    def only(self): ...
"""


@pytest.fixture
def project(tmp_path: Path) -> Path:
    pytest.importorskip("django")
    (tmp_path / "conf.py").write_text(SETTINGS)
    (tmp_path / "told.py").write_text(MODULE)
    return tmp_path


def run(project: Path, *arguments: str, settings: str = "conf") -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "active_workflow", *arguments],
        cwd=project,
        env={**os.environ, "DJANGO_SETTINGS_MODULE": settings},
        capture_output=True,
        text=True,
        check=False,
    )


def test_models_are_ready_and_the_store_is_that_of_the_settings(project: Path) -> None:
    started = run(project, "start", "Told", "--module", "told")
    assert started.returncode == 0, started.stderr
    assert (project / "of_django.db").exists()
    assert started.stdout.strip() in run(project, "list").stdout


def test_settings_that_are_not_there_are_told(project: Path) -> None:
    asked = run(project, "list", settings="nowhere")
    assert asked.returncode == 1
    assert "No module named 'nowhere'" in asked.stderr
    assert "DJANGO_SETTINGS_MODULE=nowhere" in asked.stderr
