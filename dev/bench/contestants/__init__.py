"""The contestants, in the order of the table: ours first, then what one would take instead."""

from dev.bench.contestants.argo import ArgoRollouts
from dev.bench.contestants.bare import BarePulumi
from dev.bench.contestants.base import Contestant
from dev.bench.contestants.flagger import Flagger
from dev.bench.contestants.ours import BluegreenCommand, PulumiUp
from dev.bench.contestants.plain import Kubectl

# Flagger is not among them: a release of its takes a minute by its own clock, so it has a part of the run for itself.
TAKING_TURNS: tuple[type[Contestant], ...] = (PulumiUp, BluegreenCommand, BarePulumi, Kubectl, ArgoRollouts)
ALL: tuple[type[Contestant], ...] = (*TAKING_TURNS, Flagger)
