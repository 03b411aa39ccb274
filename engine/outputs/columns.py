"""The columns of the CSV output; apart from its writer, so that the registry stays cheap."""

COLUMNS = (
    "document",
    "kind",
    "technique",
    "name",
    "tactics",
    "probability",
    "explicit",
    "evidence",
    "page",
    "sentence",
    "recognizer",
    "release",
    "attack_version",
)

HEADER = ",".join(COLUMNS) + "\r\n"
