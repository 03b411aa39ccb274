import json

import samples

from engine.outputs import OUTPUTS

write = OUTPUTS["view"].write


def text_of(view):
    return [
        "".join(piece.get("text", "") for part in cell for piece in part["pieces"])
        for group in view["groups"]
        for block in group["blocks"]
        for cell in block["cells"]
    ]


def test_the_text_is_there_once_and_as_it_was(context):
    view = json.loads(write(samples.analysis(), context))

    assert " ".join(text_of(view)[:3]) == (
        "Initial access The actor sent a lure with a macro. The macro ran powershell.exe -enc to "
        "fetch the loader. Run keys kept it alive (T1547.001)."
    )
    assert samples.HOSTILE in text_of(view)
    assert [group["kind"] for group in view["groups"]][:3] == ["heading", "prose", "list_item"]


def test_evidence_leads_from_the_text_to_the_list_and_back(context):
    view = json.loads(write(samples.analysis(), context))
    marked = {
        int(number): piece["text"]
        for group in view["groups"]
        for block in group["blocks"]
        for cell in block["cells"]
        for part in cell
        for piece in part["pieces"]
        for number in piece.get("numbers", "").split()
    }
    entries = {entry["number"]: entry for entry in view["entries"]}

    assert marked[1] == "The macro ran powershell.exe -enc to fetch the loader."
    assert entries[1]["technique"] == "T1059.001"
    assert entries[1]["tactics"] == "TA0002"
    assert entries[1]["quotes"][0]["target"] == "s2"
    assert [entry["kind"] for entry in view["entries"]].count("suggestion") == 3
    assert entries[0]["explicit"] is True
    assert entries[1]["explicit"] is False
    assert view["inferences"][0]["because"][0].keys() == {"technique", "number"}


def test_the_view_holds_what_the_page_tells(context):
    view = json.loads(write(samples.analysis(), context))

    assert (view["title"], view["pages"], view["release"]) == (
        "report.pdf",
        3,
        samples.analysis().release,
    )
    assert {tactic["id"] for tactic in view["tactics"]} >= {"TA0002"}


def test_half_a_surrogate_pair_is_no_obstacle(context):
    analysis = samples.analysis(document=samples.document(name="half \ud800 pair"))

    assert "half \ufffd pair" in write(analysis, context)
