"""The chunked loss and its gradient equal PyTorch's."""

import pytest
import torch
from torch.nn import functional as F

from ml.models.transformer import loss

pytestmark = pytest.mark.slow


def inputs(rows: int) -> tuple[torch.Tensor, ...]:
    torch.manual_seed(3)
    x, items, bias = torch.randn(rows, 8), torch.randn(50, 8), torch.randn(50)
    return x.requires_grad_(), items.requires_grad_(), bias.requires_grad_(), torch.randint(0, 50, (rows,))


def gradients(value: torch.Tensor, *of: torch.Tensor) -> list[torch.Tensor]:
    return list(torch.autograd.grad(3 * value, of))


@pytest.mark.parametrize("rows", [1, loss.ROWS_AT_ONCE, loss.ROWS_AT_ONCE + 5])
def test_float32_equals_pytorch(rows: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(loss, "multiplies_bfloat16", lambda device: False)
    x, items, bias, labels = inputs(rows)
    ours, theirs = loss.cross_entropy(x, items, bias, labels), F.cross_entropy(x @ items.T + bias, labels)
    torch.testing.assert_close(ours, theirs)
    for one, other in zip(gradients(ours, x, items, bias), gradients(theirs, x, items, bias), strict=True):
        torch.testing.assert_close(one, other)


def test_bfloat16_is_close_to_pytorch(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(loss, "multiplies_bfloat16", lambda device: True)
    x, items, bias, labels = inputs(40)
    ours, theirs = loss.cross_entropy(x, items, bias, labels), F.cross_entropy(x @ items.T + bias, labels)
    torch.testing.assert_close(ours, theirs, rtol=0.01, atol=0.01)
    for one, other in zip(gradients(ours, x, items, bias), gradients(theirs, x, items, bias), strict=True):
        torch.testing.assert_close(one, other, rtol=0.05, atol=0.02)


def test_loss_without_gradients() -> None:
    x, items, bias, labels = inputs(4)
    with torch.no_grad():
        torch.testing.assert_close(loss.cross_entropy(x, items, bias, labels), F.cross_entropy(x @ items.T + bias, labels))
