"""The errors that are shown to the user as one line, without a traceback."""


class Problem(Exception):
    """Bad input or a bad environment; the message names the thing, the value and the fix."""


class Lost(Exception):
    """What a sweep runs on went away; the message says what."""
