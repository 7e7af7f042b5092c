"""Whether a filter can hold for any line at all."""

from collections.abc import Mapping, Sequence
from itertools import product

from edge_agent.model.expression import CannotEvaluateError, Expression


def can_hold(text: str, values: Mapping[str, Sequence[object]]) -> bool:
    """Whether the CEL expression `text` is true for some combination of the `values` that columns can have.

    What it says of other columns is taken as possible, whatever it is: they are left out, and in CEL
    `false &&` and `true ||` decide even beside something that has no answer. So a contradiction among texts
    or numbers is not found (`line == "A" && line == "B"`), and nothing that can hold is ever said not to.
    """
    expression = Expression(text)
    named = [name for name in values if name in expression.names]
    for combination in product(*(values[name] for name in named)):
        try:
            if expression.holds(dict(zip(named, combination, strict=True))):
                return True
        except CannotEvaluateError:
            return True
    return False
