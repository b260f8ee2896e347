"""A comment for one function in the words of the user's chat model, by intent, from facts of the code; never inventing.

The answer is dropped, and the template of `assistant.review.comment` serves, when it is long or names code that was not shown.
"""

from __future__ import annotations

import re
from collections.abc import Sequence

from assistant.cancel import Cancel
from assistant.review.comment import wrapped
from assistant.review.instructed.advise import ask, code_words
from assistant.review.rules.page import Function, Page
from assistant.types import EngineError, TextModel

TOKENS, LONGEST = 120, 300
MOST_CODE = 4_000
ASKED = {
    "what": "what it does",
    "why": "what it is for, as its callers show",
    "use": "how to use it",
    "how": "how it is done",
    "property": "what holds of it: what it promises, raises and changes",
}
QUESTION = (
    "Write the text of a comment for this function that says {asked}. One or two sentences, plain words, no code block, nothing"
    " that the lines below do not show.\n\n{code}\n\nKnown facts:\n{facts}"
)
_QUOTED = re.compile(r'^(?:"""|/\*\*|\'\'\'|```\w*)|(?:"""|\*/|\'\'\'|```)$|^\s*\*\s?', re.MULTILINE)


async def describe(
    model: TextModel, page: Page, function: Function, intent: str, facts: Sequence[str], cancel: Cancel
) -> list[str]:
    """Lines of the comment; none when the model cannot answer, or says what cannot be looked up."""
    code = page.src(function.outer)[:MOST_CODE]
    question = QUESTION.format(asked=ASKED[intent], code=code, facts="\n".join(facts) or "none")
    try:
        answer = await ask(model, (("user", question),), TOKENS, cancel)
    except EngineError:
        return []
    said = " ".join(_QUOTED.sub("", answer.strip()).split())
    known = f"{code}\n{' '.join(facts)}"
    inside = all(re.search(rf"(?<!\w){re.escape(word)}(?!\w)", known) for word in code_words(said))
    return wrapped(said) if said and len(said) <= LONGEST and said[-1] in ".!?" and inside else []
