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


def check_folder(folder: Path, parameters: int) -> None:
    """A prepared folder is complete, and is not made again."""
    assert {"config.json", "model.safetensors", "tokenizer.json", "chat_template.jinja", smollm2.MARKER} <= {
        path.name for path in folder.iterdir()
    }
    assert "quantization_config" not in json.loads((folder / "config.json").read_text())
    assert {path.name for path in folder.parent.iterdir()} <= {folder.name, "made"}
    again = smollm2.prepare(folder)
    assert again["made_now"] is False
    assert again["parameters"] == parameters


def test_prepare_makes_a_complete_folder_once(
    tiny_language_model: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """With the weights of a tiny model; those of the packaged one are read in half a minute by the next test."""
    from transformers import AutoModelForCausalLM, AutoTokenizer

    parts = [of.from_pretrained(tiny_language_model, local_files_only=True) for of in (AutoTokenizer, AutoModelForCausalLM)]
    monkeypatch.setattr(smollm2, "read_gguf", lambda file: tuple(parts))
    assert smollm2.prepare(tmp_path / "models" / smollm2.FOLDER)["made_now"]
    check_folder(tmp_path / "models" / smollm2.FOLDER, parts[1].num_parameters())


@pytest.mark.long
def test_prepare_reads_the_packaged_model(prepared: Path) -> None:
    check_folder(prepared, 134_515_008)


@pytest.fixture(params=["tiny_language_model", pytest.param("prepared", marks=pytest.mark.long)])
def folder(request: pytest.FixtureRequest) -> Path:
    """The folder of a language model: untrained, or the packaged one."""
    found: Path = request.getfixturevalue(request.param)
    return found


def test_copy_depends_on_facts_and_seed_alone(folder: Path) -> None:
    lexicon = load_lexicon()
    model = LanguageModel(folder)
    written, figures = write_all(ADS, model, [lexicon], seed=7)
    assert [one.ad for one in written] == ADS
    assert figures["by_language_model"] >= 3
    assert all(failed_guards(one.copy, one.ad.facts, lexicon) == [] for one in written)
    assert written[0].copy == written[2].copy  # the same facts
    alone, _ = write_all(ADS[1:2], model, [lexicon], seed=7)
    assert alone[0].copy == written[1].copy


def test_template_replaces_unguided_copy(folder: Path) -> None:
    lexicon = load_lexicon()
    written, figures = write_all(ADS[:1], LanguageModel(folder), [lexicon], seed=7, guided=False)
    assert figures["texts_tried"] == 3
    assert [(one.origin, one.copy.headline) for one in written] == [("template", "Alien: a horror film")]
    assert written[0].copy.body == "From 1979, close to The Terminator."
    assert figures["failed_checks"]["plain_words"] == 3
