"""The token game: where tokens are and how they move. The one room that imports SpiffWorkflow.

The library's own parser, script engine, serializer and stepper are not used: each gets something silently wrong. Its task
tree is built from our own model of the diagram, one tree for each start event (so that a start needs no event to be sent),
conditions and scripts are asked of a `Host`, and the tree is saved without its definition and without data: data belongs
to the instance, as in Camunda 7, not to a token.
"""

from engine.execution.token_game.game import SCRIPT_FAILED, TokenGame
from engine.execution.token_game.host import Host
from engine.execution.token_game.local_values import NOWHERE, Locals
from engine.execution.token_game.remembering import Begin, Remembering
from engine.execution.token_game.tree import Tree, build_tree

__all__ = ["NOWHERE", "SCRIPT_FAILED", "Begin", "Host", "Locals", "Remembering", "TokenGame", "Tree", "build_tree"]
