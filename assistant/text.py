"""Where two texts begin and end to differ. Pure; knows nothing of documents or edits."""

from __future__ import annotations


def first_difference(a: str, b: str) -> int:
    """The length of the common prefix, by halving: comparing slices is a memcmp, a loop over characters is not."""
    low, high = 0, min(len(a), len(b))
    while low < high:
        middle = (low + high + 1) // 2
        if a[low:middle] == b[low:middle]:
            low = middle
        else:
            high = middle - 1
    return low


def common_suffix(a: str, b: str, prefix: int = 0) -> int:
    """How many characters both end with, those of a common prefix of ``prefix`` left out."""
    low, high = 0, min(len(a), len(b)) - prefix
    while low < high:
        middle = (low + high + 1) // 2
        if a[len(a) - middle : len(a) - low] == b[len(b) - middle : len(b) - low]:
            low = middle
        else:
            high = middle - 1
    return low
