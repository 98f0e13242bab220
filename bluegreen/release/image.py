"""A container image by its parts: the only place that takes the text of an image apart or puts one together."""

from dataclasses import dataclass

# Names that container runtimes use for the same registry, and the one that they mean without any.
_DOCKER_HUB = "docker.io"
_DOCKER_HUB_NAMES = (_DOCKER_HUB, "index.docker.io", "registry-1.docker.io")

_SHORT_DIGEST = len("sha256:") + 12


@dataclass(frozen=True, kw_only=True)
class Image:
    """`repository[:tag][@digest]`; `tag` and `digest` are empty without one. The repository is as it was written."""

    repository: str
    tag: str = ""
    digest: str = ""

    @classmethod
    def parse(cls, text: str) -> "Image":
        """The parts of `text`. Takes any text: what is no valid image ends up in `repository`, and `str` returns it."""
        named, _, digest = text.partition("@")
        path, slash, last = named.rpartition("/")
        # A colon before the last slash is the port of the registry.
        name, _, tag = last.partition(":")
        image = cls(repository=f"{path}{slash}{name}", tag=tag, digest=digest)
        return image if str(image) == text else cls(repository=text)

    @classmethod
    def of(cls, repository: str, tag_or_digest: str) -> "Image":
        """The image that the config names by its repository and an `imageTag`."""
        if tag_or_digest.startswith("sha256:"):
            return cls(repository=repository, digest=tag_or_digest)
        return cls(repository=repository, tag=tag_or_digest)

    @property
    def tag_or_digest(self) -> str:
        """What an `imageTag` in the config says of it: its digest, else its tag; empty without both."""
        return self.digest or self.tag

    def __str__(self) -> str:
        return self.repository + (f":{self.tag}" if self.tag else "") + (f"@{self.digest}" if self.digest else "")

    @property
    def short(self) -> str:
        """What distinguishes it from another image of the same repository: the tag, else the beginning of the digest."""
        return self.tag or self.digest[:_SHORT_DIGEST]

    @property
    def names(self) -> tuple[str, ...]:
        """What an approval may call it, the shortest first: its tag, its digest, its tag with the digest, all of it."""
        pinned = f"{self.tag}@{self.digest}" if self.tag and self.digest else ""
        return tuple(dict.fromkeys(name for name in (self.tag, self.digest, pinned, str(self)) if name))

    def matches(self, approval: str) -> bool:
        """Whether `approval` (a tag, a digest, or an image) names this image, or the image that this one pins."""
        return approval in self.names or self.pins(Image.parse(approval))

    def is_of(self, repository: str) -> bool:
        """Whether this is an image of `repository`, however its registry is written."""
        return _canonical(self.repository) == _canonical(repository)

    def pins(self, asked: "Image") -> bool:
        """Whether this image is `asked`, or `asked` pinned to a digest, as admission controllers do it.

        A digest decides alone. Without one in `asked`, the tags must be equal: `app:2@sha256:...` pins `app:2`.
        """
        if _canonical(self.repository) != _canonical(asked.repository):
            return False
        if asked.digest:
            return self.digest == asked.digest
        return self._tag_as_pulled == asked._tag_as_pulled

    @property
    def _tag_as_pulled(self) -> str:
        """A runtime takes `latest` without a tag. With a digest alone no tag is known."""
        return self.tag or ("" if self.digest else "latest")


def _canonical(repository: str) -> str:
    """The repository with its registry, as container runtimes complete it: `app` is `docker.io/library/app`."""
    registry, slash, path = repository.partition("/")
    is_registry = "." in registry or ":" in registry or registry != registry.lower() or registry == "localhost"
    if not slash or not is_registry:
        registry, path = _DOCKER_HUB, repository
    registry = registry.lower()
    if registry in _DOCKER_HUB_NAMES:
        return f"{_DOCKER_HUB}/{path if '/' in path else f'library/{path}'}"
    return f"{registry}/{path}"
