"""Copies of a process that share its jobs; in a process of their own, for the tests' own has threads."""

from __future__ import annotations

import subprocess
import sys
from textwrap import dedent

import pytest

from tests.repo.tree import ROOT

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="a process is copied on Linux only")

BEGIN = """
import os, time
from assistant.cancel import Cancel, Cancelled
from assistant.review.crew import Crew

ME = os.getpid()
"""
ALL = """
def all_of(crew, jobs, work):
    made = []
    for job in range(jobs):
        found = None if crew.takes(job) else crew.made(job, Cancel())
        made.append(work(job) if found is None else found)
    crew.close()
    return made
"""


def run(code: str) -> str:
    """What a program prints; the processes that it started are gone when it ends."""
    program = BEGIN + ALL + dedent(code)
    done = subprocess.run([sys.executable, "-c", program], cwd=ROOT, capture_output=True, text=True, timeout=60, check=True)
    return done.stdout.strip()


def test_every_job_is_done_once_by_somebody_and_answered_in_order() -> None:
    said = run("""
        def work(job):
            time.sleep(0.01)
            return job * job, os.getpid()
        crew = Crew(work, 40, 2)
        made = all_of(crew, 40, work)
        assert [square for square, _ in made] == [job * job for job in range(40)]
        print(len({pid for _, pid in made}), made[0][1] == ME, made[-1][1] != ME)
    """)
    assert said in ("3 True True", "2 True True")


def test_an_answer_of_any_size_comes_whole() -> None:
    assert run("print(len(all_of(Crew(lambda job: 'x' * 3_000_000, 1, 1), 1, lambda job: 'x' * 3_000_000)[0]))") == "3000000"


@pytest.mark.parametrize("ending", ["os._exit(1)", "1 / 0", "os.kill(os.getpid(), 9)"])
def test_a_helper_that_dies_leaves_its_work_to_its_maker(ending: str) -> None:
    said = run(f"""
        def work(job):
            if os.getpid() != ME and job == 5:
                {ending}
            return job
        crew = Crew(work, 8, 1)
        time.sleep(0.3)
        print(all_of(crew, 8, work))
    """)
    assert said == str(list(range(8)))


def test_who_cancels_does_not_wait_and_leaves_nobody_behind() -> None:
    said = run("""
        crew = Crew(lambda job: time.sleep(60), 2, 1)
        time.sleep(0.2)
        cancel = Cancel()
        cancel.set()
        try:
            crew.made(1, cancel)
        except Cancelled:
            crew.close()
            print("left")
        try:
            os.waitpid(-1, os.WNOHANG)
        except ChildProcessError:
            print("alone")
    """)
    assert said == "left\nalone"


def test_a_shared_review_says_what_one_alone_says() -> None:
    said = run("""
        from assistant.cancel import Cancel
        from assistant.review.changes import of_texts
        from assistant.review.dismissed import Memory
        from assistant.review.project import TextsProject, changed_texts
        from assistant.review.rules import ALL
        from assistant.review.service import Reviewer

        bad = "def f{0}(item, into=[]):\\n    into.append(item)\\n    print(lost{0})\\n"
        good = "lost{0} = 1\\ndef f{0}(item, into):\\n    into.append(item)\\n    print(lost{0})\\n"
        change = of_texts({f"m{k}.py": (good.format(k), bad.format(k)) for k in range(30)})
        said = []
        for count in (0, 2):
            reviewer = Reviewer(change, TextsProject(changed_texts(change)), ALL, Memory(None), Cancel())
            reviewer.share(count)
            streamed = [one.finding for one in reviewer.stream()]
            review = reviewer.finish()
            said.append((streamed, review.comments, review.hidden, review.skipped))
        print(said[0] == said[1], len(said[0][0]) > 2, len(said[0][2]) > 2)
    """)
    assert said == "True True True"
