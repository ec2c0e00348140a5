"""How layers are wired to those below them."""
