"""What a run has measured: plain values, written to a file after each sample, so that a later failure loses nothing."""

import json
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Self

PROBED, LOADED = "probed", "loaded"
"""The load during a sample: just enough requests to see the move, or many more, to see how long both colors respond."""


@dataclass(frozen=True, kw_only=True)
class Sample:
    """One move of one contestant. Seconds are those since the start of its first command."""

    contestant: str
    kind: str
    load: str
    end: float
    """The last command had ended, in seconds."""
    last_old: float = 0
    """The last response of the old color, in seconds."""
    cut_over_ms: float = 0
    """How long both colors responded."""
    requests: int = 0
    failed: int = 0
    errors: list[str] = field(default_factory=list)


@dataclass(kw_only=True)
class Results:
    """All of one run."""

    began: str
    setting: str
    """The machine and the versions."""
    contestants: list[str]
    failures: list[str] = field(default_factory=list)
    """Attempts that could not be measured, a sentence each."""
    samples: list[Sample] = field(default_factory=list)

    def write(self, file: Path) -> None:
        """Replaces `file` as a whole, with a line for each sample: people and `git diff` read it too."""
        head = json.dumps({key: value for key, value in vars(self).items() if key != "samples"}, indent=1)[:-2]
        samples = ",\n  ".join(json.dumps(asdict(sample)) for sample in self.samples)
        new = file.with_suffix(".new")
        new.write_text(f'{head},\n "samples": [\n  {samples}\n ]\n}}\n')
        new.replace(file)

    @classmethod
    def read(cls, file: Path) -> Self:
        """The results in `file`."""
        content = json.loads(file.read_text())
        return cls(**content | {"samples": [Sample(**sample) for sample in content["samples"]]})
