"""Each check on copy that it must refuse, and on copy that must pass."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ml.copywriting.ad_copy import AdFacts, Copy
from ml.copywriting.guards import GUARDS, failed_guards
from ml.copywriting.lexicon import lexicon_for, load_lexicon, packaged
from ml.copywriting.template import template
from ml.text.titles import spoken_title

ALIEN = AdFacts("Alien", 1979, ("Action", "Horror", "Sci-Fi", "Thriller"), "The Terminator")
GOOD = Copy(
    "Alien: a horror film for a quiet evening", "From 1979 comes a thriller, close to The Terminator. Press play tonight."
)


def failed(headline: str = GOOD.headline, body: str = GOOD.body, facts: AdFacts = ALIEN) -> list[str]:
    return failed_guards(Copy(headline, body), facts, load_lexicon())


def test_true_copy_passes_every_check() -> None:
    assert failed() == []
    assert len(GUARDS) == 13


@pytest.mark.parametrize(
    ("check", "headline", "body"),
    [
        ("fits", "Alien: " + "a thriller " * 6, GOOD.body),
        ("fits", GOOD.headline, ""),
        ("fits", GOOD.headline, "A thriller. " * 20),
        ("printable", "Alien: a\tthriller", GOOD.body),
        ("printable", "**Alien**", GOOD.body),
        ("printable", GOOD.headline, "A thriller , close to The Terminator."),
        ("whole_sentences", GOOD.headline, "A thriller of 1979, with"),
        ("whole_sentences", GOOD.headline, "A thriller for the. Press play."),
        ("names_the_title", "A horror film for a quiet evening", GOOD.body),
        ("no_unknown_names", GOOD.headline, "A thriller with Sigourney Weaver."),
        ("no_unknown_numbers", GOOD.headline, "A thriller from 1986."),
        ("no_unknown_numbers", "1979 aliens: Alien", GOOD.body),
        ("no_unknown_numbers", GOOD.headline, "A thriller for 2 evenings."),
        ("no_claims", "Alien, winner of an Oscar", GOOD.body),
        ("no_claims", GOOD.headline, "The best thriller of 1979."),
        ("no_claims", GOOD.headline, "A thriller, free tonight."),
        ("no_claims", GOOD.headline, "A thriller at half the price."),
        ("no_claims", GOOD.headline, "A thriller, 20% off."),
        ("no_claims", GOOD.headline, "A thriller by the director of The Terminator."),
        ("no_promises", GOOD.headline, "You will enjoy it tonight."),
        ("no_promises", GOOD.headline, "An evening of suspense, guaranteed."),
        ("no_prompt_echo", "Headline: Alien", GOOD.body),
        ("no_prompt_echo", GOOD.headline, "Kind: a thriller."),
        ("no_prompt_echo", GOOD.headline, "A thriller.<|im_end|>"),
        ("no_personal_data", GOOD.headline, "A thriller for 5feceb66ffc86f38."),
        ("no_personal_data", GOOD.headline, "A thriller for ann@example.org."),
        ("likeness_only", GOOD.headline, "A thriller with The Terminator."),
        ("likeness_only", "Alien: The Terminator", GOOD.body),
        ("plain_words", GOOD.headline, "A story of a crew that is hunted in space."),
        ("plain_words", "Alien: a comedy", GOOD.body),
        ("said_once", GOOD.headline, "A thriller for a thriller evening."),
        ("said_once", GOOD.headline, "A horror film for a quiet evening."),
        ("said_once", "Alien: Alien", GOOD.body),
    ],
)
def test_bad_copy_fails_its_check(check: str, headline: str, body: str) -> None:
    assert check in failed(headline, body)


def test_facts_may_look_like_claims() -> None:
    """A title's own words are facts, even if they look like claims."""
    facts = AdFacts("Best of the Best: 2 for Free", 1989, ("Action",), "Mr. Smith Goes to Washington")
    body = "An action film of 1989, one step from Mr. Smith Goes to Washington."
    assert failed("Best of the Best: 2 for Free, an action film", body, facts) == []


def test_one_title_may_contain_the_other() -> None:
    sequel = AdFacts("Toy Story 2", 1999, ("Comedy",), "Toy Story")
    assert failed("Toy Story 2, a comedy", "A comedy of 1999, close to Toy Story.", sequel) == []
    first = AdFacts("Toy Story", 1995, ("Comedy",), "Toy Story 2")
    assert failed("Toy Story, a comedy", "A comedy of 1995, close to Toy Story 2.", first) == []


@pytest.mark.parametrize(
    ("catalogue", "spoken"),
    [
        ("Usual Suspects, The (1995)", "The Usual Suspects"),
        ("Postino, Il", "Il Postino"),
        ("Avventura, L'", "L'Avventura"),
        ("American Werewolf in London, An", "An American Werewolf in London"),
        ("Shanghai Triad (Yao a yao yao dao waipo qiao)", "Shanghai Triad"),
        ("To Wong Foo, Thanks for Everything! Julie Newmar", "To Wong Foo, Thanks for Everything! Julie Newmar"),
        ("Star Trek VI: The Undiscovered Country and quite a few more words", "Star Trek VI"),
        ("(500)", "500"),
        ("  A\tB\n ", "A B"),
    ],
)
def test_spoken_titles(catalogue: str, spoken: str) -> None:
    assert spoken_title(catalogue) == spoken


def test_template_copy_passes_for_ordinary_items() -> None:
    for categories in ([], ["Sci-Fi"], ["Children's", "Comedy"], ["genre 7"]):
        for liked in (None, "The Terminator"):
            facts = AdFacts("Alien", 1979, tuple(categories), liked)
            assert failed_guards(template(facts, load_lexicon()), facts, load_lexicon()) == []


WORDS = st.text("abcdeXYZ'&:.!?,-() 0123456789é", min_size=1, max_size=80).filter(lambda t: any(c.isalnum() for c in t))


@given(
    title=WORDS.map(spoken_title).filter(lambda t: any(c.isalnum() for c in t)),
    year=st.none() | st.integers(1800, 2100),
    categories=st.lists(st.sampled_from(["Action", "Children's", "Drama", "Sci-Fi", "Home & Garden"]), unique=True, max_size=3),
    liked=st.none() | st.just("The Terminator"),
)
def test_template_copy_states_only_facts(title: str, year: int | None, categories: list[str], liked: str | None) -> None:
    facts = AdFacts(title, year, tuple(categories), liked)
    wrong = failed_guards(template(facts, load_lexicon()), facts, load_lexicon())
    assert not set(wrong) - {"printable", "said_once"}  # an odd title may fail these; then no copy is staged


TENT = AdFacts("Saltmere warm tent in sand", None, ("Outdoors", "Camping"), "Driftwell lantern, compact")


def test_products_have_words_of_their_own() -> None:
    lexicon = lexicon_for(TENT.categories, packaged())
    copy = Copy(f"{TENT.title}: camping for the weekend", "A product for camping, close to Driftwell lantern, compact.")
    assert failed_guards(copy, TENT, lexicon) == []
    assert "plain_words" in failed_guards(Copy(copy.headline, "A film for a quiet evening."), TENT, lexicon)
    assert failed_guards(template(TENT, lexicon), TENT, lexicon) == []
