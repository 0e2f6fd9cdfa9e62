"""pom.xml: properties, parents in the repository, what is managed elsewhere."""

import pytest

from cortex_git.scan.lockfiles import includes_of

from .conftest import Read, gaps, pairs

PARENT = """<project>
  <groupId>org.acme</groupId><artifactId>parent</artifactId><version>1.0</version>
  <properties><jackson>2.9.8</jackson><guava>18.0</guava></properties>
  <dependencyManagement><dependencies>
    <dependency><groupId>com.google.guava</groupId><artifactId>guava</artifactId><version>${guava}</version></dependency>
  </dependencies></dependencyManagement>
</project>"""
CHILD = """<?xml version="1.0" encoding="UTF-8"?>
<project xmlns="http://maven.apache.org/POM/4.0.0">
  <parent><groupId>org.acme</groupId><artifactId>parent</artifactId><version>1.0</version></parent>
  <artifactId>child</artifactId>
  <properties><guava>20.0</guava><log>${log.real}</log><log.real>2.14.1</log.real></properties>
  <dependencies>
    <dependency>
      <groupId>org.apache.logging.log4j</groupId><artifactId>log4j-core</artifactId><version>${log}</version>
    </dependency>
    <dependency><groupId>com.google.guava</groupId><artifactId>guava</artifactId></dependency>
    <dependency>
      <groupId>${project.groupId}</groupId><artifactId>sister</artifactId>
      <version>${project.parent.version}</version>
    </dependency>
    <dependency><groupId>a</groupId><artifactId>jackson</artifactId><version> ${jackson}
    </version></dependency>
    <dependency><groupId>a</groupId><artifactId>unknown</artifactId><version>${nope}</version></dependency>
    <dependency><groupId>a</groupId><artifactId>managed</artifactId></dependency>
    <dependency><groupId>a</groupId><artifactId>range</artifactId><version>[1.0,2.0)</version></dependency>
    <dependency><groupId>a</groupId><artifactId>hard</artifactId><version>[1.5]</version></dependency>
    <dependency><groupId>a</groupId><artifactId>moving</artifactId><version>LATEST</version></dependency>
  </dependencies>
  <build><plugins>
    <plugin><artifactId>maven-jar-plugin</artifactId><version>3.0.0</version></plugin>
    <plugin><artifactId>maven-war-plugin</artifactId></plugin>
  </plugins></build>
  <profiles><profile><dependencies>
    <dependency><groupId>a</groupId><artifactId>profiled</artifactId><version>1</version></dependency>
  </dependencies></profile></profiles>
</project>"""


def test_what_a_pom_pins(read: Read) -> None:
    content = read("child/pom.xml", CHILD, {"pom.xml": PARENT})
    assert pairs(content) == {
        ("org.apache.logging.log4j:log4j-core", "2.14.1"),
        ("com.google.guava:guava", "20.0"),
        ("org.acme:sister", "1.0"),
        ("a:jackson", "2.9.8"),
        ("a:hard", "1.5"),
        ("a:profiled", "1"),
        ("org.apache.maven.plugins:maven-jar-plugin", "3.0.0"),
    }
    assert gaps(content) == {
        "child/pom.xml: a:unknown": "unresolved property ${nope}",
        "child/pom.xml: a:managed": "the version is managed elsewhere",
        "child/pom.xml: a:range": "no exact version",
        "child/pom.xml: a:moving": "no exact version",
    }
    assert content.packages[0].line == 7


def test_without_its_parent_more_is_unknown(read: Read) -> None:
    reasons = gaps(read("child/pom.xml", CHILD))
    assert reasons["child/pom.xml: com.google.guava:guava"] == "the version is managed elsewhere"
    assert reasons["child/pom.xml: a:jackson"] == "unresolved property ${jackson}"


def test_another_project_above_is_not_the_parent(read: Read) -> None:
    other = PARENT.replace("<artifactId>parent<", "<artifactId>other<")
    assert gaps(read("child/pom.xml", CHILD, {"pom.xml": other})) == gaps(read("child/pom.xml", CHILD))


def test_dependency_management_of_its_own(read: Read) -> None:
    assert pairs(read("pom.xml", PARENT)) == {("com.google.guava:guava", "18.0")}


@pytest.mark.parametrize("value", ["${a}", "${b}", "${c}${c}${c}${c}"])
def test_properties_without_end(read: Read, value: str) -> None:
    bombs = "".join(f"<p{n}>${{p{n + 1}}}${{p{n + 1}}}</p{n}>" for n in range(60))
    text = (
        f"<project><properties><a>${{a}}</a><b>${{a}}</b><c>${{p0}}</c>{bombs}</properties><dependencies>"
        f"<dependency><groupId>g</groupId><artifactId>x</artifactId><version>{value}</version></dependency>"
        "</dependencies></project>"
    )
    content = read("pom.xml", text)
    assert content.packages == ()
    assert list(gaps(content)) == ["pom.xml: g:x"]


def test_parents_that_point_at_each_other(read: Read) -> None:
    text = PARENT.replace(
        "<groupId>org.acme",
        "<parent><artifactId>parent</artifactId><relativePath>pom.xml</relativePath></parent><groupId>org.acme",
        1,
    )
    assert pairs(read("pom.xml", text, {"pom.xml": text})) == {("com.google.guava:guava", "18.0")}


def test_the_parent_is_known_beforehand() -> None:
    assert includes_of("maven", "child/pom.xml", CHILD.encode()) == ("pom.xml",)
    assert includes_of("maven", "pom.xml", CHILD.encode()) == ()
    folder = CHILD.replace("</parent>", "<relativePath>../base</relativePath></parent>")
    assert includes_of("maven", "child/pom.xml", folder.encode()) == ("base/pom.xml",)
    registry = CHILD.replace("</parent>", "<relativePath/></parent>")
    assert includes_of("maven", "child/pom.xml", registry.encode()) == ()
    assert includes_of("maven", "pom.xml", b"<project") == ()


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("", "is empty"),
        ("<project>", "is not valid XML (line 1)"),
        ("<html/>", "has no <project>"),
        (
            '<!DOCTYPE p [<!ENTITY a "b">]><project>&a;</project>',
            "has a document type or entities, which are not read",
        ),
    ],
)
def test_what_cannot_be_read(read: Read, text: str, reason: str) -> None:
    assert gaps(read("pom.xml", text)) == {"pom.xml": reason}
