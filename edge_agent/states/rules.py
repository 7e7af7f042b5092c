"""State rules: CEL expressions over an equipment's tags; the first that holds gives the state."""

from collections.abc import Sequence

from edge_agent.model.batch import Value
from edge_agent.model.expression import CannotEvaluateError, Expression
from edge_agent.model.options import StateRule
from edge_agent.model.state import StateWithCause, UnknownCause, unknown


class RuleSet:
    """The compiled rules of one equipment. Raises ValueError for an expression that is no CEL."""

    def __init__(self, rules: Sequence[StateRule]) -> None:
        self._rules = [(Expression(rule.when), StateWithCause(rule.state, rule.cause)) for rule in rules]
        self.tags = tuple(sorted(frozenset().union(*(rule.names for rule, _ in self._rules))))
        """The tags that the rules need."""

    def decide(self, values: dict[str, Value]) -> StateWithCause:
        """The state under `values`, in which a tag without a usable value is missing.

        A rule that cannot be evaluated decides nothing, and neither do those behind it: it may have been
        the one that holds.
        """
        for rule, result in self._rules:
            try:
                if rule.holds(values):
                    return result
            except CannotEvaluateError:
                missing = not rule.names <= values.keys()
                return unknown(UnknownCause.BAD_QUALITY if missing else UnknownCause.UNDECIDED)
        return unknown(UnknownCause.UNDECIDED)
