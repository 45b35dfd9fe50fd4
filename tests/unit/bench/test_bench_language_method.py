"""llm-only: what a model says becomes feasible shares or nothing; who is not there is named."""

from __future__ import annotations

import json
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from planner_peers import measured_frame

from twm.core.frames import FrameArrays
from twm.core.network import NetworkSpec
from twm.core.template_prompt import state_text, template_messages
from twm_bench.methods.catalogue import METHODS
from twm_bench.methods.language import LlmOnly, read_answer
from twm_bench.methods.method import AbsentError, ModelFolders, Task
from twm_train.in_process import Decided, play, uniform_shares
from twm_twin.seeds import seeds

SEED = seeds("validation", 1, 0x7900)[0]


@contextmanager
def endpoint(say: Callable[[dict[str, Any]], str]) -> Iterator[str]:
    """An OpenAI-compatible server on loopback whose answers a test writes; its base URL."""

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
            answer = {"choices": [{"message": {"role": "assistant", "content": say(body)}}]}
            data = json.dumps(answer).encode()
            self.send_response(200)
            self.send_header("Content-Length", str(len(data)))
            self.end_headers()
            self.wfile.write(data)

        def log_message(self, format: str, *args: Any) -> None: ...

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_address[1]}/v1"
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


def task(spec: NetworkSpec, url: str) -> Task:
    folders = ModelFolders(zoo=Path("nowhere"), llm_url=url, llm_model="m")
    return Task(spec=spec, variant="history", scenario="hotspot-id", seeds=(SEED,), folders=folders)


def played(spec: NetworkSpec, say: Callable[[dict[str, Any]], str]) -> list[Decided]:
    """The decisions of one horizon."""
    seen: list[Decided] = []
    with endpoint(say) as url:
        method = METHODS["llm-only"].prepare(task(spec, url))

        def decide(observed: Any) -> Decided:
            if len(seen) >= 3:  # a few decisions tell
                return uniform_shares(observed)
            seen.append(method.decide(observed))
            return seen[-1]

        play(spec, decide, [SEED], ["hotspot-id"])
    return seen


def test_templates_of_the_model_become_feasible_shares(spec: NetworkSpec) -> None:
    asked: list[dict[str, Any]] = []

    def say(body: dict[str, Any]) -> str:
        asked.append(body)
        floor = {"name": "urllc_floor", "scope": "hospital", "amount": 0.35, "steps": 2}
        shed = {"name": "shed_embb", "scope": "", "amount": 0.3, "steps": 2}
        return json.dumps({"templates": [shed, floor]})

    first, *_ = played(spec, say)
    assert first.notes_B == ["shed_embb+urllc_floor"]
    prb = first.prb_share_BCS[0]
    assert (prb[:4, 1] > 0.4).all()
    assert (prb[4:, 0] < 1 / 3).all()
    assert prb.sum(-1).max() <= 1 + 1e-5
    assert prb.min() >= 0.05 - 1e-5
    assert asked[1]["response_format"]["json_schema"]["schema"]["properties"]["templates"]["maxItems"] == 2


@pytest.mark.parametrize(
    ("text", "note"),
    [
        ("I would rather talk about the weather.", "held (no usable templates)"),
        ('{"templates": []}', "held (no usable templates)"),
        (
            '{"templates": [{"name": "boost_zone", "scope": "atlantis", "amount": 0.1, "steps": 1}]}',
            "held (no usable templates)",
        ),
        (
            '{"templates": [{"name": "boost_zone", "scope": "hospital", "amount": 7, "steps": 1}, 5]}',
            "held (no usable templates)",
        ),
    ],
)
def test_what_is_of_no_use_holds_the_shares(spec: NetworkSpec, text: str, note: str) -> None:
    assert read_answer(text, spec) == ((), note)
    decided = played(spec, lambda _: text)
    for one in decided:
        assert one.notes_B == [note]
        np.testing.assert_allclose(one.prb_share_BCS, 1 / 3, atol=1e-5)


def test_who_has_no_model_is_told_how_to_get_one(spec: NetworkSpec, free_port: Callable[[], int]) -> None:
    with pytest.raises(AbsentError, match=r"no language model: .*--llm-url"):
        LlmOnly(task(spec, ""))
    with pytest.raises(AbsentError, match=r"does not answer \(connection\)"):
        LlmOnly(task(spec, f"http://127.0.0.1:{free_port()}/v1"))


def test_the_state_in_words_holds_numbers_and_ids_only(spec: NetworkSpec) -> None:
    frame = measured_frame(spec, 3)
    frame.link_feature("up_ratio")[2] = 0.0
    frame.cell_slice_feature("e2e_delay_p99_ms")[0, 1] = np.nan
    text = state_text(frame, spec)
    lines = text.splitlines()
    assert [line.split(":")[0] for line in lines] == [
        "zone hospital",
        "zone corridor",
        "zone fwa-enterprises",
        "cell-6",
        "link up-3",
    ]
    assert "urllc load 0.13 share 0.33 lost 0.10 delay 0.1 of 20 ms" in lines[0]
    assert lines[-1] == "link up-3: down"
    chat = template_messages(frame, spec, ["field_risk hospital 1.20"])
    assert chat[1]["content"].endswith("Signs of trouble: field_risk hospital 1.20")
    nothing = state_text(FrameArrays.missing(spec, 3), spec)
    assert "embb load ? share ? lost ?" in nothing
