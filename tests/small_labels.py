"""A small label set of our own writing, from which a release is trained within seconds."""

from __future__ import annotations

import random

from training.labels import Example, LabelledDocument, LabelSet

PHRASES = {
    "T1059.001": (
        "ran an encoded powershell command",
        "the loader starts powershell hidden",
        "a powershell script was executed with bypass",
        "used powershell cmdlets to fetch the stage",
    ),
    "T1566.001": (
        "sent an email with a malicious attachment",
        "the lure document came as an attachment of a mail",
        "victims received mails carrying an attached archive",
        "spear mails with weaponised attachments were delivered",
    ),
    "T1003.001": (
        "dumped the memory of lsass for credentials",
        "lsass was read to take passwords",
        "credentials were taken out of the lsass process",
        "a dump of lsass gave the password hashes",
    ),
    "T1486": (
        "encrypted the files and left a ransom note",
        "the ransomware encrypts every share",
        "data was encrypted to extort a ransom",
        "files were encrypted and renamed",
    ),
}
FILLER = (
    "The company was founded in the north of the country",
    "Our team has followed this cluster for two years",
    "The report was written for customers of the service",
    "More details will be published next month",
    "The building has three floors and a garden",
    "Figure 2 shows a picture of the timeline",
    "We thank our colleagues for their help",
)
N_FOLDS = 5
ACTORS = ("The group", "The operators", "An intruder", "The malware", "They")


def small_label_set(n_documents: int = 30, seed: int = 1) -> LabelSet:
    """Return documents whose sentences say what their labels say, with some noise."""
    choice = random.Random(seed)  # noqa: S311 - test data
    documents = []
    for number in range(n_documents):
        name = f"doc-{number:02d}"
        shown = choice.sample(sorted(PHRASES), k=choice.randint(1, 3))
        lines: list[tuple[str, frozenset[str]]] = [
            (
                f"{choice.choice(ACTORS)} {choice.choice(PHRASES[technique])}.",
                frozenset([technique]),
            )
            for technique in shown
            for _ in range(choice.randint(1, 2))
        ]
        lines += [
            (f"{choice.choice(FILLER)} {choice.randint(1, 99)}.", frozenset())
            for _ in range(choice.randint(5, 9))
        ]
        choice.shuffle(lines)
        sentences, start = [], 0
        for place, (text, techniques) in enumerate(lines):
            sentences.append(
                Example(
                    text,
                    techniques,
                    id=f"{name}-{place}",
                    document=name,
                    start=start,
                    end=start + len(text),
                    kind="sentence",
                    fold=number % N_FOLDS,
                )
            )
            start += len(text) + 1
        documents.append(
            LabelledDocument(
                name,
                "\n".join(text for text, _ in lines),
                frozenset(shown),
                tuple(sentences),
                # Documents made of the same few phrases repeat each other: the folds are given.
                fold=number % N_FOLDS,
            )
        )
    alone = [
        Example(f"{actor} {phrase} again", frozenset([technique]), id=f"alone-{technique}-{n}-{m}")
        for technique, phrases in PHRASES.items()
        for n, phrase in enumerate(phrases)
        for m, actor in enumerate(ACTORS[:2])
    ]
    examples = [sentence for document in documents for sentence in document.sentences]
    return LabelSet(tuple(examples + alone), tuple(documents))
