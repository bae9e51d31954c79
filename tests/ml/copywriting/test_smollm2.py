"""The set-up of the real language model, and its copy."""

import json
from pathlib import Path

import pytest

from ml import prepare_models
from ml.copywriting import smollm2
from ml.copywriting.ad_copy import AdFacts
from ml.copywriting.generation import Ad, write_all
from ml.copywriting.guards import failed_guards
from ml.copywriting.language_model import LanguageModel
from ml.copywriting.lexicon import load_lexicon
from schemas.runtime.errors import ConfigError

pytestmark = pytest.mark.slow

ADS = [
    Ad("0" * 64, "1", AdFacts("Alien", 1979, ("Horror", "Sci-Fi"), "The Terminator")),
    Ad("1" * 64, "2", AdFacts("Toy Story", 1995, ("Animation", "Comedy"))),
    Ad("2" * 64, "1", AdFacts("Alien", 1979, ("Horror", "Sci-Fi"), "The Terminator")),
    Ad("3" * 64, "3", AdFacts("Microcosmos")),
]


def test_an_unprepared_model_is_one_clear_error() -> None:
    with pytest.raises(ConfigError, match=r"is not prepared; at .*smollm2; run `python -m ml.prepare_models`"):
        smollm2.language_model_folder()


def test_another_model_needs_no_preparation(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("CLICKWRIGHT_LANGUAGE_MODEL", str(tmp_path))
    assert smollm2.language_model_folder() == tmp_path
    assert prepare_models.main([])["language_model"] == str(tmp_path)
    with pytest.raises(
        ConfigError, match=f"the language model cannot be read .*; at {tmp_path}; run `python -m ml.prepare_models`"
    ):
        LanguageModel(tmp_path)


def test_prepare_makes_a_complete_folder_once(prepared: Path) -> None:
    assert {"config.json", "model.safetensors", "tokenizer.json", "chat_template.jinja", smollm2.MARKER} <= {
        path.name for path in prepared.iterdir()
    }
    assert "quantization_config" not in json.loads((prepared / "config.json").read_text())
    assert [path.name for path in prepared.parent.iterdir()] == [prepared.name]
    again = smollm2.prepare(prepared)
    assert again["made_now"] is False
    assert again["parameters"] == 134_515_008


def test_copy_depends_on_facts_and_seed_alone(prepared: Path) -> None:
    lexicon = load_lexicon()
    model = LanguageModel(prepared)
    written, figures = write_all(ADS, model, [lexicon], seed=7)
    assert [one.ad for one in written] == ADS
    assert figures["by_language_model"] >= 3
    assert all(failed_guards(one.copy, one.ad.facts, lexicon) == [] for one in written)
    assert written[0].copy == written[2].copy  # the same facts
    alone, _ = write_all(ADS[1:2], model, [lexicon], seed=7)
    assert alone[0].copy == written[1].copy


def test_template_replaces_unguided_copy(prepared: Path) -> None:
    lexicon = load_lexicon()
    written, figures = write_all(ADS[:1], LanguageModel(prepared), [lexicon], seed=7, guided=False)
    assert figures["texts_tried"] == 3
    assert [(one.origin, one.copy.headline) for one in written] == [("template", "Alien: a horror film")]
    assert written[0].copy.body == "From 1979, close to The Terminator."
    assert figures["failed_checks"]["plain_words"] == 3
