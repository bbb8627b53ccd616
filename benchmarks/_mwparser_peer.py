"""What mwparserfromhell makes of wikitexts: run by the interpreter of its own environment.

Reads a JSON list of wikitexts from the standard input and writes a JSON list of
``{"text": …, "links": [[title, anchor], …]}``. It is used as a careful user would: what our rules
drop (tables, references, galleries, pictures, categories) is removed before ``strip_code``.
"""

import json
import sys

import mwparserfromhell

DROPPED_TAGS = {"table", "ref", "references", "gallery", "math", "pre", "rt", "rp", "rtc"}
HIDDEN = {"file", "image", "category"}


def read(wikitext: str) -> dict[str, object]:
    """Text and links of one wikitext."""
    code = mwparserfromhell.parse(wikitext)
    dropped = [tag for tag in code.filter_tags() if str(tag.tag).lower() in DROPPED_TAGS]
    dropped += [
        link
        for link in code.filter_wikilinks()
        if str(link.title).partition(":")[0].strip().lower() in HIDDEN
    ]
    for node in dropped:
        try:
            code.remove(node)
        except ValueError:
            continue  # it went with the node around it
    links = [
        [str(link.title), (link.text if link.text is not None else link.title).strip_code()]
        for link in code.filter_wikilinks()
    ]
    return {"text": code.strip_code(normalize=True, collapse=True), "links": links}


if __name__ == "__main__":
    json.dump([read(text) for text in json.load(sys.stdin)], sys.stdout)
