"""The sequential recommender: causality, padding, text, context, learning, and the saved format."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch

from ml.data.catalog import Catalog
from ml.data.splits import Split
from ml.evaluation.evaluate import evaluate
from ml.models.transformer.initialization import initialise, launch_share, pair_vectors
from ml.models.transformer.network import IGNORED_LABEL, SequenceConfig, SequenceModel
from ml.models.transformer.recommender import Transformer
from ml.models.transformer.sequences import HOUR_US, LengthBucketSampler, Windows, case_windows, sequence
from tests.ml.conftest import tiny

pytestmark = pytest.mark.slow

SMALL = {"width": 16, "max_length": 16, "batch_size": 16, "learning_rate": 1e-2}


@pytest.fixture
def network() -> SequenceModel:
    torch.manual_seed(0)
    model = SequenceModel(SequenceConfig(n_items=9, width=8, max_length=6, text_width=4))
    model.item_text.normal_()
    model.train(False)
    return model


def batch(*rows: list[int]) -> dict[str, torch.Tensor]:
    ids = torch.tensor(rows)
    return {"item_ids": ids, **{name: torch.zeros_like(ids) for name in ("hour", "weekday", "gap")}}


def test_padding_changes_nothing(network: SequenceModel) -> None:
    with torch.no_grad():
        short = network(**batch([10, 3, 4])).logits
        long = network(**batch([10, 3, 4, 9, 9, 9])).logits
    torch.testing.assert_close(short, long)


def test_the_future_changes_nothing(network: SequenceModel) -> None:
    items = network.item_vectors()
    with torch.no_grad():
        one = network.hidden(**batch([10, 3, 4, 5]), items_ID=items)
        other = network.hidden(**batch([10, 3, 4, 8]), items_ID=items)
    torch.testing.assert_close(one[:, :3], other[:, :3])
    assert not torch.allclose(one[:, 3], other[:, 3])


def test_context_and_text_change_scores(network: SequenceModel) -> None:
    with torch.no_grad():
        plain = network(**batch([10, 3, 4])).logits
        for name in ("hour", "weekday", "gap"):
            rows = batch([10, 3, 4])
            rows[name] += 2
            assert not torch.allclose(network(**rows).logits, plain), name
        network.item_text[3] += 1
        assert not torch.allclose(network(**batch([10, 3, 4])).logits, plain)


def test_the_loss_is_full_softmax_over_real_labels(network: SequenceModel) -> None:
    rows = batch([10, 3, 4], [10, 5, 9])
    labels = torch.tensor([[3, 4, 6], [5, 2, IGNORED_LABEL]])
    with torch.no_grad():
        loss = network(**rows, labels=labels).loss
        expected = [
            -network(**batch(prefix)).logits.log_softmax(-1)[0, label]
            for prefix, label in [([10], 3), ([10, 3], 4), ([10, 3, 4], 6), ([10], 5), ([10, 5], 2)]
        ]
    torch.testing.assert_close(loss, torch.stack(expected).mean())


def test_network_is_saved_in_transformers_format(network: SequenceModel, tmp_path: Path) -> None:
    network.save_pretrained(tmp_path)
    assert {p.name for p in tmp_path.iterdir()} == {"config.json", "model.safetensors"}
    loaded = SequenceModel.from_pretrained(tmp_path).train(False)
    assert loaded.config.width == 8
    with torch.no_grad():
        torch.testing.assert_close(loaded(**batch([10, 3])).logits, network(**batch([10, 3])).logits)
    for (name, one), (_, other) in zip(network.state_dict().items(), loaded.state_dict().items(), strict=True):
        torch.testing.assert_close(one, other, msg=name)


def test_sequence_has_ids_and_context() -> None:
    thursday_nine = 9 * HOUR_US  # 1970-01-01 was a Thursday
    row = sequence(np.array([4, 2, 7]), np.array([0, 3, 3 + 1023]) * 1_000_000 + thursday_nine, 8, 10)
    assert row["item_ids"].tolist() == [11, 4, 2, 7]
    assert row["hour"].tolist() == [0, 10, 10, 10]
    assert row["weekday"].tolist() == [0, 4, 4, 4]
    assert row["gap"].tolist() == [0, 0, 3, 11]  # 3 s: log2(4) + 1; 1023 s: log2(1024) + 1
    assert sequence(np.array([4, 2, 7]), None, 2, 10)["item_ids"].tolist() == [2, 7]
    assert sequence(np.array([], dtype=np.int32), None, 8, 10)["item_ids"].tolist() == [11]


def test_every_event_is_a_label_once() -> None:
    train, catalog = tiny([("ann", f"i{k}", k) for k in range(7)] + [("bob", "i3", 1)], [f"i{k}" for k in range(7)])
    windows = Windows(train, 3, len(catalog), unknown_times=0.0, seed=0)
    assert windows.lengths.tolist() == [3, 3, 1, 1]
    batch = windows.__getitems__([0, 1, 2, 3])
    none, mark, _ = IGNORED_LABEL, 8, 7  # 7 is padding
    assert batch["labels"].tolist() == [[4, 5, 6], [1, 2, 3], [0, none, none], [3, none, none]]
    assert batch["item_ids"].tolist() == [[3, 4, 5], [0, 1, 2], [mark, 7, 7], [mark, 7, 7]]
    assert batch["hour"].tolist() == [[1, 1, 1], [1, 1, 1], [0, 0, 0], [0, 0, 0]]
    assert batch["gap"].tolist() == [[2, 2, 2], [0, 2, 2], [0, 0, 0], [0, 0, 0]]  # one second
    assert windows.__getitems__([3])["labels"].tolist() == [[3]]


def test_windows_equal_parts_of_sequences(walk: Split) -> None:
    windows = Windows(walk.fit, 4, len(walk.catalog), unknown_times=0.0, seed=0)
    histories, times = walk.fit.histories(), walk.fit.times()
    assert times is not None
    batch = windows.__getitems__(range(len(windows)))
    for row in range(len(windows)):
        user, place, length = (int(values[row]) for values in (windows.user, windows.place, windows.lengths))
        whole = sequence(histories[user], times[user], len(histories[user]) + 1, len(walk.catalog))
        for name, values in whole.items():
            assert batch[name][row, :length].tolist() == values[place : place + length].tolist(), name


def test_order_groups_lengths_and_follows_seed_and_epoch() -> None:
    lengths = np.random.default_rng(0).integers(1, 50, 1003)
    order = LengthBucketSampler(lengths, 10, seed=1)
    first = list(order)
    assert sorted(first) == list(range(1003))
    assert list(order) == first
    batches = [lengths[first[i : i + 10]] for i in range(0, 1003, 10)]
    assert sum(int(batch.max()) * len(batch) for batch in batches) < 1.1 * lengths.sum()  # padded to the longest of a batch
    order.epoch = 1
    assert list(order) != first
    assert list(LengthBucketSampler(lengths, 10, seed=2)) != first


def test_case_windows_ask_every_query_once(walk: Split) -> None:
    cases = walk.validation
    windows = case_windows(cases, 6, 40)
    assert sorted(case for window in windows for case in window.cases) == list(range(len(cases)))
    for window in windows:
        ids = window.row["item_ids"].tolist()
        assert len(ids) <= 6
        for case, place in zip(window.cases, window.places, strict=True):
            before = [41, *cases.histories[case].tolist()]
            context = ids[: place + 1]
            assert before[-len(context) :] == context
            assert len(context) == len(before) or len(context) >= 4


def test_validation_ndcg_equals_evaluation_of_short_histories(walk: Split) -> None:
    model = Transformer(**SMALL, max_epochs=1).fit(walk.fit, walk.catalog, seed=1)
    whole = evaluate(model, walk.validation, walk.catalog, walk.fit.item_counts).metrics["ndcg_at_10"]
    assert model.validation_ndcg(walk.validation) == pytest.approx(whole)


def test_pair_vectors_of_low_rank_are_deterministic() -> None:
    train, _ = tiny([("ann", item, n) for n, item in enumerate("abcadbe")], [*"abcde", *(f"new {n}" for n in range(200))])
    vectors = pair_vectors(train, 64)
    assert np.isfinite(vectors).all()
    np.testing.assert_array_equal(vectors, pair_vectors(train, 64))


def test_pair_vectors_put_neighbours_together(walk: Split) -> None:
    vectors = pair_vectors(walk.refit, 8)
    unit = vectors / np.linalg.norm(vectors, axis=1, keepdims=True)
    cosine = unit @ unit.T
    near = np.mean([cosine[i, (i + 1) % 40] for i in range(40)])
    far = np.mean([cosine[i, (i + 20) % 40] for i in range(40)])
    assert near > far + 0.3


def test_validation_chooses_the_best_epoch(walk: Split) -> None:
    seen: list[tuple[int, dict[str, float]]] = []
    model = Transformer(**SMALL, max_epochs=5, patience=1).fit(
        walk.fit, walk.catalog, seed=1, validation=walk.validation, log=lambda v, e: seen.append((e, v))
    )
    judged = {epoch: row["validation_ndcg_at_10"] for epoch, row in seen if "validation_ndcg_at_10" in row}
    assert {epoch for epoch, row in seen if "loss" in row} == set(judged)
    best = max(judged, key=lambda epoch: (judged[epoch], -epoch))
    assert model.chosen == {"epochs": best}
    short: list[int] = []
    Transformer(**SMALL, max_epochs=5, epochs=2).fit(walk.refit, walk.catalog, seed=1, log=lambda _, epoch: short.append(epoch))
    assert short == [1, 2]


def test_unseen_item_is_ranked_by_text() -> None:
    """Users watch one of two genres; a new title ranks higher for the users of its genre."""
    texts = ["a submarine thriller"] * 6 + ["a garden romance"] * 6
    ids = [f"i{k:02d}" for k in range(12)]
    rng = np.random.default_rng(0)
    rows = []
    for user in range(60):
        met = rng.permutation(5) + 6 * (user % 2)  # the last item of each genre is never seen
        rows += [(f"u{user:02d}", ids[i], second) for second, i in enumerate(met)]
    train, _ = tiny(rows, ids)
    catalog = Catalog(ids, ids, [[] for _ in ids], texts)
    model = Transformer(**{**SMALL, "max_epochs": 20, "identity_dropout": 0.3}).fit(train, catalog, seed=0)
    thriller, romance = model.scores([np.array([0, 1]), np.array([6, 7])])
    assert thriller[5] > thriller[11]
    assert romance[11] > romance[5]


def test_unseen_item_starts_with_launch_share() -> None:
    """In 30 days an old item has one event an hour; an item launched on day 10 has every fourth event of its week."""
    rows = [("ann", "old", hour * 3600) for hour in range(30 * 24)]
    rows += [("bob", "launched", (10 * 24 + 3 * hour) * 3600) for hour in range(7 * 8)]
    train, catalog = tiny(rows, ["launched", "never", "old"])
    assert launch_share(train) == pytest.approx(0.25)
    network = SequenceModel(SequenceConfig(n_items=3, width=2, max_length=4, text_width=1))
    initialise(network, train, Catalog(catalog.item_ids, [""] * 3, [[], [], []], [""] * 3))
    assert network.bias.exp().tolist()[1] == pytest.approx(0.25)
    assert network.item_seen.tolist() == [1, 0, 1]
    assert launch_share(replace(train, timed=False)) == 1 / (len(train) + 3)


def test_unseen_item_is_not_a_negative(network: SequenceModel) -> None:
    network.item_seen[4] = 0
    rows, labels = batch([10, 3]), torch.tensor([[3, 6]])
    before = network(**rows, labels=labels).loss
    network.bias.data[4] += 5
    loss = network(**rows, labels=labels).loss
    torch.testing.assert_close(loss, before)
    loss.backward()
    assert network.bias.grad is not None
    assert network.bias.grad[4] == 0
    assert network.bias.grad[5] != 0
