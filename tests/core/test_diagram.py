"""Plans and the table of moves as Mermaid."""

from active_workflow.core.diagram import escaped, moves_diagram, plan_diagram
from active_workflow.core.moves import MOVES
from tests.core.making import Story, call, chain, detached, external, plan, signal, sleep, step


def test_a_plan_shows_its_kinds_groups_undos_and_its_pivot() -> None:
    flow = plan(
        call("a"), external("b", after=("a",)), step("c", "a"), signal("go", "yes", "no", after=("b", "c")),
        sleep("nap", after=("go",)), step("p", "nap", pivot=True), detached("mail", after=("p",)),
    )  # fmt: skip
    assert plan_diagram(flow) == (
        "flowchart TD\n"
        '    s0["a<br/>↩ undo"]\n'
        '    subgraph g1["side by side"]\n'
        '        s1[["b<br/>waits for completion<br/>↩ undo"]]\n'
        '        s2["c"]\n'
        "    end\n"
        '    s3{{"go<br/>waits for yes or no"}}\n'
        '    s4(["nap<br/>sleeps"])\n'
        '    s5["p<br/>point of no return"]\n'
        '    s6>"mail<br/>nobody waits for it"]\n'
        "    s0 --> s1\n    s0 --> s2\n    s1 --> s3\n    s2 --> s3\n"
        "    s3 --> s4\n    s4 --> s5\n    s5 --> s6\n"
        "    classDef pivot stroke-width:4px\n"
        "    class s5 pivot\n"
    )


def test_an_execution_colours_its_steps() -> None:
    story = Story(chain("a", "b", "c")).does("a").start("b")
    lines = plan_diagram(story.x.plan, story.x).splitlines()
    assert lines[-6:] == [
        "    classDef completed fill:#d3f9d8,stroke:#2b8a3e",
        "    classDef pending fill:#fff,stroke:#999",
        "    classDef running fill:#cfe8ff,stroke:#1c7ed6",
        "    class s0 completed", "    class s1 running", "    class s2 pending",
    ]  # fmt: skip


def test_names_are_shown_and_never_read_as_markup() -> None:
    assert escaped('<b>"x" & `y`#\n\\') == "#lt;b#gt;#quot;x#quot; #amp; #96;y#96;#35; #92;"
    assert '["#lt;script#gt;"]' in plan_diagram(plan(step("<script>")))


def test_the_table_is_drawn_whole() -> None:
    text = moves_diagram()
    assert text.startswith("stateDiagram-v2\n    [*] --> pending\n")
    assert text.count("-->") == 1 + sum(len(to) for moves in MOVES.values() for to in moves.values())
    assert "    pending --> running: start\n" in text
