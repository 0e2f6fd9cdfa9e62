"""*.deps.json as the .NET SDK writes it."""

import json

import pytest

from .conftest import Read, gaps

DEPS = """{
  "runtimeTarget": {
    "name": ".NETCoreApp,Version=v8.0/linux-x64",
    "signature": ""
  },
  "compilationOptions": {},
  "targets": {
    ".NETCoreApp,Version=v8.0": {},
    ".NETCoreApp,Version=v8.0/linux-x64": {
      "App/1.0.0": {
        "dependencies": {
          "Newtonsoft.Json": "12.0.1",
          "Serilog.Sinks.File": "5.0.0",
          "Shared": "1.0.0",
          "Vendor.Native": "2.1.0.0",
          "runtimepack.Microsoft.NETCore.App.Runtime.linux-x64": "8.0.1"
        },
        "runtime": {
          "App.dll": {}
        }
      },
      "runtimepack.Microsoft.NETCore.App.Runtime.linux-x64/8.0.1": {
        "runtime": {
          "System.Private.CoreLib.dll": {
            "assemblyVersion": "8.0.0.0",
            "fileVersion": "8.0.123.58001"
          }
        }
      },
      "Newtonsoft.Json/12.0.1": {
        "runtime": {
          "lib/netstandard2.0/Newtonsoft.Json.dll": {
            "assemblyVersion": "12.0.0.0",
            "fileVersion": "12.0.1.22727"
          }
        }
      },
      "Serilog/2.10.0": {
        "runtime": {
          "lib/netstandard2.1/Serilog.dll": {
            "assemblyVersion": "2.0.0.0",
            "fileVersion": "2.10.0.0"
          }
        }
      },
      "Serilog.Sinks.File/5.0.0": {
        "dependencies": {
          "Serilog": "2.10.0"
        },
        "runtime": {
          "lib/net5.0/Serilog.Sinks.File.dll": {
            "assemblyVersion": "5.0.0.0",
            "fileVersion": "5.0.0.0"
          }
        }
      },
      "Shared/1.0.0": {
        "dependencies": {
          "System.Text.Json": "6.0.0"
        },
        "runtime": {
          "Shared.dll": {}
        }
      },
      "System.Text.Json/6.0.0": {},
      "Vendor.Native/2.1.0.0": {
        "runtime": {
          "Vendor.Native.dll": {
            "assemblyVersion": "2.1.0.0",
            "fileVersion": "2.1.0.0"
          }
        }
      }
    }
  },
  "libraries": {
    "App/1.0.0": {
      "type": "project",
      "serviceable": false,
      "sha512": ""
    },
    "runtimepack.Microsoft.NETCore.App.Runtime.linux-x64/8.0.1": {
      "type": "runtimepack",
      "serviceable": false,
      "sha512": ""
    },
    "Newtonsoft.Json/12.0.1": {
      "type": "package",
      "serviceable": true,
      "sha512": "sha512-pBR3wCgYWZGi==",
      "path": "newtonsoft.json/12.0.1",
      "hashPath": "newtonsoft.json.12.0.1.nupkg.sha512"
    },
    "Serilog/2.10.0": {
      "type": "package",
      "serviceable": true,
      "sha512": "sha512-+QX0hmf37a0/==",
      "path": "serilog/2.10.0",
      "hashPath": "serilog.2.10.0.nupkg.sha512"
    },
    "Serilog.Sinks.File/5.0.0": {
      "type": "package",
      "serviceable": true,
      "sha512": "sha512-uwV5hdhWPwUH==",
      "path": "serilog.sinks.file/5.0.0",
      "hashPath": "serilog.sinks.file.5.0.0.nupkg.sha512"
    },
    "Shared/1.0.0": {
      "type": "project",
      "serviceable": false,
      "sha512": ""
    },
    "System.Text.Json/6.0.0": {
      "type": "package",
      "serviceable": true,
      "sha512": "sha512-zaJsHfESQvJ1==",
      "path": "system.text.json/6.0.0",
      "hashPath": "system.text.json.6.0.0.nupkg.sha512"
    },
    "Vendor.Native/2.1.0.0": {
      "type": "reference",
      "serviceable": false,
      "sha512": ""
    }
  }
}
"""


def test_packages_with_their_origins_and_lines(read: Read) -> None:
    content = read("publish/App.deps.json", DEPS)
    assert [(p.name, p.version, p.direct, p.via) for p in content.packages] == [
        ("Microsoft.NETCore.App.Runtime.linux-x64", "8.0.1", True, ()),
        ("Newtonsoft.Json", "12.0.1", True, ()),
        ("Serilog", "2.10.0", False, ("Serilog.Sinks.File",)),
        ("Serilog.Sinks.File", "5.0.0", True, ()),
        ("System.Text.Json", "6.0.0", True, ()),
    ]
    lines = DEPS.splitlines()
    for package in content.packages:
        at = (package.line or 0) - 1
        assert f'{package.name}/{package.version}": {{' in lines[at]
        assert '"type": ' in lines[at + 1]
    assert gaps(content) == {
        "publish/App.deps.json: Vendor.Native/2.1.0.0": "not from a registry (an assembly)"
    }


def test_without_a_project_nothing_is_known_to_be_asked_for(read: Read) -> None:
    text = '{"libraries": {"A/1.0.0": {"type": "package"}, "F/8.0.0": {"type": "platform"}}, "targets": 1}'
    content = read("a.DEPS.JSON", text)
    assert [(p.name, p.version, p.direct, p.dev, p.via) for p in content.packages] == [
        ("A", "1.0.0", None, None, ())
    ]
    assert content.not_scanned == ()


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("", "is empty"),
        ("{}", "has no libraries, so it is not of .NET"),
        ('{"libraries": []}', "libraries is not a table"),
        (DEPS[: len(DEPS) // 2], "is not valid JSON (line 62)"),
    ],
    ids=["nothing", "other JSON", "array", "cut off"],
)
def test_malformed(read: Read, text: str, reason: str) -> None:
    content = read("App.deps.json", text)
    assert content.packages == ()
    assert gaps(content) == {"App.deps.json": reason}


def test_entries_of_wrong_types(read: Read) -> None:
    libraries = {
        "a": [],
        "b": {"type": "package"},
        "c/": {"type": "package"},
        "/1": {"type": "package"},
        "d/1": {},
    }
    targets = {"x": [], "y": {"own/1": 3, "p/1": {"dependencies": [1]}, "q/1": {"dependencies": {"r": 1}}}}
    content = read("a.deps.json", json.dumps({"libraries": libraries, "targets": targets}))
    assert content.packages == ()
    assert gaps(content) == {
        "a.deps.json: a": "the entry is not a table",
        "a.deps.json: an entry": "the package has no name",
        "a.deps.json: c": "no exact version",
        "a.deps.json: d/1": "not from a registry (an assembly)",
    }
