"""An image has its parts whatever its text is, and is the same one when only its tag was pinned to a digest."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bluegreen.release.image import Image

DIGEST = "sha256:" + "a" * 64
OTHER = "sha256:" + "b" * 64

PARTS = [
    ("shop", "shop", "", ""),
    ("shop:2.0", "shop", "2.0", ""),
    ("registry.example/shop:2.0", "registry.example/shop", "2.0", ""),
    ("registry.example:5000/shop", "registry.example:5000/shop", "", ""),
    ("registry.example:5000/team/shop:2.0", "registry.example:5000/team/shop", "2.0", ""),
    ("REGISTRY.example:5000/shop:2.0", "REGISTRY.example:5000/shop", "2.0", ""),
    (f"shop@{DIGEST}", "shop", "", DIGEST),
    (f"registry.example:5000/shop@{DIGEST}", "registry.example:5000/shop", "", DIGEST),
    (f"registry.example:5000/shop:2.0@{DIGEST}", "registry.example:5000/shop", "2.0", DIGEST),
    ("localhost:5000/shop:2.0", "localhost:5000/shop", "2.0", ""),
    ("shop:", "shop:", "", ""),
    ("shop@", "shop@", "", ""),
    ("", "", "", ""),
]


@pytest.mark.parametrize(("text", "repository", "tag", "digest"), PARTS)
def test_an_image_has_repository_tag_and_digest(text: str, repository: str, tag: str, digest: str) -> None:
    assert Image.parse(text) == Image(repository=repository, tag=tag, digest=digest)


# What the config asks for, what is live, and whether that is the same image.
PINNED = [
    ("shop:2", "shop:2", True),
    ("shop:2", f"shop:2@{DIGEST}", True),
    ("r.example:5000/shop:2", f"r.example:5000/shop:2@{DIGEST}", True),
    ("R.example/shop:2", f"r.example/shop:2@{DIGEST}", True),
    (f"shop@{DIGEST}", f"shop@{DIGEST}", True),
    (f"shop@{DIGEST}", f"shop:2@{DIGEST}", True),
    ("shop", f"shop:latest@{DIGEST}", True),
    ("shop:2", f"index.docker.io/library/shop:2@{DIGEST}", True),
    ("team/shop:2", "docker.io/team/shop:2", True),
    ("shop:2", "shop:3", False),
    ("shop:2", f"shop:3@{DIGEST}", False),
    ("shop:2", f"shop@{DIGEST}", False),
    ("shop:2", "r.example/shop:2", False),
    ("r.example/shop:2", "r.example:5000/shop:2", False),
    ("r.example/shop:2", "r.example/team/shop:2", False),
    (f"shop@{DIGEST}", f"shop@{OTHER}", False),
    (f"shop@{DIGEST}", "shop:2", False),
    (f"shop:2@{DIGEST}", "shop:2", False),
    ("shop", f"shop@{DIGEST}", False),
    ("shop:2", "", False),
]


@pytest.mark.parametrize(("asked", "live", "is_same"), PINNED)
def test_the_same_image_may_be_pinned_to_a_digest(asked: str, live: str, is_same: bool) -> None:
    assert Image.parse(live).pins(Image.parse(asked)) is is_same


@pytest.mark.parametrize(
    ("image", "short"),
    [
        ("shop:1.0", "1.0"),
        ("a.example:5000/shop:1.0", "1.0"),
        (f"a.example/shop:1.0@{DIGEST}", "1.0"),
        (f"a.example/shop@{DIGEST}", "sha256:aaaaaaaaaaaa"),
    ],
)
def test_an_image_is_shown_by_its_tag_or_the_beginning_of_its_digest(image: str, short: str) -> None:
    assert Image.parse(image).short == short


@pytest.mark.parametrize("tag", ["2.0", DIGEST])
def test_the_image_of_the_config_is_put_together_from_repository_and_tag(tag: str) -> None:
    made = Image.of("r.example:5000/shop", tag)
    assert Image.parse(str(made)) == made
    assert made.names[0] == tag


_REPOSITORIES = st.from_regex(r"([a-zA-Z0-9.-]+(:[0-9]{1,5})?/)?[a-z0-9]+([._-][a-z0-9]+)?(/[a-z0-9]+)?", fullmatch=True)
_TAGS = st.from_regex(r"[A-Za-z0-9_][A-Za-z0-9._-]{0,20}", fullmatch=True)
_DIGESTS = st.from_regex(r"sha256:[0-9a-f]{64}", fullmatch=True)


@given(st.text(alphabet="ab1:/@.-é ", max_size=30))
def test_any_text_is_parsed_and_given_back_unchanged(text: str) -> None:
    image = Image.parse(text)
    assert str(image) == text
    assert image.pins(image)
    assert not text or image.matches(text)


@given(_REPOSITORIES, _TAGS, _DIGESTS)
def test_whatever_is_pinned_stays_the_same_image_and_is_approved_by_each_of_its_names(
    repository: str, tag: str, digest: str
) -> None:
    asked, pinned = Image.of(repository, tag), Image(repository=repository, tag=tag, digest=digest)
    assert pinned.pins(asked)
    assert all(pinned.matches(name) for name in (tag, digest, str(asked), str(pinned), f"{repository}@{digest}"))
    assert not asked.pins(pinned)
