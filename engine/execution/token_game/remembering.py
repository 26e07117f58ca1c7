"""Games that remember: moves that many instances make alike are made once.

Where tokens go follows from where they are, from what is done to them, and from what the host answers meanwhile, and from
nothing else. So all that is remembered is a dialogue: after these calls and these answers, the game gave this. As long as an
instance keeps to a known dialogue, its host is asked the same questions in the same order, and no game is played; where it
leaves it, the game is played from its beginning, with the answers that were given already, and goes on in earnest. For
simulations, which play thousands of instances of one process; what depends on more than answers (repeated activities, timers
that count) is always played.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any, TypeAlias, cast

from engine.connector import Value
from engine.errors import DataRefused, ExpressionFailed
from engine.execution.token_game.game import TokenGame
from engine.execution.token_game.host import Host
from engine.execution.token_game.local_values import NOWHERE, Locals
from engine.execution.token_game.tree import Tree

Begin: TypeAlias = Callable[[Tree, Host, "list[Value] | None"], TokenGame]
"""Begins a game, as `TokenGame` does."""

_MOST_STATES = 50_000
_ATTRIBUTES = frozenset({"path", "flows", "signalled", "completed"})
_SAME_MESSAGE = object()
"""Stands for the message of the error that was thrown just now."""

_Call: TypeAlias = tuple[Any, ...]
_Slot: TypeAlias = "tuple[dict[Any, _Step], Any]"


@dataclass(slots=True, eq=False)
class _Place:
    """A point between two calls: call -> what follows it."""

    calls: dict[_Call, _Step] = field(default_factory=dict)


@dataclass(slots=True, eq=False)
class _Ask:
    """The host is asked something; what follows depends on its answer."""

    question: _Call
    answers: dict[Any, _Step] = field(default_factory=dict)


@dataclass(slots=True, eq=False)
class _End:
    """The call is over, and gave this."""

    value: Any
    then: _Place


_Step: TypeAlias = "_Ask | _End"


class Remembering:
    """Begins games, and remembers what they did. Belongs to one thread."""

    def __init__(self) -> None:
        self._trees: dict[Tree, _Place] = {}
        self._saved: dict[
            int, tuple[list[Value], _Place]
        ] = {}  # by identity; the list is kept, so that its identity stays its own

    def begin(self, tree: Tree, host: Host, saved: list[Value] | None = None) -> TokenGame:
        """As `TokenGame`: a new game, or one that goes on with what `save` gave."""
        place = self._place(tree, saved)
        return TokenGame(tree, host, saved) if place is None else cast(TokenGame, _Remembered(self, tree, host, saved, place))

    def _place(self, tree: Tree, saved: list[Value] | None) -> _Place | None:
        if tree.repeats:
            return None
        if saved is None:
            return self._trees.setdefault(tree, _Place())
        known = self._saved.get(id(saved))
        return known[1] if known is not None else None

    def keep(self, saved: list[Value]) -> None:
        """A game was saved: another one may go on from there."""
        if len(self._saved) >= _MOST_STATES:
            self._saved.clear()
            self._trees.clear()
        self._saved[id(saved)] = (saved, _Place())


class _Remembered:
    """A game that is only played where nothing like it is remembered. It has what `TokenGame` has."""

    def __init__(self, memory: Remembering, tree: Tree, host: Host, saved: list[Value] | None, place: _Place) -> None:
        self._memory, self._tree, self._host, self._from = memory, tree, host, saved
        self._place = place
        self._calls: list[tuple[_Call, str]] = []  # with the message of an error
        self._answers: list[Any] = []
        self._played: TokenGame | None = None
        self._witness: _Witness | None = None

    # what a game does ...............................................................................................

    def open_nodes(self) -> dict[int, str]:
        return cast("dict[int, str]", self._call(("open_nodes",)))

    def locals_of(self, token: int) -> Locals:
        return NOWHERE  # trees that repeat are always played

    def unjoined(self) -> list[str]:
        return cast("list[str]", self._call(("unjoined",)))

    def complete(self, token: int) -> None:
        self._call(("complete", token))

    def fire(self, token: int) -> None:
        self._call(("fire", token))

    def throw_error(self, token: int, codes: Sequence[str], message: str) -> bool:
        return bool(self._call(("throw_error", token, tuple(codes)), message))

    def memory(self, token: int) -> dict[str, Value]:
        return cast("dict[str, Value]", self._call(("memory", token)))

    def run(self) -> None:
        self._call(("run",))

    def save(self) -> list[Value]:
        return cast("list[Value]", self._call(("save",)))

    @property
    def completed(self) -> bool:
        return bool(self._call(("completed",)))

    @property
    def path(self) -> Sequence[str]:
        return cast("Sequence[str]", self._call(("path",)))

    @property
    def flows(self) -> Sequence[str]:
        return cast("Sequence[str]", self._call(("flows",)))

    @property
    def signalled(self) -> frozenset[object]:
        return cast("frozenset[object]", self._call(("signalled",)))

    def __getattr__(self, name: str) -> Any:
        """Whatever else a game does is played, and what comes after it isn't remembered."""
        played, witness = self._play(None)
        witness.slot = None
        return getattr(played, name)

    # following what is remembered ...................................................................................

    def _call(self, call: _Call, message: str = "") -> Any:
        self._calls.append((call, message))
        if self._played is not None:
            return self._go_on(call, message)
        slot: _Slot = (self._place.calls, call)
        while isinstance(step := slot[0].get(slot[1]), _Ask):
            try:
                answer = _asked(self._host, step.question, message)
            except (ExpressionFailed, DataRefused) as failure:  # the game may catch it
                self._answers.append(_Failed(failure))
                return self._leave(None)
            self._answers.append(answer)
            slot = (step.answers, answer)
        if step is None:
            return self._leave(slot)
        self._place = step.then
        return step.value

    def _leave(self, slot: _Slot | None) -> Any:
        """Play what was done so far, its last call to the end; what is new goes into the slot."""
        (call, message), before = self._calls[-1], self._calls[:-1]
        played, witness = self._play(before)
        return self._end(call, _done(played, witness, call, message, slot))

    def _play(self, calls: list[tuple[_Call, str]] | None) -> tuple[TokenGame, _Witness]:
        if self._played is None or self._witness is None:
            self._witness = _Witness(self._host, self._answers)
            self._played = TokenGame(self._tree, cast(Host, self._witness), self._from)
            for call, message in self._calls if calls is None else calls:
                _done(self._played, self._witness, call, message, None)
        return self._played, self._witness

    def _go_on(self, call: _Call, message: str) -> Any:
        played, witness = self._play(None)
        slot = (self._place.calls, call) if witness.slot is not None else None
        return self._end(call, _done(played, witness, call, message, slot))

    def _end(self, call: _Call, value: Any) -> Any:
        """Remember what a call gave, unless something was in it that can't be."""
        assert self._witness is not None
        slot = self._witness.slot
        if slot is not None:
            self._place = _Place()
            slot[0][slot[1]] = _End(value, self._place)
            if call == ("save",):
                self._memory.keep(value)
        return value


@dataclass(frozen=True, slots=True)
class _Failed:
    """The host's answer was an error."""

    error: Exception


def _done(played: TokenGame, witness: _Witness, call: _Call, message: str, slot: _Slot | None) -> Any:
    """Make one call of a game in earnest."""
    name, *arguments = call
    witness.message, witness.slot = message, slot
    try:
        found = getattr(played, name)
        if name in _ATTRIBUTES:
            return found if isinstance(found, bool) else tuple(found) if isinstance(found, list) else frozenset(found)
        return found(*arguments, message) if name == "throw_error" else found(*arguments)
    except BaseException:  # whatever it was, a call that has no result is never remembered as if it had one
        witness.slot = None
        raise


def _asked(host: Host, question: _Call, message: str) -> Any:
    name, *arguments = question
    if name == "caught":
        node, code, said = arguments
        host.caught(node, code, message if said is _SAME_MESSAGE else said, NOWHERE)
        return None
    if name == "not_caught":
        host.not_caught(*arguments)
        return None
    return getattr(host, name)(*arguments, NOWHERE)


class _Witness:
    """The host as a game that is played sees it: it repeats the answers that were given already, then asks the host itself and
    notes its answers where `slot` says. `slot` is None while nothing is to be remembered.
    """

    def __init__(self, host: Host, answers: list[Any]) -> None:
        self._host, self._given = host, list(answers)
        self.slot: _Slot | None = None
        self.message = ""

    def holds(self, flow: str, here: Locals) -> bool:
        return bool(self._ask(("holds", flow)))

    def run_script(self, node: str, here: Locals) -> None:
        self._ask(("run_script", node))

    def throw(self, node: str, here: Locals) -> None:
        self._ask(("throw", node))

    def caught(self, node: str, code: str, message: str, here: Locals) -> None:
        self._ask(("caught", node, code, _SAME_MESSAGE if message == self.message else message))

    def not_caught(self, node: str, code: str) -> None:
        self._ask(("not_caught", node, code))

    def _ask(self, question: _Call) -> Any:
        if self._given:
            answer = self._given.pop(0)
            if isinstance(answer, _Failed):
                raise answer.error
            return answer
        if self.slot is None:
            return _asked(self._host, question, self.message)
        ask = _Ask(question)
        kept, self.slot = self.slot, None
        answer = _asked(self._host, question, self.message)
        kept[0][kept[1]] = ask
        self.slot = (ask.answers, answer)
        return answer

    def __getattr__(self, name: str) -> Any:
        self.slot = None
        return getattr(self._host, name)


__all__ = ["Begin", "Remembering"]
