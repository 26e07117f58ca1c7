"""Process definitions: the diagram as our own model, its carry-over map, and the rules that check both."""
