"""The words of the simulated world. Brands, shops and people are invented; any resemblance to real ones is accidental."""

from dataclasses import dataclass


@dataclass(frozen=True)
class Topic:
    """A topic of interest: a category of the shop, its department, and words for its products."""

    name: str
    department: str
    nouns: tuple[str, ...]
    qualities: tuple[str, ...]
    uses: tuple[str, ...]
    price: float  # of a typical product, in euros


TOPICS = (
    Topic(
        "Running", "Sports",
        ("running shoes", "trail shoes", "running jacket", "running tights", "water belt", "head torch", "socks", "cap"),
        ("light", "cushioned", "breathable", "reflective", "waterproof", "quick-drying"),
        ("long Sunday runs", "muddy forest paths", "a first marathon", "short runs before work"), 70,
    ),
    Topic(
        "Camping", "Outdoors",
        ("two-person tent", "sleeping bag", "camping stove", "folding chair", "lantern", "hammock", "cool box", "ground mat"),
        ("compact", "sturdy", "warm", "windproof", "easy to carry", "quick to set up"),
        ("weekends by the lake", "festival nights", "high mountain huts", "family holidays"), 90,
    ),
    Topic(
        "Cooking", "Kitchen",
        ("cast iron pan", "chef's knife", "stock pot", "mixing bowl", "pepper mill", "baking tin", "chopping board", "whisk"),
        ("non-stick", "sharp", "heavy", "oven-safe", "easy to clean", "handmade"),
        ("slow Sunday stews", "quick weekday dinners", "baking with children", "a first kitchen"), 35,
    ),
    Topic(
        "Coffee and tea", "Kitchen",
        ("espresso machine", "hand grinder", "teapot", "milk jug", "moka pot", "kettle", "filter set", "travel mug"),
        ("quiet", "precise", "insulated", "elegant", "simple", "fast"),
        ("the first cup of the day", "afternoons with friends", "the office shelf", "slow mornings"), 60,
    ),
    Topic(
        "Gardening", "Home",
        ("pruning shears", "watering can", "raised bed", "garden hose", "herb seeds", "flower pots", "rake", "compost bin"),
        ("rustproof", "robust", "slim", "weatherproof", "ergonomic", "generous"),
        ("small balconies", "vegetable beds", "roses", "a garden that looks after itself"), 30,
    ),
    Topic(
        "Home office", "Furniture",
        ("desk lamp", "standing desk", "office chair", "monitor arm", "footrest", "document tray", "bookcase", "cable box"),
        ("adjustable", "plain", "solid", "space-saving", "silent", "well padded"),
        ("long working days", "narrow rooms", "shared flats", "video calls"), 120,
    ),
    Topic(
        "Headphones and speakers", "Electronics",
        ("wireless headphones", "earbuds", "shelf speaker", "radio", "record player", "sound bar", "microphone", "amplifier"),
        ("clear", "long-lasting", "noise-cancelling", "portable", "warm-sounding", "splashproof"),
        ("train journeys", "kitchen dancing", "late-night records", "quiet libraries"), 110,
    ),
    Topic(
        "Photography", "Electronics",
        ("camera bag", "tripod", "prime lens", "memory card", "instant camera", "lens filter", "photo printer", "camera strap"),
        ("steady", "compact", "bright", "padded", "fast", "all-metal"),
        ("street scenes", "night skies", "family albums", "macro shots of insects"), 130,
    ),
    Topic(
        "Board games", "Toys",
        ("card game", "strategy game", "puzzle of 1000 pieces", "dice set", "word game", "chess set", "quiz box", "party game"),
        ("clever", "cooperative", "fast-paced", "beautifully drawn", "easy to learn", "replayable"),
        ("rainy evenings", "big families", "two players", "long train rides"), 28,
    ),
    Topic(
        "Baby and toddler", "Family",
        ("pushchair", "baby carrier", "night light", "high chair", "bib set", "stacking blocks", "changing bag", "play mat"),
        ("soft", "washable", "safe", "foldable", "gentle", "hard-wearing"),
        ("the first months", "small hands", "visits to grandparents", "naps on the move"), 55,
    ),
    Topic(
        "Skin care", "Beauty",
        ("day cream", "face wash", "sun lotion", "lip balm", "night serum", "hand cream", "cleansing oil", "clay mask"),
        ("unscented", "rich", "mild", "vegan", "fast-absorbing", "refillable"),
        ("dry winter air", "sensitive skin", "days on the beach", "an evening routine"), 18,
    ),
    Topic(
        "Cycling", "Sports",
        ("bicycle helmet", "bike lock", "pannier bag", "rear light", "floor pump", "rain cape", "gravel tyres", "saddle"),
        ("bright", "light", "tough", "aerodynamic", "puncture-proof", "comfortable"),
        ("daily commutes", "gravel roads", "tours of several days", "wet autumn mornings"), 50,
    ),
)  # fmt: skip

BRANDS = (
    "Alderlyn", "Brackwater", "Corvane", "Dunmarrow", "Elvastone", "Farrowick", "Glimmerdal", "Harkenby", "Ivoryline",
    "Juniper & Oat", "Kestrelmont", "Lindenfold", "Marlowhite", "Nordhavel", "Orchardine", "Pellamore", "Quillforth",
    "Rookwell", "Saltmere", "Thistledon", "Umberlake", "Velloria", "Wrenfield", "Yarrowmoor", "Zephyrine", "Bramblecote",
    "Copperlea", "Driftwell", "Emberly", "Foxgrove",
)  # fmt: skip

COLOURS = ("black", "sand", "forest green", "deep blue", "rust red", "light grey", "ivory", "plum")

# Each has a placeholder for a noun of the topic.
QUERIES = ("{}", "cheap {}", "best {}", "{} gift", "{} for beginners", "small {}", "{} on sale", "new {}")

PRAISE = (
    "Does exactly what it should, would buy again.",
    "Arrived quickly and feels well made.",
    "My favourite purchase of the season.",
    "Better than the one I had before.",
    "Great value, and it looks nice too.",
)
BLAME = (
    "Not what I hoped for.",
    "Broke after a week, sending it back.",
    "The colour is different from the picture.",
    "Too expensive for what it is.",
    "The description promises more than it holds.",
)

ALL_QUERIES = tuple(query.format(noun) for topic in TOPICS for noun in topic.nouns for query in QUERIES)
QUERIES_A_TOPIC = len(ALL_QUERIES) // len(TOPICS)
# Typed texts by number: first the queries, topic by topic, then the comments.
TEXTS = (*ALL_QUERIES, *PRAISE, *BLAME)
FIRST_PRAISE = len(ALL_QUERIES)
FIRST_BLAME = FIRST_PRAISE + len(PRAISE)
