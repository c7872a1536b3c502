"""
Hostile content by the numbers of the project's threat list: G01-G11 Git, G12-G28 rendering.

A vector that must be refused says with which reason and words; one that must be inert is rendered, and has
to give what its files say and nothing else. `CANARY` stands in a file outside of every root.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass

from tests.simulators.git_store import FILE, LINK, SUBMODULE, TREE, Repository

CANARY = "canary-8c1f4e"
OK = b"apiVersion: v1\nkind: ConfigMap\nmetadata:\n  name: ok\n"
_LFS = b"version https://git-lfs.github.com/spec/v1\noid sha256:00\nsize 1\n"


@dataclass(frozen=True, slots=True)
class HostileTree:
    """A tree that `tree.blobs` must refuse by itself, whatever git's own checks find."""

    id: str
    name: str
    build: Callable[[Repository], str]
    says: str


@dataclass(frozen=True, slots=True)
class HostileFiles:
    """Files that must be refused before any program starts; `says` is part of the message."""

    id: str
    name: str
    files: Mapping[str, bytes]
    says: str
    path: str = "."


def _named(name: bytes, *, mode: str = FILE) -> Callable[[Repository], str]:
    return lambda r: r.tree([(mode, name, r.blob(b"x"))])


def _pair(first: bytes, second: bytes) -> Callable[[Repository], str]:
    return lambda r: r.tree([(FILE, first, r.blob(b"x")), (FILE, second, r.blob(b"x"))])


def _deep(levels: int) -> Callable[[Repository], str]:
    def build(r: Repository) -> str:
        tree = r.files({"a": b"x"})
        for _ in range(levels):
            tree = r.tree([(TREE, b"d", tree)])
        return tree

    return build


def _wide(*counts: int, leaf: bool = True) -> Callable[[Repository], str]:
    """So many entries at each level, all of them the same object."""

    def build(r: Repository) -> str:
        oid, mode = (r.blob(b"x"), FILE) if leaf else (r.tree([]), TREE)
        for count in counts:
            oid = r.tree([(mode, b"%06d" % number, oid) for number in range(count)])
            mode = TREE
        return oid

    return build


def _below(build: Callable[[Repository], str]) -> Callable[[Repository], str]:
    return lambda r: r.tree([(TREE, b"dir", build(r))])


def _submodule(r: Repository) -> str:
    text = b'[submodule "x"]\n\tpath = x\r\n\turl = --upload-pack=touch canary\n'
    return r.tree([(FILE, b".gitmodules", r.blob(text)), (SUBMODULE, b"x", "1" * 40)])


TREES = (
    HostileTree("G03", "lfs pointer", lambda r: r.files({"big.yaml": _LFS}), "Git LFS pointer"),
    HostileTree("G05", "submodule", _submodule, "x: is a submodule"),
    HostileTree("G06", "symlink", _named(b"link", mode=LINK), "link: is a symbolic link"),
    HostileTree("G06", "symlink below", _below(_named(b"l", mode=LINK)), "dir/l: is a symbolic link"),
    HostileTree("G10", "..", _named(b".."), "'..' is not allowed"),
    HostileTree("G10", ".", _named(b"."), "'.' is not allowed"),
    HostileTree("G10", "slash", _named(b"../x"), "'..' is not allowed"),
    HostileTree("G10", "empty", _named(b"a//b"), "is not allowed"),
    HostileTree("G10", ".git", _below(_named(b".git")), "'.git' is not allowed"),
    HostileTree("G10", ".GIT", _named(b".GIT"), "'.GIT' is not allowed"),
    HostileTree("G10", ".git with a dot", _named(b".git. ."), "is not allowed"),
    HostileTree("G10", "NTFS stream", _named(b".git::$INDEX_ALLOCATION"), "is not allowed"),
    HostileTree("G10", "git~1", _named(b"GIT~1"), "'GIT~1' is not allowed"),
    HostileTree("G10", "HFS ignorable", _named(".g\u200cit".encode()), "invisible character"),
    HostileTree("G10", "backslash", _named(b"..\\x"), "backslash"),
    HostileTree("G10", "line feed", _named(b"a\nb"), "invisible character"),
    HostileTree("G10", "escape", _named(b"\x1b[31m"), "invisible character"),
    HostileTree("G10", "right to left", _named("a\u202eb".encode()), "invisible character"),
    HostileTree("G10", "not UTF-8", _named(b"\xff\xfe"), "not UTF-8"),
    HostileTree("G10", "case", _pair(b"A.yaml", b"a.yaml"), "in case or form alone"),
    HostileTree("G10", "NFC and NFD", _pair("é".encode(), "e\u0301".encode()), "in case or form alone"),
    HostileTree("G10", "twice", _pair(b"a", b"a"), "stands twice"),
    HostileTree("G10", "long", _named(b"n" * 1100), "1100 bytes; at most 1024"),
    HostileTree("G10", "depth 500", _deep(500), "at most"),
    HostileTree("G10", "a million entries", _wide(1000, 1000), "over 10000 files"),
    HostileTree("G10", "tree of 10^10 files", _wide(*[10] * 10), "over 10000 files"),
    HostileTree("G10", "10^8 empty directories", _wide(*[10] * 8, leaf=False), "over 10000 files"),
    HostileTree("G11", "30 MiB of zeros", lambda r: r.files({"a": bytes(30 << 20)}), "at most 4194304"),
    HostileTree(
        "G11", "6 files of 4 MiB", lambda r: r.files({f"{n}": bytes(4 << 20) for n in range(6)}),
        "add up to over 20971520",
    ),
    HostileTree("G11", "100 000 files", _wide(1000, 100), "over 10000 files"),
)  # fmt: skip


def _kustomization(text: str, **more: bytes) -> dict[str, bytes]:
    return {"kustomization.yaml": text.encode(), "ok.yaml": OK, **more}


def _refers(id_: str, text: str, says: str) -> HostileFiles:
    """A kustomization of one line after two harmless ones, so that the line's number is 3."""
    files = _kustomization(f"kind: Kustomization\nnamePrefix: a-\n{text}\n")
    return HostileFiles(id_, text.replace("\n", " ")[:60], files, says)


def _chain(levels: int) -> dict[str, bytes]:
    files = {
        f"c{n}/kustomization.yaml": f"components: [../c{n + 1}]\n".encode() for n in range(levels)
    }
    return {
        **files,
        "kustomization.yaml": b"components: [c0]\n",
        f"c{levels}/kustomization.yaml": b"{}",
    }


def _fan(levels: int, width: int) -> dict[str, bytes]:
    """Each level uses the next one `width` times: 10^9 uses in a few lines."""
    files = {
        f"l{n}/kustomization.yaml": f"resources: [{', '.join([f'../l{n + 1}'] * width)}]\n".encode()
        for n in range(levels)
    }
    return {
        **files,
        "kustomization.yaml": b"resources: [l0]\n",
        f"l{levels}/kustomization.yaml": b"{}",
    }


_CYCLE = {
    "kustomization.yaml": b"resources: [a]\n",
    "a/kustomization.yaml": b"resources: [../b]\n",
    "b/kustomization.yaml": b"resources: [../a]\n",
}
_EXEC = b"""apiVersion: v1
kind: Exec
metadata:
  name: x
  annotations:
    config.kubernetes.io/function: |
      exec: {path: ./run.sh}
"""
_HELM = b"apiVersion: builtin\nkind: HelmChartInflationGenerator\nmetadata: {name: x}\nrepo: https://x\n"

KUSTOMIZATIONS = (
    _refers("G12", "resources: [../../other-team]", "line 3: resources: '../../other-team' leaves"),
    _refers("G12", "resources: [x/../../other.yaml]", "leaves the root"),
    _refers("G12", "resources: [/etc/passwd]", "leaves the root"),
    _refers("G12", "resources: [missing.yaml]", "neither a file nor a base"),
    _refers("G12", "bases: [..]", "leaves the root"),
    _refers("G13", "configMapGenerator: [{name: a, files: ['x=../../proc/self/environ']}]", "leaves"),
    _refers("G13", "configMapGenerator: [{name: a, files: [/etc/passwd]}]", "line 3: configMap"),
    _refers("G13", "configMapGenerator: [{name: a, envs: [../x]}]", "leaves the root"),
    _refers("G13", "configMapGenerator: [{name: a, env: ../x}]", "leaves the root"),
    _refers("G13", "secretGenerator: [{name: a, files: ['file:///etc/passwd']}]", "a URL"),
    _refers("G13", "patches: [{path: ../x.yaml}]", "leaves the root"),
    _refers("G13", "patchesStrategicMerge: [../x.yaml]", "leaves the root"),
    _refers("G13", "patchesJson6902: [{path: /x, target: {kind: A, name: b}}]", "leaves the root"),
    _refers("G13", "replacements: [{path: ../x}]", "leaves the root"),
    _refers("G13", "crds: [../x]", "leaves the root"),
    _refers("G13", "configurations: [../x]", "leaves the root"),
    HostileFiles("G14", "cycle", _CYCLE, "a: a cycle of bases:  -> a -> b -> a"),
    HostileFiles("G14", "itself", {"kustomization.yaml": b"resources: [.]\n"}, "a cycle of bases"),
    HostileFiles("G15", "1000 components", _chain(1000), "over 16 levels"),
    HostileFiles("G15", "10^9 bases", _fan(9, 10), "500 uses of bases"),
    _refers("G19", "resources: ['https://example.org/x.yaml']", "line 3: resources: 'https://ex"),
    _refers("G19", "resources: ['github.com/x/y?ref=--upload-pack']", "a URL or a repository"),
    _refers("G19", "resources: [github.com/x/y]", "a URL or a repository"),
    _refers("G19", "resources: ['git::https://x/y']", "a URL or a repository"),
    _refers("G19", "resources: ['ssh://git@x/y']", "a URL or a repository"),
    _refers("G19", "resources: ['git@x:y/z']", "a URL or a repository"),
    _refers("G19", "resources: ['file:///srv/repo']", "a URL or a repository"),
    _refers("G19", "bases: ['x//y']", "a URL or a repository"),
    _refers("G19", "components: ['https://x/y.git']", "a URL or a repository"),
    _refers("G19", "patches: [{path: 'https://x/y'}]", "a URL or a repository"),
    _refers("G19", "openapi: {path: 'https://x/y'}", "a URL or a repository"),
    _refers("G19", "generators: ['https://x/y']", "a URL or a repository"),
    HostileFiles(
        "G19", "a directory that reads as a repository",
        {
            "kustomization.yaml": b"resources: [github.com/x/y]\n",
            "github.com/x/y/kustomization.yaml": b"{}",
        },
        "a URL or a repository",
    ),
    _refers("G20", "helmCharts: [{name: a, repo: 'https://x'}]", "line 3: the field 'helmCharts'"),
    _refers("G20", "helmGlobals: {configHome: plugins}", "'helmGlobals' is not allowed"),
    _refers("G20", "helmChartInflationGenerator: [{chartName: a}]", "is not allowed"),
    _refers("G20", "unknownField: 1", "line 3: the field 'unknownField' is not allowed"),
    *(
        HostileFiles(
            "G21", f"exec function in {field}",
            _kustomization(f"{field}: [plugin.yaml]\n", **{"plugin.yaml": _EXEC}),
            "plugin.yaml: line 6:",
        )
        for field in ("generators", "transformers", "validators")
    ),
    HostileFiles(
        "G21", "exec function written out",
        _kustomization("transformers:\n- |-\n" + "".join(f"  {x}\n" for x in _EXEC.decode().splitlines())),
        "is a function",
    ),
    HostileFiles(
        "G21", "exec plugin by kind",
        _kustomization("generators: [p.yaml]", **{
            "p.yaml": b"apiVersion: someteam.example.com/v1\nkind: Run\nmetadata: {name: x}\n"
        }),
        "p.yaml: line 2: generators: Run of 'someteam.example.com/v1'",
    ),
    HostileFiles(
        "G21", "helm generator", _kustomization("generators: [p.yaml]", **{"p.yaml": _HELM}),
        "HelmChartInflationGenerator",
    ),
    HostileFiles(
        "G21", "a transformer's own path",
        _kustomization("transformers: [p.yaml]", **{
            "p.yaml": b"apiVersion: builtin\nkind: PatchTransformer\nmetadata: {name: x}\npath: ../x\n"
        }),
        "leaves the root",
    ),
    _refers("G22", "openapi: {path: ../schema.json}", "line 3: openapi.path: '../schema.json' leaves"),
    HostileFiles(
        "G24", "chart", {"Chart.yaml": b"apiVersion: v2\nname: x\nversion: 1.0.0\n"},
        "Chart.yaml: not a Kubernetes object",
    ),
    HostileFiles(
        "G25", "chart template", {"t.yaml": b"kind: {{ getHostByName \"x\" }}\n"}, "t.yaml: line 1:",
    ),
    HostileFiles("G26", "chart file", {"t.yaml": b'a: {{ .Files.Get "../../x" }}\n'}, "t.yaml: line 1:"),
    HostileFiles(
        "G27", "kubeconfig among manifests",
        {"ok.yaml": OK, "k.yaml": b"apiVersion: v1\nkind: Config\nusers: [{user: {exec: {command: x}}}]\n"},
        "k.yaml: Config: metadata.name is missing",
    ),
)  # fmt: skip

_BOMB = b"a0: &a0 [x,x,x,x,x,x,x,x,x,x]\n" + b"".join(
    b"a%d: &a%d [%s]\n" % (n, n, b",".join([b"*a%d" % (n - 1)] * 10)) for n in range(1, 9)
)
_HEAD = b"apiVersion: v1\nkind: ConfigMap\nmetadata:\n  name: a\n"

YAML = (
    ("alias bomb", _HEAD + _BOMB, "once expanded"),
    ("duplicate key", _HEAD + b"spec:\n  image: a\n  image: b\n", "line 7: the key 'image' stands twice"),
    ("merge key", _HEAD + b"x: &x {a: b}\ny:\n  <<: *x\n", "line 7: merge keys"),
    ("python tag", _HEAD + b"x: !!python/object:os.system {}\n", "line 5: the tag"),
    ("binary", _HEAD + b"x: !!binary aGk=\n", "line 5: the tag"),
    ("own tag", _HEAD + b"x: !Ref y\n", "line 5: the tag"),
    ("tab", _HEAD + b"x:\n\ty: z\n", "line 6: not YAML"),
    ("1e400", _HEAD + b"x: 1e400\n", "line 5: the number 1e400"),
    ("half a surrogate", _HEAD + b'x: "\\ud800"\n', "line 5: not YAML"),
    ("not UTF-8", _HEAD + b"x: \xff\n", "a.yaml: not UTF-8 at byte 54"),
    ("NUL", _HEAD + b"x: a\x00b\n", "a.yaml: not YAML"),
)  # fmt: skip
"""G17: (name, one file, what is said), refused as text, before any renderer."""

_LIST = b"apiVersion: v1\nkind: List\nitems:\n"

OBJECTS = (
    ("100 000 keys", _HEAD + b"".join(b"k%d: v\n" % n for n in range(100_000)), "over 200000"),
    ("int over 2^63", _HEAD + b"x: 9223372036854775808\n", "does not fit into 64 bits"),
    ("list of lists", _LIST + b"- {apiVersion: v1, kind: List, items: []}\n", "a List inside"),
    ("other list", b"apiVersion: v1\nkind: ConfigMapList\nitems: []\n", "ConfigMapList: write its items out"),
    ("generateName", b"apiVersion: v1\nkind: Pod\nmetadata: {generateName: a}\n", "metadata.name is missing"),
    ("scalar document", b"hello\n", "a document is not a mapping"),
    ("same object twice", _HEAD + b"---\n" + _HEAD, "ConfigMap/a stands in a.yaml already"),
)  # fmt: skip
"""G17 and G18: refused when they are rendered."""
