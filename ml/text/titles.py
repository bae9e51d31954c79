"""Catalogue titles as used in a sentence: without the year, with the article in front."""

import re

LONGEST_TITLE = 50  # leaves room for other words in a headline

ARTICLES = r"The|A|An|Le|La|Les|L'|Il|El|Los|Las|Das|Der|Die|De|Het"


def spoken_title(title: str) -> str:
    """A catalogue title as it is spoken, cut at punctuation if it is too long for a headline.

    >>> spoken_title("Usual Suspects, The (1995)")
    'The Usual Suspects'
    >>> spoken_title("Shanghai Triad (Yao a yao yao dao waipo qiao)")
    'Shanghai Triad'
    >>> spoken_title("Unbearable Lightness of Being, The")
    'The Unbearable Lightness of Being'
    >>> spoken_title("Dr. Strangelove or: How I Learned to Stop Worrying and Love the Bomb (1963)")
    'Dr. Strangelove or'
    """
    plain = " ".join("".join(c if c.isprintable() else " " for c in title).split())
    plain = re.sub(r"\s*\([^()]*\)", "", plain).strip() or plain.strip("() ")
    plain = re.sub(rf"^(.*), ({ARTICLES})$", lambda m: f"{m[2]}{'' if m[2].endswith(chr(39)) else ' '}{m[1]}", plain)
    if len(plain) <= LONGEST_TITLE:
        return plain
    natural = [m.start() for m in re.finditer(r": | - |; |, ", plain) if 3 <= m.start() <= LONGEST_TITLE]
    return plain[: natural[-1]] if natural else plain[:LONGEST_TITLE].rsplit(" ", 1)[0]
