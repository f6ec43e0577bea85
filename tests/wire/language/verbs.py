"""How a verb is written down: a function under the phrase that scripts use."""
import re

from .machine import slowness


class Line:
    """One line under way: who acts, and the text not read yet."""

    def __init__(self, world, subject, text):
        self.world = world
        self.subject = subject
        self.text = text

    def take_option(self, pattern):
        """Cut PATTERN off the front; its groups, or None when it is not there."""
        match = re.match(pattern + r"(?:\s+|$)", self.text)
        if match is None:
            return None
        self.text = self.text[match.end():]
        return match.groups() or True

    def take_seconds(self, word, default_s):
        """The option `within N ms` (or `for N ms`), in seconds of patience. What must come in time
        may come later on a machine that is slow now.
        """
        found = self.take_option(word + r" (\d+) ms")
        seconds = (int(found[0]) / 1000 if found else default_s) * self.world.patience
        return seconds * slowness() if word == "within" else seconds


def verb(table, phrase):
    """Register the decorated function in TABLE under PHRASE."""
    def register(function):
        table[phrase] = function
        return function
    return register


def find_verb(table, text):
    """The longest phrase that TEXT begins with, and what follows it."""
    for phrase in sorted(table, key=len, reverse=True):
        if text == phrase or text.startswith(phrase + " "):
            return table[phrase], text[len(phrase):].strip()
    return None, text
