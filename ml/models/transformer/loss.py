"""Softmax cross-entropy over the whole catalogue, in chunks, with the gradient computed in the forward pass.

The scores of a batch against all items are by far the largest tensor of a training step. It never exists as a whole: a chunk of
rows is scored, turned into its gradient in place, and multiplied back (as in Apple's Cut Cross-Entropy, Wijmans et al., 2024).

Shapes: N labels, I items, D width.
"""

from typing import Any

import torch
from torch import Tensor

ROWS_AT_ONCE = 128


class _CrossEntropy(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, x_ND: Tensor, items_ID: Tensor, bias_I: Tensor, labels_N: Tensor, dtype: torch.dtype) -> Tensor:
        n = len(x_ND)
        items = items_ID.to(dtype)
        of_x, of_items, of_bias = torch.empty_like(x_ND), torch.zeros_like(items_ID), torch.zeros_like(bias_I)
        loss = x_ND.new_zeros(())
        for first in range(0, n, ROWS_AT_ONCE):
            chunk = slice(first, first + ROWS_AT_ONCE)
            x, label = x_ND[chunk].to(dtype), labels_N[chunk, None]
            p = (x @ items.T).float().add_(bias_I)  # scores here, probabilities below, then the gradient
            p.sub_(p.amax(dim=1, keepdim=True))
            own = p.gather(1, label)
            total = p.exp_().sum(dim=1, keepdim=True)
            loss += (total.log() - own).sum()
            p.div_(total).scatter_add_(1, label, torch.full_like(own, -1.0)).div_(n)
            of_bias += p.sum(dim=0)
            gradient = p.to(dtype)
            of_x[chunk] = gradient @ items
            of_items += gradient.T @ x
        ctx.save_for_backward(of_x, of_items, of_bias)
        return loss / n

    @staticmethod
    def backward(ctx: Any, *gradients: Tensor) -> tuple[Tensor | None, ...]:
        (outer,) = gradients
        return *(outer * inner for inner in ctx.saved_tensors), None, None


def cross_entropy(x_ND: Tensor, items_ID: Tensor, bias_I: Tensor, labels_N: Tensor) -> Tensor:
    """Mean of -log softmax(x · items + bias) at the labels; products in bfloat16 where it is fast, sums in float32.

    Args:
        x_ND: states, float32.
        items_ID: item vectors, float32.
        bias_I: item biases, float32.
        labels_N: indices of the right items, int64.
    """
    if not torch.is_grad_enabled():
        return torch.nn.functional.cross_entropy((x_ND @ items_ID.T + bias_I).float(), labels_N)
    dtype = torch.bfloat16 if multiplies_bfloat16(x_ND.device) else torch.float32
    loss: Tensor = _CrossEntropy.apply(x_ND, items_ID, bias_I, labels_N, dtype)  # type: ignore[no-untyped-call]
    return loss


def multiplies_bfloat16(device: torch.device) -> bool:
    """Whether bfloat16 products are fast on this device; elsewhere they are emulated, and slower than float32."""
    if device.type == "cuda":
        return bool(torch.cuda.is_bf16_supported())
    return device.type == "cpu" and bool(torch.cpu._is_avx512_bf16_supported())
