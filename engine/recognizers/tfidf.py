"""TF-IDF of words and of character n-grams: the features of the svc recognizer.

The vectorizers are scikit-learn's, rebuilt from their vocabulary and inverse document
frequencies, so that a release holds data only.
"""

from __future__ import annotations

import json
import re
from collections import Counter
from collections.abc import Container, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, Self
from zlib import crc32

import numpy as np
from numpy.typing import NDArray

from engine.errors import ReleaseError

if TYPE_CHECKING:
    from scipy.sparse import csr_matrix
    from sklearn.feature_extraction.text import TfidfVectorizer

VOCABULARY = "vocabulary.json"
HASHED = 1024
WORD_PATTERN = r"(?u)[A-Za-z0-9_]{2,}|[^\sA-Za-z0-9]"
WORD_SETTINGS: Mapping[str, Any] = {"ngram_range": (1, 2), "token_pattern": WORD_PATTERN}
CHARACTER_SETTINGS: Mapping[str, Any] = {"analyzer": "char_wb", "ngram_range": (4, 4)}
SHARED_SETTINGS: Mapping[str, Any] = {"sublinear_tf": True, "lowercase": False}

# Printed ids are the explicit recognizer's; learned here, they would hide what the words say.
_TECHNIQUE_ID = re.compile(r"\b[Tt][Aa]?\d{4}(?:[./]\d{3})?\b")
_HASH = re.compile(r"\b[0-9a-f]{32,128}\b")
_LONG_NUMBER = re.compile(r"\d{4,}")
_WORD = re.compile(WORD_PATTERN)


def normalise(text: str) -> str:
    """Return the text as the features see it: lower case, no technique ids, hashes as one word.

    >>> normalise("Uses T1059.001, port 44321")
    'uses  , port xnumber'
    """
    text = _TECHNIQUE_ID.sub(" ", text).lower()
    text = _HASH.sub("xhash", text)
    return _LONG_NUMBER.sub("xnumber", text)


def vectorizer(settings: Mapping[str, Any], **more: Any) -> TfidfVectorizer:
    """Return a scikit-learn vectorizer with the settings shared by training and serving."""
    from sklearn.feature_extraction.text import TfidfVectorizer

    return TfidfVectorizer(
        dtype=np.float32, preprocessor=normalise, **SHARED_SETTINGS, **settings, **more
    )


def words(text: str) -> list[str]:
    """Return the words of a text as the features see them, punctuation and numbers left out.

    >>> words("Uses T1059.001, port 44321")
    ['uses', 'port', 'xnumber']
    """
    return [word for word in _WORD.findall(normalise(text)) if word[0].isalpha()]


def unknown_share(counts: Mapping[str, int], known: Container[str]) -> float | None:
    """Return the share of words that are not among the known ones; None where there is no word."""
    total = sum(counts.values())
    if not total:
        return None
    return sum(count for word, count in counts.items() if word not in known) / total


class Tfidf:
    """Features of texts: a block of words and word pairs, a block of character n-grams.

    Each block has rows of length one, so both weigh the same in a long and in a short text.

    Parameters
    ----------
    words, characters : TfidfVectorizer
        Fitted vectorizers, made by `vectorizer`.
    """

    def __init__(self, words: TfidfVectorizer, characters: TfidfVectorizer) -> None:
        self.words = words
        self.characters = characters
        self.n_words = len(words.vocabulary_)
        self.n_features = self.n_words + len(characters.vocabulary_)

    def transform(self, texts: Sequence[str]) -> csr_matrix:
        """Return the features of texts, float32 of shape (n_texts, n_features)."""
        from scipy.sparse import csr_matrix, hstack

        if not texts:
            return csr_matrix((0, self.n_features), dtype=np.float32)
        return hstack([self.transform_words(texts), self.characters.transform(texts)], format="csr")

    def transform_words(self, texts: Sequence[str]) -> csr_matrix:
        """Return the block of words alone, float32 of shape (n_texts, n_words)."""
        block: csr_matrix = self.words.transform(texts)
        return block

    def unknown_share(self, text: str) -> float | None:
        """Return the share of a text's words that are in no feature; None where it has no word.

        Training saw them in hardly any text, or never: where it grows, something else comes in.
        """
        return unknown_share(Counter(words(text)), self.words.vocabulary_)

    def hashed(self, texts: Sequence[str]) -> NDArray[np.float32]:
        """Return features of texts that know every word, float32 of shape (n_texts, `HASHED`).

        A word outside the vocabulary is as telling as the rarest in it, so that what the training
        never saw can be learned later. Each is added to one column with a sign of its own
        (Weinberger et al., "Feature Hashing for Large Scale Multitask Learning", ICML 2009); rows
        are of length one.
        """
        analyse = self.words.build_analyzer()
        places, idf = self.words.vocabulary_, self.words.idf_
        rarest = float(idf.max(initial=1.0))
        result = np.zeros((len(texts), HASHED), dtype=np.float32)
        for row, text in enumerate(texts):
            for word in set(analyse(text)):
                code = crc32(word.encode("utf-8", "replace"))
                place = places.get(word)
                weight = rarest if place is None else float(idf[place])
                result[row, code % HASHED] += weight if code >> 31 else -weight
        length = np.linalg.norm(result, axis=1, keepdims=True)
        result /= np.where(length > 0, length, 1)
        return result

    def save(self, directory: Path) -> dict[str, NDArray[np.float32]]:
        """Write the vocabulary into a directory and return the arrays to keep beside it."""
        vocabulary = {
            "words": list(self.words.get_feature_names_out()),
            "characters": list(self.characters.get_feature_names_out()),
        }
        text = json.dumps(vocabulary, ensure_ascii=False, separators=(",", ":"))
        (directory / VOCABULARY).write_text(text + "\n", encoding="utf-8")
        return {
            "idf_words": self.words.idf_.astype(np.float32),
            "idf_characters": self.characters.idf_.astype(np.float32),
        }

    @classmethod
    def load(cls, directory: Path, arrays: Mapping[str, NDArray[np.float32]]) -> Self:
        """Rebuild from what `save` wrote and returned.

        Raises
        ------
        ReleaseError
            If the vocabulary and the arrays do not fit each other.
        """
        vocabulary = json.loads((directory / VOCABULARY).read_text(encoding="utf-8"))
        blocks = []
        for key, settings in (("words", WORD_SETTINGS), ("characters", CHARACTER_SETTINGS)):
            terms, idf = vocabulary[key], arrays[f"idf_{key}"]
            if len(terms) != len(idf):
                raise ReleaseError(
                    f"{directory / VOCABULARY} holds {len(terms)} {key}, its weights {len(idf)}. "
                    "The release is damaged: fetch it again, or: ttpscribe releases rollback"
                )
            block = vectorizer(settings, vocabulary=terms)
            block.idf_ = idf
            blocks.append(block)
        return cls(*blocks)
