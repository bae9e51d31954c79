"""Titles as they are said in a sentence: without the year, the article in front."""

import re

LONGEST_TITLE = 50  # so that a headline has room for a word beside it

ARTICLES = r"The|A|An|Le|La|Les|L'|Il|El|Los|Las|Das|Der|Die|De|Het"


def spoken_title(title: str) -> str:
    """A catalogue's title as one says it, cut at a natural place when it is too long for a headline.

    >>> spoken_title("Usual Suspects, The (1995)")
    'The Usual Suspects'
    >>> spoken_title("Shanghai Triad (Yao a yao yao dao waipo qiao)")
    'Shanghai Triad'
    >>> spoken_title("Unbearable Lightness of Being, The")
    'The Unbearable Lightness of Being'
    """
    plain = " ".join("".join(c if c.isprintable() else " " for c in title).split())
    plain = re.sub(r"\s*\([^()]*\)", "", plain).strip() or plain.strip("() ")
    plain = re.sub(rf"^(.*), ({ARTICLES})$", lambda m: f"{m[2]}{'' if m[2].endswith(chr(39)) else ' '}{m[1]}", plain)
    if len(plain) <= LONGEST_TITLE:
        return plain
    natural = [m.start() for m in re.finditer(r": | - |; |, ", plain) if 3 <= m.start() <= LONGEST_TITLE]
    return plain[: natural[-1]] if natural else plain[:LONGEST_TITLE].rsplit(" ", 1)[0]
