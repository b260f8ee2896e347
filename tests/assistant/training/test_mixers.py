"""Every mixer stands in a model of the default's shape, sees nothing of the future, and learns."""

from __future__ import annotations

import json

import pytest
import torch

from assistant.training import mixers


@pytest.mark.parametrize("name", mixers.MIXERS)
def test_the_model_with_it_is_causal_and_all_its_weights_learn(name: str) -> None:
    made = mixers.model(name).eval()
    with torch.no_grad():
        for parameter in made.parameters():
            parameter.add_(torch.randn(parameter.shape, generator=torch.Generator().manual_seed(1)) * 0.05)
    given = torch.randint(256, (2, 40), generator=torch.Generator().manual_seed(2))
    other = torch.cat((given[:, :20], (given[:, 20:] + 1) % 256), dim=1)
    out = made(given)
    torch.testing.assert_close(made(other)[:, :20], out[:, :20], rtol=1e-3, atol=1e-3)
    out.logsumexp(-1).sum().backward()
    still = [key for key, p in made.named_parameters() if p.grad is None or not p.grad.abs().sum()]
    # k-means moves its centroids without a gradient.
    assert all("centroids" in key for key in still), still


def test_each_curve_is_one_line_and_falls(capsys: pytest.CaptureFixture[str]) -> None:
    assert mixers.main(["lightning", "--steps", "2"]) == 0
    row = json.loads(capsys.readouterr().out)
    assert row["mixer"] == "lightning"
    assert [step for step, _ in row["curve"]] == [0, 1, 2]
    assert row["curve"][-1][1] < row["curve"][0][1]


def test_an_unknown_name_is_an_error_that_names_it() -> None:
    with pytest.raises(SystemExit):
        mixers.main(["sofmax"])
