"""State rules: CEL expressions over an equipment's tags; the first that holds gives the state."""

from collections.abc import Sequence

import cel

from edge_agent.model.batch import Value
from edge_agent.model.options import StateRule
from edge_agent.model.state import StateWithCause, UnknownCause, unknown


class RuleSet:
    """The compiled rules of one equipment. Raises ValueError for an expression that is no CEL."""

    def __init__(self, rules: Sequence[StateRule]) -> None:
        self._rules = [(cel.compile(rule.when), StateWithCause(rule.state, rule.cause)) for rule in rules]
        self.tags = tuple(sorted({name for program, _ in self._rules for name in program.variables()}))
        """The tags that the rules need."""

    def decide(self, values: dict[str, Value]) -> StateWithCause:
        """The state under `values`, in which a tag without a usable value is missing.

        (Missing and not None, because in CEL `None == 1` is false and would let the next rule win.)
        A rule that cannot be evaluated decides nothing, and neither do those behind it: it may have been
        the one that holds.
        """
        for program, result in self._rules:
            try:
                holds = program.execute(values)
            except (TypeError, RuntimeError, ValueError):
                missing = any(name not in values for name in program.variables())
                return unknown(UnknownCause.BAD_QUALITY if missing else UnknownCause.UNDECIDED)
            if holds is True:
                return result
        return unknown(UnknownCause.UNDECIDED)
