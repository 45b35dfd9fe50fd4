"""KpiFrame packing: what is missing stays missing, and what does not fit the spec is refused."""

import numpy as np
import pytest

from twm.core.errors import FrameError
from twm.core.frames import BLOCKS, FrameArrays, FrameCodec, block_shapes
from twm.core.network import load_network
from twm.core.paths import find_network
from twm.core.validation import validate


@pytest.fixture(scope="module", params=["poc-city", "explora-cell"])
def network(request: pytest.FixtureRequest):
    return load_network(find_network(request.param))


def random_frame(network, seed: int = 1) -> FrameArrays:
    rng = np.random.default_rng(seed)
    frame = FrameArrays.missing(network, 29_000_000)
    for name, shape in block_shapes(network).items():
        values = rng.uniform(0, 1000, shape).astype(np.float32)
        values[rng.random(shape) < 0.2] = np.nan
        setattr(frame, name, values)
    return frame


def test_round_trip_keeps_values_and_gaps(network) -> None:
    codec = FrameCodec(network)
    frame = random_frame(network)
    message = codec.encode(frame)
    validate(message)
    back = codec.decode(type(message).FromString(message.SerializeToString()))
    assert back.step == frame.step and back.start_s == frame.start_s
    for name in BLOCKS:
        np.testing.assert_array_equal(getattr(back, name), getattr(frame, name))


def test_zero_is_not_missing(network) -> None:
    codec = FrameCodec(network)
    frame = FrameArrays.missing(network, 3)
    frame.cell[0, 0] = 0.0
    back = codec.decode(codec.encode(frame))
    assert back.cell[0, 0] == 0.0
    assert np.isnan(back.cell[0, 1:]).all() and np.isnan(back.cell_slice).all()


def test_infinity_and_wrong_shape_are_refused(network) -> None:
    codec = FrameCodec(network)
    frame = random_frame(network)
    frame.cell[0, 0] = np.inf
    with pytest.raises(FrameError, match="infinite"):
        codec.encode(frame)
    frame = random_frame(network)
    frame.cell = frame.cell[:, :1]
    with pytest.raises(FrameError, match="cell: shape"):
        codec.encode(frame)


@pytest.mark.parametrize(
    ("field", "value", "said"),
    [
        ("area_id", "elsewhere", "area_id: 'elsewhere'"),
        ("schema_id", "kpi-frame/99", "schema_id"),
        ("topology_digest", "0" * 64, "topology_digest"),
        ("mask", b"\xff", "mask bytes"),
    ],
)
def test_foreign_frames_are_refused(network, field: str, value: object, said: str) -> None:
    message = FrameCodec(network).encode(random_frame(network))
    setattr(message, field, value)
    with pytest.raises(FrameError, match=said):
        FrameCodec(network).decode(message)


def test_non_finite_and_missing_columns_are_refused(network) -> None:
    codec = FrameCodec(network)
    message = codec.encode(random_frame(network))
    message.values[5] = float("nan")
    with pytest.raises(FrameError, match="not finite at index 5"):
        codec.decode(message)
    message = codec.encode(random_frame(network))
    del message.values[-1]
    with pytest.raises(FrameError, match="expected"):
        codec.decode(message)


def test_frame_of_another_network_is_refused() -> None:
    city, cell = (load_network(find_network(n)) for n in ("poc-city", "explora-cell"))
    with pytest.raises(FrameError):
        FrameCodec(cell).decode(FrameCodec(city).encode(random_frame(city)))
