"""What the user can put right: shown as one line, without a traceback, with exit code 2."""


class Problem(Exception):
    """Bad input; the message names the thing, what is wrong with it and what would do."""
