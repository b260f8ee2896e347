"""Imports that a new name wants, and imports that nothing wants any more."""

from __future__ import annotations

import pytest

from tests.assistant.next_edit.patterns.scenes import after, run, scene

USER = "import os\nimport sys\nfrom typing import Any\n\n\ndef f(x: Any):\n    return os, sys, x\n"


def test_the_standard_library_in_order() -> None:
    now = USER.replace("os, sys, x", "os, sys, json.dumps(x)")
    assert after("import", scene(USER, now)) == "import json\n" + now


def test_a_name_of_the_standard_library_joins_its_statement() -> None:
    now = USER.replace("x: Any", "x: Optional[Any]")
    assert after("import", scene(USER, now)) == now.replace("import Any", "import Any, Optional")


def test_learnt_from_what_another_file_imports() -> None:
    now = USER.replace("sys, x", "sys, gather(x)")
    where = scene(USER, now, others={"pkg/other.py": "from tools.many import gather, split\n"})
    assert after("import", where) == now.replace("import Any\n", "import Any\n\nfrom tools.many import gather\n")
    assert run("import", where)[0].why == "'gather' is used but not imported"


def test_learnt_from_the_index_and_from_what_a_file_defines() -> None:
    before = "from pkg.base import Base\n\n\nclass A(Base):\n    pass\n"
    now = before.replace("pass", "x = total(1)")
    where = scene(before, now, indexed={"pkg/sums.py": "def total(n):\n    return n\n"})
    assert after("import", where) == now.replace("import Base\n", "import Base\nfrom pkg.sums import total\n")


def test_relative_where_the_file_is_relative() -> None:
    before = "from .base import Base\n\nx = Base\n"
    now = before + "y = total(1)\n"
    where = scene(before, now, path="pkg/sub/a.py", indexed={"pkg/sums.py": "def total(n):\n    return n\n"})
    assert after("import", where) == "from ..sums import total\n" + now


def test_several_lines_in_brackets() -> None:
    before = "from tools import (\n    alpha,\n    gamma,\n)\n\nalpha(gamma)\n"
    now = before + "beta()\n"
    where = scene(before, now, others={"pkg/o.py": "from tools import beta\n"})
    assert after("import", where) == now.replace("    alpha,\n", "    alpha,\n    beta,\n")


def test_typescript_names_and_paths() -> None:
    before = "import { a } from './a';\n\nuse(a);\n"
    now = before + "use(price(1));\n"
    where = scene(before, now, path="web/user.ts", others={"web/lib/shop.ts": "export function price(x: number) {}\n"})
    assert after("import", where) == "import { a } from './a';\nimport { price } from './lib/shop';\n" + now.split("\n", 1)[1]


def test_typescript_default_import_as_another_file_has_it() -> None:
    before = 'import { a } from "./a"\n\nuse(a)\n'
    where = scene(before, before + "use(React)\n", path="web/user.tsx", others={"web/b.tsx": "import React from 'react';\n"})
    assert 'import React from "react"\n' in after("import", where)


@pytest.mark.parametrize(
    "line",
    [
        "y = x.json\n",
        "y = f(json=1)\n",
        "# json.dumps\n",
        "y = 'json'\n",
        "json = 1\n",
        "def g(json): return json.x\n",
        "print(len)\n",
    ],
)
def test_what_needs_no_import(line: str) -> None:
    assert run("import", scene(USER, USER + line)) == []


def test_beside_a_star_import_every_name_may_be_had() -> None:
    before = "from tools import *\n\nx = 1\n"
    assert [c for c in run("import", scene(before, before + "y = json.loads(x)\n")) if "json" not in c.text] == []


def test_an_unused_name_leaves_its_list() -> None:
    before = "from typing import Any, Optional\n\nx: Any = 1\ny: Optional[int] = 2\n"
    now = before.replace("y: Optional[int] = 2\n", "")
    assert after("unused_import", scene(before, now)) == now.replace("Any, Optional", "Any")


def test_the_only_name_takes_its_line_along() -> None:
    before = "import os\nimport sys\n\nprint(sys.argv)\nprint(os.name)\n"
    now = before.replace("print(os.name)\n", "")
    assert after("unused_import", scene(before, now)) == now.replace("import os\n", "")


@pytest.mark.parametrize(
    ("before", "gone"),
    [
        ("import os\nprint(os.name)\nprint(os.sep)\n", "print(os.sep)\n"),  # still used
        ("import os\nx = 1\nprint(x)\n", "print(x)\n"),  # was never used
        ('import os\n__all__ = ["os"]\nprint(os)\n', "print(os)\n"),  # offered
        ("import os\nprint(os)\nx = (\n", "print(os)\n"),  # broken
        ("from __future__ import annotations\nannotations\n", "annotations\n"),
    ],
)
def test_imports_that_stay(before: str, gone: str) -> None:
    now = before[: before.rindex(gone)] + before[before.rindex(gone) + len(gone) :]
    assert run("unused_import", scene(before, now)) == []


def test_a_package_keeps_what_it_offers() -> None:
    assert run("unused_import", scene("from .a import b\nb()\n", "from .a import b\n", path="pkg/__init__.py")) == []


def test_an_import_whose_last_use_is_being_renamed_stays() -> None:
    before = "from .bags import gather_all\n\nprint(gather_all(3))\n"
    now = before.replace("print(gather_all", "print(collect_all")
    assert [c.rule for c in run("unused_import", scene(before, now))] == ["import_swap"]


def test_typescript_unused() -> None:
    before = "import React, { useMemo, useState } from 'react';\n\nReact.f(useState(1));\nuseMemo(2);\n"
    now = before.replace("useMemo(2);\n", "")
    assert after("unused_import", scene(before, now, path="web/a.tsx")) == now.replace("useMemo, useState", "useState")


def test_the_import_follows_when_another_name_takes_the_place_of_the_last_use() -> None:
    before = "from urllib.parse import quote, urlparse\n\nprint(quote(urlparse(x)))\n"
    now = before.replace("urlparse(x)", "urlsplit(x)")
    found = [c for c in run("unused_import", scene(before, now)) if c.rule == "import_swap"]
    assert [(now[c.start : c.end], c.text) for c in found] == [("urlparse", "urlsplit")]


def test_no_import_follows_a_name_that_is_declared() -> None:
    before = "from urllib.parse import urlparse\n\ndef split(x):\n    pass\n\nprint(urlparse(x))\n"
    assert [c.rule for c in run("unused_import", scene(before, before.replace("urlparse(x)", "split(x)")))] == ["unused_import"]


def test_several_names_of_one_module_are_imported_together_as_well_as_one_by_one() -> None:
    before = "from typing import Any, cast\n\nx: Any = 1\n"
    now = before + "T = TypeVar('T')\n\n\ndef f(x: Generic[T]) -> None:\n    pass\n"
    texts = [now[: c.start] + c.text + now[c.end :] for c in run("import", scene(before, now))]
    assert [text.split("\n")[0] for text in texts] == [
        "from typing import Any, TypeVar, cast",
        "from typing import Any, Generic, cast",
        "from typing import Any, Generic, TypeVar, cast",
    ]


def test_constants_come_first_in_a_python_list_and_the_rest_of_the_library_is_known() -> None:
    before = "from typing import Any, cast\n\nx: Any = 1\n"
    assert after("import", scene(before, before + "if TYPE_CHECKING:\n    pass\n")).startswith(
        "from typing import TYPE_CHECKING, Any, cast\n"
    )
    assert after("import", scene(before, before + "y = get_type_hints(f)\n")).startswith(
        "from typing import Any, cast, get_type_hints\n"
    )


def test_a_file_that_requires_gets_a_require() -> None:
    before = "'use strict'\n\nconst fs = require('fs')\nconst { join } = require('node:path')\n\njoin(fs.a)\n"
    others = {"lib/errors.js": "module.exports = {}\n", "lib/b.js": "const { Oops } = require('./errors')\n"}
    made = after("import", scene(before, before + "throw new Oops()\n", path="lib/a.js", others=others))
    assert made.split("\n")[4] == "const { Oops } = require('./errors')"
    others["lib/b.js"] = "const { resolve: full } = require('node:path')\n"
    made = after("import", scene(before, before + "full('x')\n", path="lib/a.js", others=others))
    assert made.split("\n")[3] == "const { join, resolve: full } = require('node:path')"


def test_a_required_name_whose_last_use_is_gone() -> None:
    before = "const fs = require('fs')\nconst { join, resolve } = require('path')\n\nfs.a()\njoin(1)\nresolve(2)\n"
    now = before.replace("resolve(2)\n", "")
    assert after("unused_import", scene(before, now, path="a.js")) == now.replace("join, resolve", "join")
    now = before.replace("fs.a()\n", "")
    assert after("unused_import", scene(before, now, path="a.js")) == now.replace("const fs = require('fs')\n", "")


def test_types_are_imported_as_types_where_that_is_done_and_no_file_imports_itself() -> None:
    before = "import type { Other } from './other'\n\nlet a: Other\n"
    others = {"web/shape.ts": "export interface Shape {}\n", "web/c.ts": "import { Mine } from './a'\n"}
    made = after("import", scene(before, before + "let b: Shape\n", path="web/a.ts", others=others))
    assert made.split("\n")[1] == "import type { Shape } from './shape'"
    assert run("import", scene(before, before + "let c: Mine\n", path="web/a.ts", others=others)) == []
