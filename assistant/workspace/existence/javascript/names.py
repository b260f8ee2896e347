"""What JavaScript's surroundings bring: global names, members of the standard objects, exports of Node's modules.

Node's own lists stand in ``names.json`` (``node list_names.js > names.json``, of Node 20); what newer engines and browsers add
is written here. Types are not listed: the names of a browser's types are too many.
"""

from __future__ import annotations

import json
import re
from functools import cache
from pathlib import Path

_BROWSER = (
    "window document navigator location history screen self parent top frames origin localStorage sessionStorage indexedDB "
    "caches alert confirm prompt open close print focus blur stop scroll scrollTo scrollBy getSelection getComputedStyle "
    "matchMedia requestAnimationFrame cancelAnimationFrame requestIdleCallback cancelIdleCallback postMessage "
    "addEventListener removeEventListener dispatchEvent onmessage importScripts innerWidth innerHeight outerWidth "
    "outerHeight scrollX scrollY pageXOffset pageYOffset devicePixelRatio visualViewport customElements speechSynthesis "
    "Image Audio Option Worker SharedWorker ServiceWorker XMLHttpRequest WebSocket EventSource Notification Node NodeList "
    "Element Document DocumentFragment Text Comment Attr Range Selection Window Location History Screen Storage Navigator "
    "FileReader FileList DataTransfer DOMParser XMLSerializer MutationObserver IntersectionObserver ResizeObserver "
    "PerformanceObserver ReportingObserver KeyboardEvent MouseEvent PointerEvent TouchEvent WheelEvent DragEvent InputEvent "
    "FocusEvent UIEvent CustomEvent AnimationEvent TransitionEvent SubmitEvent ClipboardEvent StorageEvent PopStateEvent "
    "HashChangeEvent ErrorEvent ProgressEvent PromiseRejectionEvent MessagePort CloseEvent StyleSheet ShadowRoot NodeFilter "
    "TreeWalker XPathResult OffscreenCanvas ImageBitmap ImageData Path2D createImageBitmap AudioContext NavigatorUAData "
    "ClipboardItem ServiceWorkerGlobalScope WorkerGlobalScope DedicatedWorkerGlobalScope clients registration skipWaiting "
    "event name status opener frameElement isSecureContext crossOriginIsolated trustedTypes scheduler launchQueue "
    "showOpenFilePicker showSaveFilePicker showDirectoryPicker ActiveXObject chrome browser "
    "attachEvent detachEvent moveTo moveBy resizeTo resizeBy find captureEvents releaseEvents external styleMedia"
)
_TESTS = (
    "describe it test expect suite before after beforeEach afterEach beforeAll afterAll context specify xit xdescribe fit "
    "fdescribe jest vi vitest mocha sinon assert chai should cy Cypress QUnit jasmine spyOn bench run setup teardown"
)
_MATCHERS = (
    "toBe toBeCloseTo toBeDefined toBeFalsy toBeGreaterThan toBeGreaterThanOrEqual toBeInstanceOf toBeLessThan "
    "toBeLessThanOrEqual toBeNaN toBeNull toBeOneOf toBeTruthy toBeTypeOf toBeUndefined toBeVisible toContain toContainEqual "
    "toEqual toHaveBeenCalled toHaveBeenCalledOnce toHaveBeenCalledTimes toHaveBeenCalledWith toHaveBeenLastCalledWith "
    "toHaveBeenNthCalledWith toHaveLength toHaveProperty toHaveReturned toHaveReturnedWith toMatch toMatchInlineSnapshot "
    "toMatchObject toMatchSnapshot toSatisfy toStrictEqual toThrow toThrowError toThrowErrorMatchingSnapshot resolves rejects "
    "anything any arrayContaining objectContaining stringContaining stringMatching assertions hasAssertions mockClear "
    "mockReset mockRestore mockImplementation mockImplementationOnce mockReturnValue mockReturnValueOnce "
    "mockResolvedValue mockResolvedValueOnce mockRejectedValue mockRejectedValueOnce useFakeTimers useRealTimers "
    "advanceTimersByTime spyOn "
    "calledOnce calledTwice calledWith calledOnceWith callCount firstCall lastCall getCall notCalled stub restore sandbox "
    "innerHTML outerHTML defaultProps propTypes displayName getDerivedStateFromProps componentDidMount componentDidUpdate "
    "componentWillUnmount shouldComponentUpdate forceUpdate setState getDerivedStateFromError componentDidCatch "
    "getSnapshotBeforeUpdate getChildContext childContextTypes contextTypes contextType"
)
_TOOLS = (
    "Deno Bun EdgeRuntime HTMLRewriter WebSocketPair globalThis undefined NaN Infinity arguments eval jQuery angular React "
    "Vue define requirejs goog ga gtag dataLayer Iterator AsyncIterator WeakRef FinalizationRegistry SuppressedError "
    "DisposableStack AsyncDisposableStack Float16Array AggregateError SharedArrayBuffer CompressionStream "
    "DecompressionStream Temporal fetch Request Response Headers FormData File Blob navigation URLPattern CryptoKey "
    "SubtleCrypto import super this as satisfies await async yield type of get set static any never unknown"
)
_FAMILIES = re.compile(
    r"(?:HTML|SVG|CSS|RTC|IDB|DOM|Web|Media|Audio|Speech|Payment|Gamepad|GPU|XR|WebGL|Performance|USB|MIDI)[A-Z]\w*|_+|\$+"
)
_NEWER = {
    "Array": "fromAsync",
    "Atomics": "waitAsync pause",
    "ArrayBuffer": "isView",
    "Error": "captureStackTrace stackTraceLimit isError prepareStackTrace",
    "Intl": "DurationFormat Segmenter",
    "JSON": "rawJSON isRawJSON",
    "Map": "groupBy",
    "Math": "f16round sumPrecise",
    "Object": "groupBy hasOwn",
    "Promise": "withResolvers try any allSettled",
    "RegExp": "escape",
    "Symbol": "dispose asyncDispose metadata observable",
    "console": "memory profile profileEnd timeStamp exception",
}
_NEWER_MEMBERS = {
    "Array": "findLast findLastIndex at toReversed toSorted toSpliced with group groupToMap",
    "Date": "toTemporalInstant",
    "Function": "caller arguments",
    "Map": "getOrInsert getOrInsertComputed emplace",
    "RegExp": "hasIndices unicodeSets",
    "Set": "union intersection difference symmetricDifference isSubsetOf isSupersetOf isDisjointFrom",
    "String": "isWellFormed toWellFormed at replaceAll",
    "WeakMap": "getOrInsert getOrInsertComputed",
    "Error": "cause code errno syscall stack fileName lineNumber columnNumber",
}


@cache
def _listed() -> dict[str, dict[str, frozenset[str]]]:
    found = json.loads(Path(__file__).with_name("names.json").read_text("utf-8"))
    return {
        group: {key: frozenset(names) for key, names in found[group].items()} for group in ("statics", "instances", "modules")
    } | {group: {"": frozenset(found[group])} for group in ("globals", "members")}


@cache
def global_names() -> frozenset[str]:
    """Names that need no binding anywhere: engines, browsers, test runners."""
    return _listed()["globals"][""] | frozenset(" ".join((_BROWSER, _TESTS, _TOOLS)).split())


def is_global(name: str) -> bool:
    """Whether a name may come from the surroundings; members of large families of browser classes are taken on trust."""
    return name in global_names() or _FAMILIES.fullmatch(name) is not None


@cache
def statics(name: str) -> frozenset[str] | None:
    """What a standard object has, ``None`` for one that is not listed."""
    found = _listed()["statics"].get(name)
    return None if found is None else found | frozenset(_NEWER.get(name, "").split())


@cache
def members(kind: str) -> frozenset[str] | None:
    """What every object of a standard class has, ``None`` for one that is not listed."""
    found = _listed()["instances"].get(kind)
    return None if found is None else found | frozenset(_NEWER_MEMBERS.get(kind, "").split())


@cache
def _members() -> frozenset[str]:
    found = _listed()
    lists = [*(names for group in found.values() for names in group.values()), set(_MATCHERS.split())]
    newer = " ".join((*_NEWER.values(), *_NEWER_MEMBERS.values())).split()
    return frozenset(newer).union(*lists, global_names())


def is_member(name: str) -> bool:
    """Whether any object that an engine, a browser, Node or a test library brings has a member of this name."""
    return name in _members()


@cache
def module(name: str) -> frozenset[str] | None:
    """What one of Node's modules exports, ``None`` for another module."""
    return _listed()["modules"].get(name.removeprefix("node:"))
