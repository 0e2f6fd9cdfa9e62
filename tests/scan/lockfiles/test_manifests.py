"""Manifests that no lockfile covers."""

from cortex_git.scan.lockfiles import manifest_without_lock, unread_lockfiles


def bare(*paths: str) -> list[str]:
    return [gap.what for gap in manifest_without_lock(paths)]


def test_named_with_a_reason() -> None:
    (gap,) = manifest_without_lock(["package.json", "README.md"])
    assert (gap.what, gap.reason) == ("package.json", "no lockfile beside it")


def test_a_lockfile_beside_or_above_covers() -> None:
    assert bare("package.json", "yarn.lock", "packages/a/package.json") == []
    assert bare("package.json", "sub/package-lock.json") == ["package.json"]
    assert bare("a/Cargo.toml", "b/Cargo.lock") == ["a/Cargo.toml"]
    assert bare("app/Gemfile", "gems.locked", "composer.json", "composer.lock") == []


def test_a_lockfile_of_another_ecosystem_does_not_cover() -> None:
    assert bare("package.json", "Pipfile", "yarn.lock") == ["Pipfile"]


def test_python_accepts_any_of_its_files() -> None:
    for lock in ("uv.lock", "requirements-dev.txt", "requirements/base.txt", "pylock.toml", "poetry.lock"):
        assert bare("pyproject.toml", "lib/pyproject.toml", lock) == []
    assert bare("pyproject.toml", "docs/requirements.txt") == ["pyproject.toml"]


def test_gradle_and_nuget() -> None:
    assert bare("app/build.gradle.kts") == ["app/build.gradle.kts"]
    assert bare("app/build.gradle.kts", "app/gradle/dependency-locks/x.lockfile") == []
    assert bare("build.gradle", "buildscript-gradle.lockfile", "settings-gradle.lockfile") == ["build.gradle"]
    assert bare("src/a.csproj", "src/b/b.fsproj", "src/packages.config") == []
    assert bare("src/a.csproj", "other/packages.lock.json") == ["src/a.csproj"]


def test_installed_copies_are_not_manifests() -> None:
    assert (
        bare("node_modules/a/package.json", "vendor/b/composer.json", "x/node_modules/c/package.json") == []
    )
    assert bare("package.json", "node_modules/a/yarn.lock") == ["package.json"]


def test_very_many_are_counted() -> None:
    found = manifest_without_lock([f"{number}/package.json" for number in range(1_500)])
    assert len(found) == 1_001
    assert found[-1].what == "500 more manifests"


def test_dart_elixir_conan_and_bun() -> None:
    assert bare("pubspec.yaml", "apps/a/mix.exs", "c/conanfile.txt", "d/conanfile.py") == [
        "apps/a/mix.exs",
        "c/conanfile.txt",
        "d/conanfile.py",
        "pubspec.yaml",
    ]
    assert bare("pubspec.yaml", "packages/a/pubspec.yaml", "pubspec.lock") == []
    assert bare("mix.exs", "apps/a/mix.exs", "mix.lock", "conanfile.py", "conan.lock") == []
    assert bare("package.json", "bun.lock", "sub/package.json", "sub/bun.lockb") == []
    assert bare("DESCRIPTION", "renv.lock") == []


def test_gradle_verification_covers_the_build_it_is_in() -> None:
    assert bare("a/build.gradle", "a/b/build.gradle.kts", "a/gradle/verification-metadata.xml") == []
    assert bare("build.gradle", "a/gradle/verification-metadata.xml") == ["build.gradle"]
    assert bare("package.json", "gradle/package-lock.json") == ["package.json"]


def test_swift_haskell_and_cocoapods() -> None:
    alone = ["Package.swift", "a/a.cabal", "a/cabal.project", "a/stack.yaml", "ios/Podfile"]
    assert bare(*alone) == sorted(alone)
    locks = ["Package.resolved", "a/stack.yaml.lock", "ios/Podfile.lock"]
    assert bare(*alone, *locks) == []
    assert bare("a/a.cabal", "cabal.project.freeze") == []
    assert bare("ios/Pods/A/Package.swift", "Carthage/Checkouts/A/Podfile") == []


def test_xcode_keeps_the_lockfile_inside_its_project() -> None:
    lock = "App.xcodeproj/project.xcworkspace/xcshareddata/swiftpm/Package.resolved"
    assert bare("app/Core/Package.swift", f"app/{lock}") == []
    assert bare("other/Package.swift", f"app/{lock}") == ["other/Package.swift"]


def test_a_bill_of_materials_is_no_lockfile() -> None:
    assert bare("package.json", "bom.json") == ["package.json"]


def test_manifests_of_tools_without_a_lockfile() -> None:
    assert bare("bower.json", "ivy.xml", "vcpkg.json", "pom.xml", "package-lock.json") == [
        "bower.json", "ivy.xml", "vcpkg.json",
    ]  # fmt: skip
    assert bare("bower_components/a/bower.json", "environment.yml", "conda-lock.yaml") == []


def test_manifests_that_are_programs() -> None:
    assert bare("setup.py", "lib/setup.py", "requirements.txt") == []
    assert bare("setup.py", "docs/requirements.txt") == ["setup.py"]
    assert bare("build.sbt", "deps.edn", "project.clj", "pom.xml") == ["build.sbt", "deps.edn", "project.clj"]


def test_lockfiles_that_no_reader_knows_are_named() -> None:
    names = [".terraform.lock.hcl", "MODULE.bazel.lock", "conda-lock.yaml", "dependencies.lock"]
    paths = [
        "web/deno.lock",
        "rebar.lock",
        "r/packrat/packrat.lock",
        "package-lock.json",
        "vendor/x/Gopkg.lock",
        "node_modules/a/deno.lock",
        *names,
    ]
    assert [(gap.what, gap.reason) for gap in unread_lockfiles(paths)] == [
        *((name, "is a lockfile of a kind that is not read") for name in names),
        ("r/packrat/packrat.lock", "is a lockfile of a kind that is not read"),
        ("rebar.lock", "is a lockfile of a kind that is not read"),
        ("web/deno.lock", "is a lockfile of a kind that is not read"),
    ]
    many = unread_lockfiles([f"{number}/deno.lock" for number in range(1_500)])
    assert (len(many), many[-1].what) == (1_001, "500 more lockfiles")
