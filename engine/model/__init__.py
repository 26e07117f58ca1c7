"""The nouns that need nothing else: currencies and money, periods and durations."""
